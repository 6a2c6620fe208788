"""``nnlab scheduler``: mends what broker and workers lost, and empties the trash, every few seconds."""

from __future__ import annotations

import logging
import signal
import threading
from time import monotonic
from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.db import close_old_connections

from nnlab import healthcheck
from runs import lifecycle, queue, retention
from runs.outside import summary
from runs.store.outage import AWAY
from runs.store.statistics import Upkeep

logger = logging.getLogger(__name__)

# That the database has to be there before silent workers are judged: two heartbeats, which each may send.
HEARD_SECONDS = 2 * lifecycle.HEARTBEAT.total_seconds()
PURGE_SECONDS = 1.0  # of one look, so that the leases are still looked at in time


class Command(BaseCommand):
    """Runs the reconciler until it is told to stop. More than one at a time does no harm."""

    help = "Re-queue the runs of silent workers, publish what the broker lost and empty the trash."

    def add_arguments(self, parser: CommandParser) -> None:
        """Take the pause between two looks."""
        parser.add_argument("--every", type=float, default=5.0, help="seconds between two looks (default 5)")

    def handle(self, *args: Any, **options: Any) -> None:
        """Look, pause, look again."""
        stopping = threading.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: stopping.set())
        reached_since = monotonic()
        upkeep = Upkeep()
        while True:
            healthcheck.show_life("scheduler")
            try:
                summary.refresh_silent()
                queue.reconcile(judging=monotonic() - reached_since > HEARD_SECONDS)
                _empty_trash()
                upkeep.look()
            except AWAY as error:
                logger.warning("the database does not answer: %s", error)
                close_old_connections()
                reached_since = monotonic()
            if stopping.wait(options["every"]):
                return


def _empty_trash() -> None:
    """Purge what was long in the trash, and go on with purges that were cut off."""
    retention.begin_purge_of_expired()
    freed = retention.purge(PURGE_SECONDS)
    if freed.runs:
        logger.info("%s deleted run(s) purged, %s bytes freed", freed.runs, freed.bytes)
