"""The one way in: four doors, one set of messages; rows first, wake-ups after them."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.conf import LazySettings
from django.core.management import CommandError, call_command
from django.test import Client

from nnlab.celery import app
from runs import lifecycle, submission
from runs.forms.submission import SweepForm
from runs.models import ApiToken, Project, Run, Status, Sweep
from runs.submitted.specification import SubmissionError
from tests.runs.builders import build_run, build_user
from tests.runs.submissions import BAD, TYPED, as_typed, build_submission

pytestmark = pytest.mark.django_db


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Record the queue of every wake-up instead of asking a broker."""
    queues: list[str] = []

    def send(name: str, args: list[str], **_: Any) -> None:
        assert name == "runs.train_next"
        queues.extend(args)

    monkeypatch.setattr(app, "send_task", send)
    return queues


def expected(mapping: dict[str, Any]) -> list[str]:
    with pytest.raises(SubmissionError) as refused:
        submission.parse(mapping)
    return sorted(message for messages in refused.value.errors.values() for message in messages)


def assert_nothing_happened(sent: list[str]) -> None:
    assert not Project.objects.exists()
    assert not Sweep.objects.exists()
    assert not Run.objects.exists()
    assert sent == []


@pytest.mark.parametrize("name", TYPED)
def test_the_form_says_what_the_check_says(name: str, sent: list[str]) -> None:
    form = SweepForm(as_typed(TYPED[name].mapping))
    assert not form.is_valid()
    found = sorted(str(message) for messages in form.errors.values() for message in messages)
    assert found == expected(TYPED[name].mapping)
    assert (
        form.errors.keys() & TYPED[name].messages.keys() == TYPED[name].messages.keys() & form.fields.keys()
    )
    assert_nothing_happened(sent)


@pytest.mark.parametrize("name", TYPED)
def test_the_admin_says_what_the_check_says(
    name: str, sent: list[str], client: Client, django_capture_on_commit_callbacks: Callable[..., Any]
) -> None:
    client.force_login(build_user("submit_sweep", "view_sweep", staff=True))
    with django_capture_on_commit_callbacks(execute=True):
        answer = client.post("/admin/runs/sweep/add/", as_typed(TYPED[name].mapping))
    assert answer.status_code == 200
    errors = answer.context["adminform"].form.errors
    found = sorted(str(message) for messages in errors.values() for message in messages)
    assert found == expected(TYPED[name].mapping)
    assert_nothing_happened(sent)


@pytest.mark.parametrize("name", BAD)
def test_the_api_says_what_the_check_says(
    name: str, sent: list[str], client: Client, django_capture_on_commit_callbacks: Callable[..., Any]
) -> None:
    token = ApiToken.issue(build_user("submit_sweep").pk, "test")
    with django_capture_on_commit_callbacks(execute=True):
        answer = client.post(
            "/api/sweeps",
            json.dumps(BAD[name].mapping),
            content_type="application/json",
            headers={"Authorization": f"Bearer {token}"},
        )
    assert answer.status_code == 422
    errors = answer.json()["errors"]
    assert errors.keys() == BAD[name].messages.keys()
    assert sorted(message for messages in errors.values() for message in messages) == expected(
        BAD[name].mapping
    )
    assert_nothing_happened(sent)


@pytest.mark.parametrize("name", BAD)
def test_the_command_says_what_the_check_says(name: str, sent: list[str], tmp_path: Path) -> None:
    file = tmp_path / "sweep.json"
    file.write_text(json.dumps(BAD[name].mapping))
    with pytest.raises(CommandError) as refused:
        call_command("submit", str(file), stdout=StringIO())
    first, *lines = str(refused.value).split("\n")
    assert first == "nothing was submitted:"
    assert sorted(line.strip() for line in lines) == expected(BAD[name].mapping)
    assert_nothing_happened(sent)


def submit(**changes: Any) -> Sweep:
    return submission.submit(submission.parse(build_submission(**changes)), None)


def test_rows_are_stored_first_and_wake_ups_sent_once_they_are_committed(
    sent: list[str], django_capture_on_commit_callbacks: Callable[..., Any]
) -> None:
    with django_capture_on_commit_callbacks(execute=True) as callbacks:
        sweep = submit(seeds=3)
        assert sent == []
    assert sweep.runs.count() == 3
    assert len(callbacks) == 1
    assert sent == ["cpu"]  # for the one process that may be there


