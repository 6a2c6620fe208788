"""Many runs in one task: each is trained, stored, stopped and failed as if it were alone."""

from __future__ import annotations

import logging
import threading
import uuid
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

import pytest
from celery.exceptions import SoftTimeLimitExceeded
from django.utils import timezone

from nnlab.data.preparation import prepare
from nnlab.engine.config import TrainingConfig
from nnlab.engine.population import shape_key
from nnlab.engine.problem import Problem
from runs import lifecycle, queue, submission
from runs.lifecycle import Claims
from runs.models import Run, Series, Status
from runs.reading.series import read_series
from runs.tasks import train_next
from runs.training import attempt, company
from runs.training.members import Member
from runs.training.populations import KeptPopulation
from tests.runs.submissions import build_submission
from tests.runs.watching import interfere, write_at_once

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def one_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queue, "live_workers", lambda _: 1)


def submitted(**changes: Any) -> list[Run]:
    """Submit a sweep, of three seeds unless told otherwise; its runs in the order of the queue."""
    mapping = build_submission(**{"seeds": 3, **changes})
    return list(submission.submit(submission.parse(mapping), None).runs.order_by("pk"))


def trained(runs: list[Run]) -> list[Run]:
    """Train what the first run's wake-up claims."""
    train_next("cpu")
    return [Run.objects.get(pk=run.pk) for run in runs]


def statuses(runs: list[Run]) -> list[str]:
    return [run.status for run in runs]


def points(run: Run) -> dict[tuple[str, int | None], tuple[list[int], bytes]]:
    metrics = list(Series.objects.filter(run=run).values_list("metric", flat=True).distinct())
    return {
        (found.metric, found.layer): (found.steps.tolist(), found.values.tobytes())
        for found in read_series([run.pk], metrics)
    }


def test_every_point_of_a_member_is_that_of_the_run_alone() -> None:
    settings = {"steps": 200, "depth": 2, "width": 9, "batch_size": 7}
    grid = {"learning_rate": [0.01, 0.1], "dropout": [0.1, 0.4], "l2": [0.0, 0.01]}
    runs = trained(submitted(training=settings, grid=grid, seeds=2))
    assert len(runs) == 16
    for run in runs:
        alone = submission.clone(run, None)
        train_next("cpu")
        alone.refresh_from_db()
        assert (run.status, run.summary, run.score) == (Status.FINISHED, alone.summary, alone.score)
        assert points(run) == points(alone)
        assert run.info == alone.info


def test_members_of_different_lengths_end_one_after_the_other() -> None:
    runs = trained(submitted(grid={"steps": [5, 500, 50]}, training={"steps": None}, seeds=1))
    assert statuses(runs) == [Status.FINISHED] * 3
    assert [run.steps_run for run in runs] == [5, 500, 50]
    assert [Series.objects.get(run=run, metric="train_loss").points for run in runs] == [5, 500, 50]


def test_each_member_has_alerts_of_its_own() -> None:
    settings = {"hidden_units": [32] * 5, "activation": "sigmoid", "optimizer": "sgd", "epochs": 6}
    mapping = {**build_submission(data={"dataset": "digits"}, seeds=2), "training": settings}
    mapping["grid"] = {"learning_rate": [0.05, 1e-7]}
    runs = trained(list(submission.submit(submission.parse(mapping), None).runs.order_by("pk")))
    assert statuses(runs) == [Status.FINISHED] * 4
    for run in runs:
        alone = submission.clone(run, None)
        train_next("cpu")
        found, expected = (
            list(one.alerts.order_by("check_id").values("check_id", "state", "title", "value", "last_step"))
            for one in (run, alone)
        )
        assert found == expected
        assert {"vanishing"} <= {alert["check_id"] for alert in found}


def test_a_cancelled_member_stops_and_the_others_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    write_at_once(monkeypatch)
    runs = submitted(training={"steps": None}, grid={"steps": [500, 1_000_000]}, seeds=2)
    first, second, third, fourth = runs  # two short ones and two long ones
    interfere(monkeypatch, lambda: [lifecycle.cancel(run.pk) for run in (third, fourth)], at=9)
    runs = trained([first, second, third, fourth])
    assert statuses(runs) == [Status.FINISHED, Status.FINISHED, Status.CANCELLED, Status.CANCELLED]
    for run in runs[2:]:
        assert 0 < run.steps_run < 1_000_000
        assert run.stop_reason == "cancelled"
        assert Series.objects.get(run=run, metric="train_loss").points == run.steps_run


