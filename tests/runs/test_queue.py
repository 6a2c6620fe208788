"""The queue: wake-ups, and the reconciler that mends what broker and workers lost."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction
from django.utils import timezone
from kombu.exceptions import OperationalError

from nnlab.celery import app
from runs import lifecycle, queue
from runs.models import Queue, Run, Status, Worker
from runs.workers import code
from tests.runs.builders import build_finished_run, build_run, build_running_run

pytestmark = pytest.mark.django_db


class Broker:
    """Stands in for the broker, which the tests of this tier do not start; it may go away."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.sent: list[str] = []
        self.room = 10**9
        self.waiting: int | None = 0
        monkeypatch.setattr(app, "send_task", self.send)
        monkeypatch.setattr(queue, "waiting_messages", lambda _: self.waiting)

    def send(self, name: str, args: list[str], queue: str, **_: Any) -> None:
        if len(self.sent) >= self.room:
            raise OperationalError("connection refused")
        assert (name, args) == ("runs.train_next", [queue])
        self.sent.append(queue)


@pytest.fixture
def broker(monkeypatch: pytest.MonkeyPatch) -> Broker:
    return Broker(monkeypatch)


def build_worker(processes: int, *queues: str) -> None:
    Worker.objects.create(
        host="host-1", pid=1, queues=queues, concurrency=processes, versions=code(), cores=processes
    )


def test_as_many_processes_are_woken_as_there_are_runs_for(broker: Broker) -> None:
    build_worker(4, "cpu")
    for _ in range(3):
        build_run()
    assert queue.wake() == 3


def test_ten_thousand_runs_wake_no_more_processes_than_there_are(broker: Broker) -> None:
    build_worker(2, "cpu")
    for _ in range(5):
        build_run()
    assert queue.wake() == 2


def test_each_queue_wakes_its_own_workers(broker: Broker) -> None:
    build_worker(8, "cpu")
    build_run()
    build_run(queue=Queue.GPU)
    build_run(queue=Queue.GPU)
    queue.wake()
    assert sorted(broker.sent) == [
        "cpu",
        "gpu",
    ]  # no worker is known that takes gpu: one is woken, if it comes
    broker.sent.clear()
    queue.wake(["gpu"])
    assert broker.sent == ["gpu"]


def test_runs_that_do_not_wait_wake_nobody(broker: Broker) -> None:
    build_running_run()
    build_finished_run()
    build_run(status=Status.PAUSED)
    assert queue.wake() == 0
    queue.wake_next("cpu")
    queue.reconcile()
    assert broker.sent == []


def test_a_wake_up_is_passed_on_while_something_waits(broker: Broker) -> None:
    build_run()
    queue.wake_next("gpu")
    assert broker.sent == []
    queue.wake_next("cpu")
    assert broker.sent == ["cpu"]


def test_a_dying_broker_takes_what_it_can(broker: Broker, caplog: pytest.LogCaptureFixture) -> None:
    broker.room = 2
    with caplog.at_level(logging.WARNING, "runs.queue"):
        assert queue.send("cpu", 5) == 2
    assert "connection refused" in caplog.text


@pytest.mark.parametrize(
    ("waiting", "woken"), [(0, ["cpu"]), (3, []), (None, [])], ids=["empty", "holds messages", "away"]
)
def test_the_reconciler_wakes_only_where_no_wake_up_is_under_way(
    broker: Broker, waiting: int | None, woken: list[str]
) -> None:
    broker.waiting = waiting
    build_run()
    queue.reconcile()
    assert broker.sent == woken


def test_the_run_of_a_silent_worker_is_woken_again(broker: Broker, caplog: pytest.LogCaptureFixture) -> None:
    run = build_running_run(lease_until=timezone.now() - timedelta(seconds=1))
    with caplog.at_level(logging.WARNING, "runs.queue"):
        queue.reconcile()
    run.refresh_from_db()
    assert (run.status, run.attempt, broker.sent) == (Status.QUEUED, 1, ["cpu"])
    assert "1 run(s) lost their worker" in caplog.text


@pytest.mark.parametrize(("act", "status"), [(queue.resume, Status.PAUSED), (queue.retry, Status.CANCELLED)])
def test_who_lets_runs_go_on_wakes_a_worker_once_that_is_committed(
    broker: Broker,
    django_capture_on_commit_callbacks: Any,
    act: Callable[[Any], int],
    status: Status,
) -> None:
    ended = timezone.now() if status is Status.CANCELLED else None
    run = build_run(status=status, ended_at=ended)
    with django_capture_on_commit_callbacks(execute=True), transaction.atomic():
        assert act(Run.objects.filter(pk=run.pk)) == 1
        assert broker.sent == []
    assert broker.sent == ["cpu"]


def test_two_reconcilers_do_no_harm(broker: Broker) -> None:
    run = build_run()
    queue.reconcile()
    queue.reconcile()
    assert lifecycle.claim(run.pk, "host-1:42")
    assert not lifecycle.claim(run.pk, "host-1:43")


def test_a_broker_that_is_away_holds_an_unknown_number_of_messages(monkeypatch: pytest.MonkeyPatch) -> None:
    naps: list[float] = []
    monkeypatch.setattr("kombu.utils.functional.sleep", naps.append)
    assert queue.waiting_messages("cpu") is None
    assert sum(naps) < 0.1
