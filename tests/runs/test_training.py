"""A worker's attempt at a single run, from claim to end, with the real engine on real data."""

from __future__ import annotations

import logging
import threading
import time
import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from celery.exceptions import SoftTimeLimitExceeded
from django.db import OperationalError
from django.utils import timezone

from nnlab.celery import app
from nnlab.data.preparation import prepare
from runs import lifecycle, submission
from runs.lifecycle import Claims
from runs.models import Run, Series, Status
from runs.reading.series import read_series
from runs.tasks import train_next
from runs.training import attempt, company
from runs.training.heartbeat import heartbeat
from tests.runs.builders import build_run, build_running_run
from tests.runs.submissions import build_submission
from tests.runs.watching import interfere, write_at_once

pytestmark = pytest.mark.django_db

LONG = {"steps": 1_000_000}


def submitted(**changes: Any) -> Run:
    return submission.submit(submission.parse(build_submission(**changes)), None).runs.get()


def trained(run: Run) -> Run:
    train_next("cpu")
    run.refresh_from_db()
    return run


def test_a_run_trains_to_its_end() -> None:
    run = trained(submitted(training={"epochs": 10, "steps": None, "width": 16}, seeds=[3]))
    assert (run.status, run.stop_reason, run.error) == (Status.FINISHED, "end", "")
    assert (run.attempt, run.token, run.lease_until) == (1, None, None)
    assert run.steps_run == run.steps_requested == 30
    assert run.progress == 1.0
    (loss,) = read_series([run.pk], ["train_loss"])
    assert loss.steps.tolist() == list(range(1, 31))
    (accuracy,) = read_series([run.pk], ["val_accuracy"])
    assert accuracy.steps.tolist() == list(range(0, 31, 3))
    assert run.headline == "val_accuracy"
    assert run.score is not None
    assert run.score == accuracy.values[-1] == run.summary["val_accuracy"]
    assert run.score > 0.5
    assert run.worker


def test_a_run_that_stops_early_finishes_with_the_score_of_its_best_network() -> None:
    settings = {
        "epochs": 200,
        "steps": None,
        "learning_rate": 0.1,
        "early_stopping_epochs": 3,
        "batch_size": 8,
    }
    run = trained(submitted(training=settings))
    assert (run.status, run.stop_reason) == (Status.FINISHED, "early stop")
    assert 0 < run.steps_run < (run.steps_requested or 0)
    losses, accuracy = read_series([run.pk], ["val_loss", "val_accuracy"])
    assert losses.values[-1] == losses.values[1:].min()
    assert run.score == accuracy.values[-1]


def test_a_regressions_score_is_in_the_targets_unit() -> None:
    run = trained(
        submitted(data={"dataset": "california_housing"}, training={"steps": 300, "batch_size": 64})
    )
    assert run.status == Status.FINISHED
    assert run.headline == "val_rmse"
    assert run.info["target_unit"] == "USD"
    assert run.score is not None
    assert 10_000 < run.score < 200_000


def test_the_same_run_gives_the_same_points() -> None:
    first, second = (trained(submitted(training={"dropout": 0.3, "steps": 40})) for _ in range(2))
    for one, other in zip(
        read_series([first.pk], ["train_loss", "val_loss"]),
        read_series([second.pk], ["train_loss", "val_loss"]),
        strict=True,
    ):
        assert one.values.tobytes() == other.values.tobytes()


def test_a_run_that_diverges_fails_and_says_where_and_when() -> None:
    settings = {"optimizer": "sgd", "learning_rate": 1e8, "steps": 200, "depth": 2, "width": 16}
    run = trained(submitted(data={"dataset": "california_housing"}, training=settings))
    assert (run.status, run.stop_reason) == (Status.FAILED, "diverged")
    assert run.diverged
    assert run.error.startswith("Diverged: the ")
    assert " of hidden " in run.error or " of output " in run.error
    assert f"stopped being finite at step {run.steps_run:,}." in run.error
    assert "The last finite loss was" in run.error
    assert run.alerts.filter(check_id="nonfinite", severity="critical").exists()


def test_a_sick_network_gets_its_alert() -> None:
    settings = {"hidden_units": [32, 32, 32, 32, 32], "activation": "sigmoid", "optimizer": "sgd"}
    mapping = {
        **build_submission(data={"dataset": "digits"}),
        "training": {**settings, "learning_rate": 0.05, "epochs": 6},
    }
    run = trained(submission.submit(submission.parse(mapping), None).runs.get())
    assert run.status == Status.FINISHED
    assert run.alerts.filter(check_id="vanishing").exists()


