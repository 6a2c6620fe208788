"""How the points of an attempt reach the database: each batch once, in order, and later where it is away.

While the database does not answer, batches wait in a folder of this host (in memory where the disk is full),
at most 64 MB of them: beyond that every second point of the long series is left out, and the run says so.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from shutil import rmtree
from time import monotonic
from uuid import UUID

from django.conf import settings
from django.db import connection, transaction

from nnlab.client.backlog import LIMIT, Backlog
from nnlab.client.spool import Spool
from nnlab.series.batch import Key, Points, decode_batch
from runs.models import Ledger
from runs.store import writers
from runs.store.outage import AWAY
from runs.store.writing import write

logger = logging.getLogger(__name__)

CATCH_UP_SECONDS = 0.5  # of one flush, for what has waited: training goes on between flushes


class Delivery:
    """Writes the batches of one attempt at a run.

    A batch whose commit was cut off may have been stored or not; it keeps its number, by which the store
    knows it when it comes again.

    Args:
        run_id: key of the run.
        token: of the attempt.
    """

    def __init__(self, run_id: int, token: UUID) -> None:
        self._run_id = run_id
        self._writer = str(token)
        self._next = 0
        self._backlog: Backlog | None = None
        self._spool: Spool | None = None

    def deliver(
        self,
        points: Mapping[Key, Points],
        guard: Callable[[], None],
        news: Callable[[], None],
        *,
        final: bool = False,
    ) -> bool:
        """Write points, and with them what else is new of the run; False where the database is away.

        Args:
            points: of the run, since the last delivery. They are kept here until they are written.
            guard: begins every transaction; raises where the run is no longer this attempt's.
            news: writes what else is new, once all points are written.
            final: no points come after these.
        """
        if self._backlog is not None:
            self._backlog.add_points(points)
            return self._catch_up(guard, news, final=final)
        try:
            with transaction.atomic():
                guard()
                self._store(self._next, points, 0, final=final)
                news()
        except AWAY as error:
            self._wait(error)
            self._fall_behind().add_points(points)
            return False
        self._next += 1
        return True

    def abandon(self) -> None:
        """Let go what waits: the run is somebody else's now, who may have removed the folder already."""
        if self._spool is not None:
            with suppress(FileNotFoundError):
                self._spool.remove()
        self._backlog = self._spool = None

    def _catch_up(self, guard: Callable[[], None], news: Callable[[], None], *, final: bool) -> bool:
        """Write what has waited, as much as there is time for. Returns whether nothing waits any more."""
        backlog = self._fall_behind()
        until = monotonic() + CATCH_UP_SECONDS
        try:
            while (record := backlog.head()) is not None:
                if monotonic() > until:
                    return False
                with transaction.atomic():
                    guard()
                    self._store(record.number, decode_batch(record.payload), record.thinned)
                self._next = record.number + 1
                backlog.done(record.number)
            with transaction.atomic():
                guard()
                write(self._run_id, {}, final=final)
                news()
        except AWAY as error:
            self._wait(error)
            return False
        logger.info("run %s: all points that waited are stored", self._run_id)
        self.abandon()
        return True

    def _store(self, number: int, points: Mapping[Key, Points], thinned: int, *, final: bool = False) -> None:
        is_new = writers.is_next(self._run_id, self._writer, number)
        write(self._run_id, points if is_new else {}, final=final)
        if thinned:
            Ledger.objects.filter(run_id=self._run_id, thinned__lt=thinned).update(thinned=thinned)

    def _fall_behind(self) -> Backlog:
        if self._backlog is None:
            self._spool = _made(self._run_id, self._writer)
            # A batch is not cut: the first may be stored already, and is known by its number as a whole.
            self._backlog = Backlog(self._spool, LIMIT, batch_limit=LIMIT, first=self._next)
        return self._backlog

    def _wait(self, error: Exception) -> None:
        connection.close()
        logger.warning("run %s: the database does not answer; its points wait: %s", self._run_id, error)


def _made(run_id: int, writer: str) -> Spool | None:
    """Make the folder of an attempt's backlog; None where the disk takes nothing."""
    try:
        return Spool.made(folder(run_id), {"writer": writer})
    except OSError as error:
        logger.warning("run %s: cannot write to disk, its points wait in memory: %s", run_id, error)
        return None


def folder(run_id: int) -> Path:
    """Name the folder of what waits of a run on this host."""
    return Path(settings.NNLAB_HOME) / "spool" / f"run-{run_id}"


def clear(run_id: int) -> None:
    """Remove what an attempt that was killed left waiting: the next one yields its points again."""
    rmtree(folder(run_id), ignore_errors=True)
