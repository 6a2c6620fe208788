"""What bounds an attempt: its time and its memory. The run ends with the reason, and the worker lives."""

from __future__ import annotations

import resource
from typing import Any

import numpy as np
import pytest
from django.test import Client, override_settings

from nnlab.data import preparation
from runs import submission
from runs.forms.submission import SweepForm
from runs.models import Attempt, Run, Status
from runs.submitted.job import Job
from runs.submitted.specification import SubmissionError
from runs.tasks import train_next
from runs.training import attempt, limits
from runs.training.members import Member
from tests.runs.builders import build_run, build_user
from tests.runs.submissions import build_submission

pytestmark = pytest.mark.django_db

MB = 2**20


def submitted(**changes: Any) -> list[Run]:
    return list(submission.submit(submission.parse(build_submission(**changes)), None).runs.order_by("pk"))


def test_a_run_that_reaches_its_time_limit_fails_and_keeps_what_it_learned() -> None:
    (run,) = submitted(training={"steps": 10_000_000}, job={"time_limit": 1})
    train_next("cpu")
    run.refresh_from_db()
    assert (run.status, run.stop_reason) == (Status.FAILED, "time limit")
    assert run.steps_run > 0
    assert run.error == (
        f"The attempt reached its time limit of 1 s after {run.steps_run:,} of 10,000,000 steps."
        " Ask for fewer steps, or submit it with a longer time limit."
    )
    assert run.summary["train_loss"] is not None


@override_settings(RUN_TIME_LIMIT=1)
def test_a_run_without_a_limit_of_its_own_has_the_installations() -> None:
    (run,) = submitted(training={"steps": 10_000_000})
    train_next("cpu")
    run.refresh_from_db()
    assert run.stop_reason == "time limit"


def test_runs_that_were_trained_together_are_given_their_time_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    runs = submitted(seeds=2)
    monkeypatch.setattr(Member, "is_out_of_time", True)
    train_next("cpu")
    assert set(Run.objects.values_list("status", "attempt")) == {(Status.QUEUED, 1)}
    assert set(Attempt.objects.values_list("outcome", "reason")) == {("given back", "time limit")}
    train_next("cpu")
    first = Run.objects.get(pk=runs[0].pk)
    assert (first.status, first.stop_reason, first.attempt) == (Status.FAILED, "time limit", 2)


def test_what_needs_more_memory_than_it_may_have_fails_and_the_next_run_is_trained() -> None:
    (large,) = submitted(training={"width": 3000, "depth": 3})
    Run.objects.update(memory_limit_mb=100)  # as the admin does it: a submission would have been refused
    (small,) = submitted()
    train_next("cpu")
    train_next("cpu")
    large.refresh_from_db()
    small.refresh_from_db()
    assert (large.status, large.stop_reason) == (Status.FAILED, "memory limit")
    assert large.error.startswith("Training needed more memory than its limit of 100 MB.")
    assert small.status == Status.FINISHED


def take_much() -> None:
    """Take more than 100 MB, whatever earlier tests have given back to the process and not to the system."""
    _ = [np.ones(120 * MB, np.uint8) for _ in range(10)]


def test_the_bound_is_lifted_again_and_is_that_of_all_runs_together() -> None:
    runs = [build_run(memory_limit_mb=size) for size in (40, 60)]
    before = resource.getrlimit(resource.RLIMIT_DATA)
    with limits.bounded_memory(runs):
        np.ones(80 * MB, np.uint8)
        with pytest.raises(MemoryError):
            take_much()
    assert resource.getrlimit(resource.RLIMIT_DATA) == before
    np.ones(120 * MB, np.uint8)


def test_a_host_with_less_memory_bounds_a_run_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "available_bytes", lambda: 150 * MB)
    run = build_run()
    with limits.bounded_memory([run]), pytest.raises(MemoryError):
        take_much()
    assert "its host had 150 MB available" in limits.out_of_memory([run])


def test_members_of_a_population_that_breaks_the_bound_try_again_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fill(*_: object) -> None:
        np.ones(2**50, np.uint8)

    submitted(seeds=3)
    monkeypatch.setattr(Member, "take", fill)
    train_next("cpu")
    assert set(Run.objects.values_list("status", "attempt")) == {(Status.QUEUED, 1)}
    error = Attempt.objects.values_list("error", flat=True)[0]
    assert error.startswith("Training needed more memory than its limit of 4,096 MB each, 3 runs together.")