def test_a_second_delivery_of_a_wake_up_does_nothing() -> None:
    trained(submitted())
    before = Run.objects.values().get()
    train_next("cpu")
    assert Run.objects.values().get() == before


def test_a_wake_up_for_a_run_that_another_worker_holds_does_nothing() -> None:
    run = build_running_run()
    train_next("cpu")
    assert not Series.objects.exists()
    assert Run.objects.get().token == run.token


def test_a_wake_up_where_nothing_waits_does_nothing() -> None:
    train_next("cpu")


def test_a_cancelled_run_stops_at_the_next_look(monkeypatch: pytest.MonkeyPatch) -> None:
    write_at_once(monkeypatch)
    run = submitted(training=LONG)
    pulled = interfere(monkeypatch, lambda: lifecycle.cancel(run.pk), at=3)
    run = trained(run)
    assert (run.status, run.stop_reason) == (Status.CANCELLED, "cancelled")
    assert len(pulled) == 4
    assert run.steps_run == pulled[-1].last_step
    assert Series.objects.get(metric="train_loss").points == run.steps_run


def test_a_run_that_ends_before_it_notices_the_wish_to_stop_has_finished(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run = submitted()
    interfere(monkeypatch, lambda: lifecycle.cancel(run.pk), at=1)
    assert trained(run).status == Status.FINISHED


def test_a_run_that_was_taken_stops_writing(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    write_at_once(monkeypatch)
    run = submitted(training=LONG)
    other = uuid.uuid4()
    points: list[int] = []

    def take() -> None:
        points.extend(Series.objects.filter(metric="train_loss").values_list("points", flat=True))
        Run.objects.update(token=other, worker="host-2:7")

    pulled = interfere(monkeypatch, take)
    with caplog.at_level(logging.WARNING, "runs.training.attempt"):
        run = trained(run)
    assert (run.status, run.token, run.worker) == (Status.RUNNING, other, "host-2:7")
    assert list(Series.objects.filter(metric="train_loss").values_list("points", flat=True)) == points
    assert len(pulled) == 4
    assert "is no longer ours" in caplog.text


def test_the_next_attempt_begins_anew_and_leaves_no_point_doubled(monkeypatch: pytest.MonkeyPatch) -> None:
    write_at_once(monkeypatch)
    run = submitted(training={"steps": 60})

    def fall_silent() -> None:
        Run.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
        lifecycle.mark_lost()
        lifecycle.settle_lost()

    with monkeypatch.context() as attempt:
        interfere(attempt, fall_silent, at=1)
        train_next("cpu")
    assert Run.objects.get().status == Status.QUEUED
    assert read_series([run.pk], ["val_loss"])

    run = trained(run)
    assert (run.status, run.attempt) == (Status.FINISHED, 2)
    (loss,) = read_series([run.pk], ["train_loss"])
    assert loss.steps.tolist() == list(range(1, 61))
    assert Series.objects.get(metric="train_loss").points == 60


def test_a_dataset_that_is_gone_fails_the_run_and_wakes_nobody() -> None:
    run = trained(build_run(data={"dataset": "gone.csv"}))
    assert (run.status, run.stop_reason) == (Status.FAILED, "error")
    assert "no file 'gone.csv'" in run.error


@pytest.mark.parametrize(
    ("part", "change", "message"),
    [
        ("training", {"learning_rate": -1}, "learning_rate: expected a number above 0"),
        ("training", {"momentun": 0.9}, "did you mean momentum?"),
        ("training", {"batch_size": 5000}, "batch_size: expected at most"),
        ("data", {"recipe": "lab9"}, "expected a recipe of 'digits'"),
    ],
)
def test_a_configuration_that_cannot_be_run_fails_in_the_engines_words(
    part: str, change: dict[str, Any], message: str
) -> None:
    run = build_run()
    run.config[part].update(change)
    run.save()
    run = trained(run)
    assert (run.status, run.stop_reason) == (Status.FAILED, "error")
    assert message in run.error


def raising(error: Exception) -> Callable[..., Any]:
    def fail(*_: object, **__: object) -> Any:
        raise error

    return fail


def test_an_error_of_our_own_fails_the_run_and_is_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attempt, "prepare", raising(RuntimeError("out of paper")))
    run = submitted()
    with pytest.raises(RuntimeError, match="out of paper"):
        train_next("cpu")
    run.refresh_from_db()
    assert (run.status, run.stop_reason, run.error) == (Status.FAILED, "error", "RuntimeError: out of paper")


def test_a_run_that_takes_too_long_fails_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attempt, "prepare", raising(SoftTimeLimitExceeded()))
    run = trained(submitted())
    assert (run.status, run.stop_reason) == (Status.FAILED, "time limit")
    assert f"longer than {app.conf.task_soft_time_limit:,} s" in run.error


