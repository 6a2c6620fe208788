"""The queue: wake-ups for the workers, and the reconciler that mends what broker and workers lost."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from datetime import timedelta
from functools import lru_cache
from time import monotonic
from typing import Any

from django.db.models import Q
from django.utils import timezone
from kombu.exceptions import OperationalError

from nnlab.celery import app
from runs import lifecycle
from runs.models import Run, Status

logger = logging.getLogger(__name__)

TRAIN_TASK = "runs.train_run"
WAKE_UP_AGE = timedelta(seconds=30)
ANSWER_SECONDS = 0.3  # that the workers have to say that they live
COUNT_SECONDS = 60.0  # that their number is believed
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
    lost = lifecycle.mark_lost() if judging else 0
    if lost:
        logger.warning("%s run(s) lost their worker", lost)
    lifecycle.settle_lost()
    publish(_unpublished())


def forget_wake_ups() -> None:
    """Let ``reconcile`` send every queued run a wake-up: the broker that held them has ended."""
    Run.objects.filter(status=Status.QUEUED).update(published_at=None)


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
    """Count the processes that take runs from the queue, on all hosts: those whose workers answer a call.

    Nobody has to configure it, and a host that comes or goes is noticed within a minute. 1, which is the
    caller, where nobody answers.
    """
    return _live_workers(int(monotonic() / COUNT_SECONDS))


@lru_cache(maxsize=1)
def _live_workers(moment: int) -> int:  # the moment names the answer that is kept
    with app.connection_for_write() as connection:
        away: tuple[type[BaseException], ...] = (OperationalError, *connection.connection_errors)
        try:
            connection.ensure_connection(max_retries=0)
            inspected = app.control.inspect(timeout=ANSWER_SECONDS, connection=connection)
            answers = inspected.stats() or {}
        except away:
            return 1
    return max(1, sum(int(answer["pool"]["max-concurrency"]) for answer in answers.values()))
