"""``nnlab scheduler``: mends what broker and workers lost, sends notices, empties the trash."""

from __future__ import annotations

import logging
import signal
import threading
from time import monotonic
from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.db import close_old_connections, connection

from nnlab import healthcheck
from runs import keeping, lifecycle, queue, retention
from runs.notices import sending
from runs.outside import summary
from runs.questions import advancing
from runs.searching import proposing
from runs.store.outage import AWAY
from runs.store.statistics import Upkeep
from runs.uploading.readers import Readers

logger = logging.getLogger(__name__)

# That the database has to be there before silent workers are judged: two heartbeats, which each may send.
HEARD_SECONDS = 2 * lifecycle.HEARTBEAT.total_seconds()
PURGE_SECONDS = 1.0  # of one look, so that the leases are still looked at in time


class Command(BaseCommand):
    """Runs the reconciler until it is told to stop. More than one at a time does no harm."""

    help = "Re-queue the runs of silent workers, publish what the broker lost, send notices, empty the trash."

    def add_arguments(self, parser: CommandParser) -> None:
        """Take the pause between two looks."""
        parser.add_argument("--every", type=float, default=5.0, help="seconds between two looks (default 5)")

    def handle(self, *args: Any, **options: Any) -> None:
        """Look, pause, look again."""
        stopping = threading.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: stopping.set())
        reached_since = monotonic()
        upkeep, courier, sweeper, readers = Upkeep(), _Courier(), keeping.Sweeper(), Readers()
        while True:
            healthcheck.show_life("scheduler")
            try:
                summary.refresh_silent()
                queue.reconcile(judging=monotonic() - reached_since > HEARD_SECONDS)
                _empty_trash()
                upkeep.look()
                sweeper.look()
                courier.look()
                proposing.propose_all()
                advancing.answer_all()
            except AWAY as error:
                logger.warning("the database does not answer: %s", error)
                close_old_connections()
                reached_since = monotonic()
            if readers.rest(stopping, options["every"]):
                return


class _Courier:
    """Sends notices beside the scheduler's own work: whom they go to may be slow.

    Workers do not send them: one that trains for hours would bring its alerts when it is too late.
    """

    def __init__(self) -> None:
        self._thread: threading.Thread | None = None

    def look(self) -> None:
        """Begin a round where something is due and no round is under way."""
        if (self._thread is None or not self._thread.is_alive()) and sending.is_due():
            self._thread = threading.Thread(target=_send, name="notices", daemon=True)
            self._thread.start()


def _send() -> None:
    try:
        sending.send_due()
    except AWAY as error:
        logger.warning("notices wait, the database does not answer: %s", error)
    finally:
        connection.close()


def _empty_trash() -> None:
    """Purge what was long in the trash, and go on with purges that were cut off."""
    retention.begin_purge_of_expired()
    freed = retention.purge(PURGE_SECONDS)
    if freed.runs:
        logger.info("%s deleted run(s) purged, %s bytes freed", freed.runs, freed.bytes)