def test_no_heartbeat_is_left_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    trained(submitted())
    monkeypatch.setattr(attempt, "prepare", raising(SoftTimeLimitExceeded()))
    trained(submitted())
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("heartbeat")]


@pytest.fixture
def beats(monkeypatch: pytest.MonkeyPatch) -> threading.Semaphore:
    """Let the heart beat every few milliseconds; each beat that returned releases the semaphore once."""
    counted = threading.Semaphore(0)
    beat = lifecycle.beat

    def counting(claims: Claims) -> int:
        try:
            return beat(claims)
        finally:
            counted.release()

    monkeypatch.setattr(lifecycle, "HEARTBEAT", timedelta(milliseconds=5))
    monkeypatch.setattr(lifecycle, "beat", counting)
    return counted


@pytest.mark.django_db(transaction=True)
def test_the_heartbeat_prolongs_the_lease_while_a_step_takes_long(
    monkeypatch: pytest.MonkeyPatch, beats: threading.Semaphore
) -> None:
    run = submitted()
    ended: list[Run] = []

    def slowly(*arguments: Any) -> Any:
        assert all(beats.acquire(timeout=20) for _ in range(4))
        monkeypatch.setattr(lifecycle, "HEARTBEAT", timedelta(minutes=1))
        while beats.acquire(timeout=0.2):  # the database of the tests has no room for two at a time
            pass
        return prepare(*arguments)

    def ending(run_id: int, token: uuid.UUID, reason: str) -> bool:
        ended.append(Run.objects.get(token=token))
        return finish(run_id, token, reason)

    finish = lifecycle.finish
    monkeypatch.setattr(attempt, "prepare", slowly)
    monkeypatch.setattr(lifecycle, "finish", ending)
    assert trained(run).status == Status.FINISHED
    (held,) = ended
    assert held.lease_until is not None
    assert held.started_at is not None
    assert held.lease_until - lifecycle.LEASE - held.started_at > timedelta(milliseconds=15)


@pytest.mark.django_db(transaction=True)
def test_the_heartbeat_ends_by_itself_when_the_run_was_taken(beats: threading.Semaphore) -> None:
    run = build_running_run()
    with heartbeat({run.pk: uuid.uuid4()}):
        assert beats.acquire(timeout=20)
        for thread in threading.enumerate():
            if thread.name == f"heartbeat-{run.pk}":
                thread.join(timeout=20)
                assert not thread.is_alive()
    assert not beats.acquire(blocking=False)


@pytest.mark.django_db(transaction=True)
def test_the_heartbeat_outlives_a_database_that_is_away_for_a_while(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    run = build_running_run()
    answers: list[Any] = [OperationalError("gone"), OperationalError("gone"), 1]
    recovered = threading.Event()

    def beat(claims: Claims) -> int:
        answer = answers.pop(0) if answers else 1
        if isinstance(answer, Exception):
            raise answer
        recovered.set()
        return len(claims)

    monkeypatch.setattr(lifecycle, "HEARTBEAT", timedelta(milliseconds=1))
    monkeypatch.setattr(lifecycle, "beat", beat)
    with caplog.at_level(logging.WARNING, "runs.training.heartbeat"), heartbeat({run.pk: uuid.uuid4()}):
        assert recovered.wait(20)
    assert caplog.text.count("heartbeat of 1 run(s) failed") == 2


@pytest.mark.django_db(transaction=True)
def test_a_run_is_cancelled_while_a_step_takes_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("runs.training.heartbeat.HELD_UP_SECONDS", 0.01)
    monkeypatch.setattr("runs.training.heartbeat.LOOK_SECONDS", 0.01)
    run = submitted(training=LONG)
    during: list[str] = []

    def step_long() -> None:
        lifecycle.cancel(run.pk)
        for _ in range(500):
            status = Run.objects.values_list("status", flat=True).get(pk=run.pk)
            if status == Status.CANCELLED:
                break
            time.sleep(0.02)
        during.append(status)

    interfere(monkeypatch, step_long, at=3)
    monkeypatch.setattr(company, "FLUSH_SECONDS", 0.0)
    run = trained(run)
    assert during == [Status.CANCELLED]
    assert (run.status, run.stop_reason, run.token) == (Status.CANCELLED, "cancelled", None)
