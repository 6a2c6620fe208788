"""The queue: wake-ups for the workers, and the reconciler that mends what broker and workers lost."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable
from datetime import timedelta
from typing import Any

from django.db.models import Q
from django.utils import timezone
from kombu.exceptions import OperationalError

from nnlab.celery import app
from runs import lifecycle, workers
from runs.models import Run, Status

logger = logging.getLogger(__name__)

TRAIN_TASK = "runs.train_run"
WAKE_UP_AGE = timedelta(seconds=30)
_UPDATE_BATCH = 500  # under SQLite's bound on the parameters of a query


def publish(run_ids: Iterable[int]) -> int:
    """Send wake-ups for queued runs. Returns how many the broker took.

    A broker that is away is logged, not raised: the rows are committed, and ``reconcile`` publishes later.
    """
    sent: list[int] = []
    try:
        for run_id in run_ids:
            app.send_task(TRAIN_TASK, args=[run_id], retry=False)
            sent.append(run_id)
    except OperationalError as error:
        logger.warning("the broker does not answer (%s); the runs stay queued and are published later", error)
    for start in range(0, len(sent), _UPDATE_BATCH):
        batch = sent[start : start + _UPDATE_BATCH]
        Run.objects.filter(pk__in=batch).update(published_at=timezone.now())
    return len(sent)


def reconcile(*, judging: bool = True) -> None:
    """Take runs away from silent workers, and send every queued run a wake-up that it lacks.

    Args:
        judging: False where the database was away a moment ago: then workers could not be heard, and a lease
            that ran out says nothing.
    """
    if judging:
        _judge_the_silent()
    lifecycle.settle_lost()
    publish(_unpublished())


def _judge_the_silent() -> None:
    lost, gone = lifecycle.mark_lost(), workers.mark_gone()
    if lost:
        logger.warning("%s run(s) lost their worker", lost)
    if gone:
        logger.warning("%s worker(s) are gone", gone)


def forget_wake_ups(run_ids: Collection[int] | None = None) -> None:
    """Let ``reconcile`` send queued runs a wake-up again.

    Args:
        run_ids: whose was of no use; None for all, where the broker that held them has ended.
    """
    waiting = Run.objects.filter(status=Status.QUEUED)
    if run_ids is not None:
        waiting = waiting.filter(pk__in=run_ids)
    waiting.update(published_at=None)


def _unpublished() -> list[int]:
    """Return queued runs whose wake-up was never sent, or was lost.

    As long as the broker holds messages, waiting runs have theirs; only once it is empty are old wake-ups
    known to be gone. A wake-up too many is harmless: its claim fails.
    """
    waiting = Run.objects.awaiting_worker()
    never = Q(published_at=None)
    stale = never | Q(published_at__lt=timezone.now() - WAKE_UP_AGE)
    return list(waiting.filter(stale if waiting_messages() == 0 else never).values_list("pk", flat=True))


def waiting_messages() -> int | None:
    """Count the messages in the broker's queue; None where the broker does not answer."""
    with app.connection_for_read() as connection:
        away: tuple[type[BaseException], ...] = (OperationalError, *connection.connection_errors)
        try:
            connection.ensure_connection(max_retries=0)
            channel: Any = connection.channel()  # of the Redis transport, which its stub does not know
            return int(channel.client.llen(app.conf.task_default_queue))
        except away:
            return None


def live_workers() -> int:
    """Count the processes that take runs from the queue, on all hosts, as their heartbeats say.

    1, which is the caller, where none was heard.
    """
    return max(1, workers.processes(app.conf.task_default_queue))