def test_a_stored_run_holds_its_configuration_and_what_it_is_sorted_by() -> None:
    user = build_user()
    mapping = build_submission(
        training={"depth": 2, "dropout": 0.25, "optimizer": "sgd", "learning_rate": 0.1, "batch_size": 8},
        seeds=[11],
    )
    sweep = submission.submit(submission.parse(mapping), user)
    run = sweep.runs.get()
    assert run.config["training"]["hidden_units"] == [4, 4]
    assert run.config["data"]["dataset"] == "iris"
    assert (run.depth, run.width, run.activation, run.dropout) == (2, 4, "relu", 0.25)
    assert (run.optimizer, run.learning_rate, run.batch_size, run.seed) == ("sgd", 0.1, 8, 11)
    assert (run.status, run.steps_requested, run.parameters) == (Status.QUEUED, 5, 20 + 20 + 15)
    assert (run.name, sweep.created_by_id, sweep.project.slug) == ("One run", user.pk, "iris")
    assert submission.parse(sweep.specification).runs[0].group == run.group


def test_layers_that_differ_have_no_one_width_and_no_one_dropout() -> None:
    training = {"steps": 5, "hidden_units": [8, 4], "activation": ["relu", "tanh"], "dropout": [0.1, 0.2]}
    sweep = submission.submit(submission.parse({**build_submission(), "training": training}), None)
    run = sweep.runs.get()
    assert (run.depth, run.width, run.dropout, run.activation) == (2, None, None, "relu, tanh")


def test_the_runs_of_a_sweep_are_named_by_what_tells_them_apart() -> None:
    sweep = submit(grid={"depth": [0, 2], "dropout": [0.0, 0.5]}, seeds=[7])
    assert {run.name for run in sweep.runs.all()} == {
        "linear seed 7",
        "4-4 relu seed 7",
        "4-4 relu dropout 0.5 seed 7",
    }


def test_projects_with_one_address_are_one_project() -> None:
    first, second = submit(project="Iris study"), submit(project="iris  Study")
    assert first.project == second.project


def test_a_clone_is_the_same_configuration_queued_once_more() -> None:
    run = submit(seeds=[3, 4], grid={"depth": [1, 2]}).runs.order_by("pk")[2]
    user = build_user()
    copy = submission.clone(run, user)
    assert copy.pk != run.pk
    assert (copy.config, copy.group, copy.seed, copy.name) == (run.config, run.group, run.seed, run.name)
    assert (copy.parent, copy.project, copy.status) == (run, run.project, Status.QUEUED)
    assert copy.sweep != run.sweep
    assert copy.sweep.created_by_id == user.pk


def test_a_clone_of_what_is_no_longer_possible_is_refused() -> None:
    run = build_run(data={"dataset": "gone.csv"})
    with pytest.raises(SubmissionError, match=r"no file 'gone\.csv'"):
        submission.clone(run, None)
    assert Run.objects.count() == 1


def test_a_broker_that_is_away_keeps_nobody_waiting(
    caplog: pytest.LogCaptureFixture,
    django_capture_on_commit_callbacks: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    naps: list[float] = []
    monkeypatch.setattr(
        "kombu.utils.functional.sleep", naps.append
    )  # how long it takes is how long kombu sleeps
    with caplog.at_level(logging.WARNING, "runs.queue"), django_capture_on_commit_callbacks(execute=True):
        sweep = submit(seeds=3)
    assert "the broker does not answer" in caplog.text
    assert len(caplog.records) == 1
    assert sum(naps) < 0.1
    assert set(sweep.runs.values_list("status", flat=True)) == {"queued"}


def test_runs_are_queued_in_their_order_behind_all_that_wait() -> None:
    first, second = submit(seeds=3), submit(seeds=2)
    waiting = [run.pk for run in Run.objects.awaiting_worker()]
    assert waiting == sorted(run.pk for sweep in (first, second) for run in sweep.runs.all())
    assert Run.objects.order_by("place").values("place").distinct().count() == 5


def test_limits_are_the_installations(settings: LazySettings) -> None:
    settings.MAX_RUNS_PER_SWEEP, settings.MAX_STEPS_PER_RUN = 2, 10
    assert "at most 2 runs" in expected(build_submission(seeds=3))[0]
    assert "at most 10 steps" in expected(build_submission(training={"steps": 11}))[0]


def test_a_cancelled_run_of_a_sweep_leaves_the_others_waiting() -> None:
    first, second = submit(seeds=2).runs.order_by("pk")
    lifecycle.cancel(first.pk)
    assert list(Run.objects.awaiting_worker()) == [second]


def test_a_project_may_be_named_in_any_script(client: Client) -> None:
    client.force_login(build_user())
    mapping = build_submission(project="ニューラル 網")
    project = submission.submit(submission.parse(mapping), None).project
    assert client.get(project.get_absolute_url()).status_code == 200
