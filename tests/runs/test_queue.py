"""The queue: wake-ups, and the reconciler that mends what broker and workers lost."""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from kombu.exceptions import OperationalError

from nnlab.celery import app
from runs import lifecycle, queue
from runs.models import Run, Status
from tests.runs.builders import build_finished_run, build_run, build_running_run

pytestmark = pytest.mark.django_db


class Broker:
    """Stands in for the broker, which the tests of this tier do not start; it may go away."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.sent: list[int] = []
        self.room = 10**9
        self.waiting: int | None = 0
        monkeypatch.setattr(app, "send_task", self.send)
        monkeypatch.setattr(queue, "waiting_messages", lambda: self.waiting)

    def send(self, name: str, args: list[int], **_: Any) -> None:
        if len(self.sent) >= self.room:
            raise OperationalError("connection refused")
        assert name == queue.TRAIN_TASK
        self.sent.extend(args)


@pytest.fixture
def broker(monkeypatch: pytest.MonkeyPatch) -> Broker:
    return Broker(monkeypatch)


def long_ago() -> Any:
    return timezone.now() - queue.WAKE_UP_AGE - timedelta(seconds=1)


def test_a_published_run_is_marked(broker: Broker) -> None:
    run, other = build_run(), build_run()
    assert queue.publish([run.pk]) == 1
    assert broker.sent == [run.pk]
    run.refresh_from_db()
    other.refresh_from_db()
    assert run.published_at is not None
    assert other.published_at is None


def test_what_a_dying_broker_did_not_take_stays_unpublished(
    broker: Broker, caplog: pytest.LogCaptureFixture
) -> None:
    broker.room = 2
    runs = [build_run() for _ in range(5)]
    with caplog.at_level(logging.WARNING, "runs.queue"):
        assert queue.publish(run.pk for run in runs) == 2
    assert Run.objects.filter(published_at=None, status=Status.QUEUED).count() == 3
    assert "connection refused" in caplog.text

    broker.room = 10**9
    queue.reconcile()
    assert sorted(broker.sent) == [run.pk for run in runs]


def test_many_runs_are_marked_at_once(broker: Broker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queue, "_UPDATE_BATCH", 2)
    runs = [build_run() for _ in range(5)]
    queue.publish(run.pk for run in runs)
    assert not Run.objects.filter(published_at=None).exists()


def test_only_waiting_runs_are_woken(broker: Broker) -> None:
    build_running_run()
    build_finished_run()
    queue.reconcile()
    assert broker.sent == []


@pytest.mark.parametrize(
    ("waiting", "woken"), [(0, True), (3, False), (None, False)], ids=["empty", "holds messages", "away"]
)
def test_an_old_wake_up_is_sent_again_only_where_the_broker_holds_none(
    broker: Broker, waiting: int | None, woken: bool
) -> None:
    broker.waiting = waiting
    run = build_run(published_at=long_ago())
    queue.reconcile()
    assert (broker.sent == [run.pk]) is woken


def test_a_fresh_wake_up_is_given_its_time(broker: Broker) -> None:
    build_run(published_at=timezone.now())
    queue.reconcile()
    assert broker.sent == []


def test_the_run_of_a_silent_worker_is_woken_again(broker: Broker, caplog: pytest.LogCaptureFixture) -> None:
    run = build_running_run(lease_until=timezone.now() - timedelta(seconds=1), published_at=timezone.now())
    with caplog.at_level(logging.WARNING, "runs.queue"):
        queue.reconcile()
    run.refresh_from_db()
    assert (run.status, run.attempt, broker.sent) == (Status.QUEUED, 1, [run.pk])
    assert "1 run(s) lost their worker" in caplog.text


def test_two_reconcilers_do_no_harm(broker: Broker) -> None:
    run = build_run()
    queue.reconcile()
    queue.reconcile()
    assert broker.sent == [run.pk]
    assert lifecycle.claim(run.pk, "host-1:42")
    assert not lifecycle.claim(run.pk, "host-1:43")


def test_a_broker_that_is_away_holds_an_unknown_number_of_messages(monkeypatch: pytest.MonkeyPatch) -> None:
    naps: list[float] = []
    monkeypatch.setattr("kombu.utils.functional.sleep", naps.append)
    assert queue.waiting_messages() is None
    assert sum(naps) < 0.1