def test_a_member_that_diverges_fails_in_its_own_words_and_the_others_finish() -> None:
    settings = {"optimizer": "sgd", "steps": 200, "width": 16, "batch_size": 64}
    grid = {"learning_rate": [1e-3, 1e6, 1e-2]}
    first, diverged, last = trained(
        submitted(data={"dataset": "california_housing"}, training=settings, grid=grid, seeds=1)
    )
    assert statuses([first, diverged, last]) == [Status.FINISHED, Status.FAILED, Status.FINISHED]
    assert diverged.diverged
    assert f"stopped being finite at step {diverged.steps_run:,}." in diverged.error
    assert diverged.alerts.filter(check_id="nonfinite").exists()
    assert first.error == last.error == ""
    assert first.steps_run == last.steps_run == 200


def test_a_member_that_was_taken_leaves_and_the_others_finish(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    write_at_once(monkeypatch)
    runs = submitted(training={"steps": 3000})
    other = uuid.uuid4()

    def take() -> None:
        Run.objects.filter(pk=runs[1].pk).update(token=other, worker="host-2:7", steps_run=3)

    interfere(monkeypatch, take, at=5)
    with caplog.at_level(logging.WARNING, "runs.training.attempt"):
        runs = trained(runs)
    assert statuses(runs) == [Status.FINISHED, Status.RUNNING, Status.FINISHED]
    assert (runs[1].token, runs[1].worker, runs[1].steps_run) == (other, "host-2:7", 3)
    assert caplog.text.count("is no longer ours") == 1


def test_a_member_that_was_taken_before_its_first_step_is_left_out(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    runs = submitted()
    start, other = Member.start, uuid.uuid4()

    def starting(member: Member, *told: str) -> None:
        Run.objects.filter(pk=runs[2].pk).update(token=other)
        start(member, *told)

    monkeypatch.setattr(Member, "start", starting)
    runs = trained(runs)
    assert statuses(runs) == [Status.FINISHED, Status.FINISHED, Status.RUNNING]
    assert not Series.objects.filter(run=runs[2]).exists()
    assert "is no longer ours" in caplog.text


def test_a_member_that_cannot_be_trained_fails_and_the_others_finish() -> None:
    runs = submitted()
    runs[0].config["training"]["learning_rate"] = -1
    runs[0].save()
    runs = trained(runs)
    assert statuses(runs) == [Status.FAILED, Status.FINISHED, Status.FINISHED]
    assert (runs[0].stop_reason, runs[0].attempt) == ("error", 1)
    assert "learning_rate: expected a number above 0" in runs[0].error


def test_data_that_are_gone_fail_all_members_at_once() -> None:
    runs = submitted()
    for run in runs:
        run.config["data"] = {"dataset": "gone.csv"}
        run.save()
    runs = trained(runs)
    assert statuses(runs) == [Status.FAILED] * 3
    assert all("no file 'gone.csv'" in run.error for run in runs)


def test_keys_of_an_older_engine_do_not_put_two_shapes_into_one_population(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made: list[list[str]] = []

    class Noting(KeptPopulation):
        def __init__(
            self, configs: Sequence[TrainingConfig], problem: Problem, resume: Any, **how: Any
        ) -> None:
            made.append([shape_key(config) for config in configs])
            super().__init__(configs, problem, resume, **how)

    monkeypatch.setattr(attempt, "make_population", Noting)
    runs = submitted(grid={"activation": ["relu", "tanh"]}, seeds=2)
    Run.objects.update(shape_key="0123456789abcdef")
    runs = trained(runs)
    assert statuses(runs) == [Status.FINISHED] * 4
    assert [run.info["activations"][0] for run in runs] == ["relu", "relu", "tanh", "tanh"]
    assert [len(set(keys)) for keys in made] == [1, 1]


def breaking(error: Exception) -> Callable[..., Any]:
    def take(*_: object) -> None:
        raise error

    return take


@pytest.mark.parametrize(
    ("error", "reason", "message"),
    [
        (SoftTimeLimitExceeded(), "time limit", "The run took longer than"),
        (RuntimeError("out of paper"), "error", "RuntimeError: out of paper"),
    ],
    ids=["time limit", "error"],
)
def test_what_stops_a_whole_population_lets_its_runs_try_again_alone(
    monkeypatch: pytest.MonkeyPatch, error: Exception, reason: str, message: str
) -> None:
    runs = submitted()

    def train() -> None:
        if isinstance(error, RuntimeError):
            with pytest.raises(RuntimeError, match="out of paper"):
                train_next("cpu")
        else:
            train_next("cpu")

    monkeypatch.setattr(Member, "take", breaking(error))
    train()
    assert Run.objects.filter(status=Status.QUEUED, attempt=1, error="", token=None).count() == 3
    train()
    first, *others = (Run.objects.get(pk=run.pk) for run in runs)
    assert (first.status, first.stop_reason, first.attempt) == (Status.FAILED, reason, 2)
    assert first.error.startswith(message)
    assert statuses(others) == [Status.QUEUED] * 2


def test_runs_that_had_ended_before_the_others_were_stopped_keep_their_ends(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    runs = submitted(training={"steps": None}, grid={"steps": [5, 1_000_000]}, seeds=1)

    def stop() -> None:
        raise SoftTimeLimitExceeded

    interfere(monkeypatch, stop, at=9)
    assert statuses(trained(runs)) == [Status.FINISHED, Status.QUEUED]


def test_the_wake_ups_of_the_other_members_find_nothing_to_do() -> None:
    runs = trained(submitted())
    before = list(Run.objects.values())
    for _ in runs:
        train_next("cpu")
    assert list(Run.objects.values()) == before


@pytest.fixture
def flushed(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The runs whose members were flushed, in order; the flush at a member's end is not among them."""
    run_ids: list[int] = []
    flush = Member.flush

    def noting(member: Member) -> None:
        run_ids.append(member.run_id)
        flush(member)

    monkeypatch.setattr(Member, "flush", noting)
    return run_ids


def test_members_are_flushed_in_turn(monkeypatch: pytest.MonkeyPatch, flushed: list[int]) -> None:
    write_at_once(monkeypatch)
    runs = submitted(training={"steps": 3000})
    trained(runs)
    assert len(flushed) >= 6
    assert flushed[:6] == [run.pk for run in runs] * 2


def test_flushes_wait_until_they_take_a_small_share_of_the_time(
    monkeypatch: pytest.MonkeyPatch, flushed: list[int]
) -> None:
    write_at_once(monkeypatch)
    monkeypatch.setattr(company, "FLUSH_SHARE", 1e-9)
    runs = trained(submitted(training={"steps": 3000}))
    assert flushed == [runs[0].pk]
    assert [run.steps_run for run in runs] == [3000] * 3  # each is flushed at its end all the same


@pytest.mark.django_db(transaction=True)
def test_one_heart_beats_for_all_members(monkeypatch: pytest.MonkeyPatch) -> None:
    runs = submitted()
    soon = timezone.now() + timedelta(seconds=2)
    due, beaten = threading.Event(), threading.Event()
    beat = lifecycle.beat
    counts: list[int] = []
    leases: list[Any] = []

    def counting(claims: Claims) -> int:
        assert due.wait(20)
        counts.append(beat(claims))
        monkeypatch.setattr(lifecycle, "HEARTBEAT", timedelta(minutes=1))
        beaten.set()
        return counts[-1]

    def preparing(*arguments: Any) -> Any:
        Run.objects.update(lease_until=soon)
        due.set()
        assert beaten.wait(20)
        leases.extend(Run.objects.values_list("lease_until", flat=True))
        return prepare(*arguments)

    monkeypatch.setattr(lifecycle, "HEARTBEAT", timedelta(milliseconds=5))
    monkeypatch.setattr(lifecycle, "beat", counting)
    monkeypatch.setattr(attempt, "prepare", preparing)
    assert statuses(trained(runs)) == [Status.FINISHED] * 3
    assert counts == [3]
    assert min(leases) > soon