def test_a_network_without_a_chance_is_refused_before_it_is_queued() -> None:
    with pytest.raises(SubmissionError, match=r"expected networks that fit into 50 MB, got one that needs"):
        submission.parse(build_submission(training={"width": 2000, "depth": 3}, job={"memory_limit_mb": 50}))


def test_limits_queue_and_priority_are_no_part_of_what_is_trained() -> None:
    job = {"queue": "gpu", "priority": 7, "time_limit": "30m", "memory_limit_mb": 900}
    (usual,) = submitted()
    (run,) = submitted(job=job)
    assert run.group == usual.group
    assert run.config == usual.config
    assert (run.queue, run.priority, run.time_limit, run.memory_limit_mb) == ("gpu", 7, 1800, 900)
    assert run.sweep.specification["job"] == {**job, "time_limit": 1800}
    copy = submission.clone(run, None)
    assert (copy.queue, copy.priority, copy.time_limit, copy.memory_limit_mb) == ("gpu", 7, 1800, 900)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90", 90), ("30m", 1800), ("2h", 7200), ("1h 30m", 5400), ("1H30M", 5400), (45, 45)],
)
def test_a_time_limit_can_be_written_as_people_write_it(text: object, seconds: int) -> None:
    assert submission.parse(build_submission(job={"time_limit": text})).job.time_limit == seconds


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("time_limit", "soon", "expected 1 to 86,400 seconds, or a text such as 30m or 2h, got 'soon'"),
        ("time_limit", 0, "got 0"),
        ("time_limit", "25h", "got '25h'; NNLAB_MAX_RUN_TIME_LIMIT raises the bound"),
        ("time_limit", True, "got True"),
        ("memory_limit_mb", 1e3, "expected 1 to 16,384 MB, got 1000.0"),
        ("memory_limit_mb", 10**6, "NNLAB_MAX_RUN_MEMORY_LIMIT_MB raises the bound"),
        ("queue", "tpu", "expected cpu or gpu, got 'tpu'"),
        ("priority", 101, "expected a whole number from -100 to 100, got 101"),
    ],
)
def test_a_job_that_cannot_be_is_refused_beside_its_field(field: str, value: object, message: str) -> None:
    with pytest.raises(SubmissionError) as refused:
        submission.parse(build_submission(job={field: value}))
    assert message in refused.value.errors[field][0]


def test_an_unknown_key_of_a_job_is_refused() -> None:
    with pytest.raises(SubmissionError, match="unknown key 'que'; known are queue, priority"):
        submission.parse(build_submission(job={"que": "gpu"}))


def test_training_is_bounded_by_the_limit_of_its_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []

    def prepare(*args: Any) -> Any:
        seen.append(resource.getrlimit(resource.RLIMIT_DATA)[0])
        return preparation.prepare(*args)

    monkeypatch.setattr(attempt, "prepare", prepare)
    submitted(job={"memory_limit_mb": 200})
    train_next("cpu")
    assert 0 < seen[0] < 2**40


def test_the_form_takes_limits_as_people_write_them_and_copies_them() -> None:
    typed = {"project": "Iris", "name": "n", "dataset": "iris", "depth": "1", "width": "4", "seeds": "1"}
    typed |= {"learning_rate": "0.01", "batch_size": "8", "steps": "5", "time_limit": "30m"}
    asked: dict[str, Any] = {**typed, "queue": "gpu", "priority": "-3", "memory_limit_mb": "900"}
    form = SweepForm({**asked, "activation": ["relu"], "optimizer": ["adam"]})
    assert form.is_valid(), form.errors
    assert form.specification is not None
    assert form.specification.job == Job("gpu", -3, 1800, 900)
    run = submission.submit(form.specification, None).runs.get()
    copied = SweepForm.initial_from(run)
    assert [copied[name] for name in ("queue", "priority", "time_limit")] == ["gpu", -3, 1800]
    refused = SweepForm({**asked, "time_limit": "soon", "activation": ["relu"], "optimizer": ["adam"]})
    assert "got 'soon'" in refused.errors["time_limit"][0]


def test_the_page_and_the_api_say_what_a_run_may_take(client: Client) -> None:
    client.force_login(build_user())
    run = build_run(time_limit=1800, memory_limit_mb=1500)
    text = " ".join(client.get(run.get_absolute_url()).content.decode().split())
    assert "It may take 30:00 an attempt and 1 500 MB of memory." in text.replace("\u202f", " ")
    answer = client.get(f"/api/runs/{run.pk}").json()
    assert (answer["time_limit"], answer["memory_limit_mb"]) == (1800, 1500)
