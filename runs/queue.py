"""The queue: wake-ups for the workers, and the reconciler that mends what broker and workers lost.

The rows are the queue. A message only wakes one process of a queue's workers, which takes the first run that
waits there and, when it is done with it, wakes the next: so few messages are under way, however many runs
wait, and a run that is moved or paused needs no message to be found and taken back.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from functools import partial
from typing import TYPE_CHECKING, Any

from django.db import transaction
from django.db.models import Count
from kombu.exceptions import OperationalError

from nnlab.celery import app
from runs import lifecycle, workers
from runs.models import Run, Status
from runs.models.runs import Queue

if TYPE_CHECKING:
    from django.db.models import QuerySet

logger = logging.getLogger(__name__)

TRAIN_TASK = "runs.train_next"


def wake(queues: Iterable[str] | None = None) -> int:
    """Wake as many processes as have something to take. Returns how many wake-ups the broker took.

    A broker that is away is logged, not raised: the rows are committed, and ``reconcile`` wakes later.

    Args:
        queues: None for all.
    """
    return sum(send(queue, min(runs, live_workers(queue))) for queue, runs in _waiting(queues).items())


def wake_next(queue: str) -> None:
    """Pass a wake-up on, where something waits that another process may take."""
    if _waiting([queue]):
        send(queue)


def wake_on_commit(queues: Iterable[str] | None = None) -> None:
    """Wake processes once what they shall find is committed."""
    transaction.on_commit(partial(wake, queues))


def resume(runs: QuerySet[Run]) -> int:
    """Let paused runs go on, and wake workers for them. Returns how many were paused."""
    with transaction.atomic():
        resumed = lifecycle.resume_all(runs)
        wake_on_commit()
    return resumed


def retry(runs: QuerySet[Run]) -> int:
    """Put failed and cancelled runs back into the queue, and wake workers for them. Returns how many."""
    with transaction.atomic():
        queued = lifecycle.requeue_all(runs)
        wake_on_commit()
    return queued


def reconcile(*, judging: bool = True) -> None:
    """Take runs away from silent workers, and wake workers for what waits where no wake-up is under way.

    A wake-up too many is harmless: it finds nothing to take.

    Args:
        judging: False where the database was away a moment ago: then workers could not be heard, and a lease
            that ran out says nothing.
    """
    if judging:
        _judge_the_silent()
    lifecycle.settle_lost()
    wake([queue for queue in _waiting() if waiting_messages(queue) == 0])


def send(queue: str, messages: int = 1) -> int:
    """Send wake-ups to a queue. Returns how many the broker took."""
    sent = 0
    try:
        for _ in range(messages):
            app.send_task(TRAIN_TASK, args=[queue], queue=queue, retry=False)
            sent += 1
    except OperationalError as error:
        logger.warning("the broker does not answer (%s); the runs stay queued, their wake-up comes", error)
    return sent


def waiting_messages(queue: str) -> int | None:
    """Count the messages that wait in one of the broker's queues; None where the broker does not answer."""
    with app.connection_for_read() as connection:
        away: tuple[type[BaseException], ...] = (OperationalError, *connection.connection_errors)
        try:
            connection.ensure_connection(max_retries=0)
            channel: Any = connection.channel()  # of the Redis transport, which its stub does not know
            return int(channel.client.llen(queue))
        except away:
            return None


def live_workers(queue: str = Queue.CPU) -> int:
    """Count the processes that take runs from a queue, on all hosts, as their heartbeats say.

    1, which is the caller or who comes next, where none was heard.
    """
    return max(1, workers.processes(queue))


def _judge_the_silent() -> None:
    lost, gone = lifecycle.mark_lost(), workers.mark_gone()
    if lost:
        logger.warning("%s run(s) lost their worker", lost)
    if gone:
        logger.warning("%s worker(s) are gone", gone)


def _waiting(queues: Iterable[str] | None = None) -> dict[str, int]:
    """Count the runs that wait, by queue."""
    waiting = Run.objects.filter(status=Status.QUEUED)
    if queues is not None:
        waiting = waiting.filter(queue__in=list(queues))
    return dict(waiting.order_by().values_list("queue").annotate(runs=Count("pk")))
