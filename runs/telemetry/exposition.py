"""All metrics in the text format of Prometheus."""

from __future__ import annotations

import logging
from collections.abc import Iterator

from django.db import DatabaseError
from prometheus_client import Metric
from prometheus_client.exposition import choose_encoder

from nnlab import traffic
from runs import queue, workers
from runs.models import Queue
from runs.telemetry import history, standing
from runs.telemetry.families import gauge, gauges

logger = logging.getLogger(__name__)


class _Scrape:
    """What one scrape is told; of the form that the encoders ask for."""

    def collect(self) -> Iterator[Metric]:
        """Give every family; those of a part that is away are left out, and the part is told to be down."""
        code = workers.code()
        yield gauges("nnlab_build_info", "What runs in this process.", tuple(code), {tuple(code.values()): 1})
        yield from _of_database()
        yield from _of_broker()
        yield from traffic.counts()


def exposition(accepted: str) -> tuple[bytes, str]:
    """Return the metrics, and the type of their text.

    Args:
        accepted: the Accept header of who asks.
    """
    encode, kind = choose_encoder(accepted)
    return encode(_Scrape()), kind


def _of_database() -> Iterator[Metric]:
    try:
        found = [*standing.families(), *history.families()]
    except DatabaseError as error:
        logger.warning("the database does not answer: %s", error)
        found = []
    yield gauge("nnlab_database_up", "Whether the database answers.", bool(found))
    yield from found


def _of_broker() -> Iterator[Metric]:
    waiting: dict[tuple[str, ...], float] = {}
    for name in Queue.values:
        messages = queue.waiting_messages(name)
        if messages is None:
            break  # the others need not be waited for
        waiting[name,] = messages
    yield gauge("nnlab_broker_up", "Whether the broker answers.", len(waiting) == len(Queue.values))
    text = "Wake-ups that wait in the broker; the runs that wait are in nnlab_queue_depth."
    yield gauges("nnlab_broker_messages", text, ("queue",), waiting)
