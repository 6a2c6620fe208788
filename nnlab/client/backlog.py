"""The queue between a training program and its server: on disk, or in memory while the disk takes nothing."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from nnlab.client.spool import Kind, Record, Spool
from nnlab.client.thinning import Thinning, halves, merged
from nnlab.series.batch import CLOCK, Key, Points, decode_batch, encode_batch, points_in

logger = logging.getLogger("nnlab.client")

LIMIT = 64 * 1024 * 1024  # bytes that may wait for one run
BATCH_LIMIT = 3 * 1024 * 1024  # bytes of one batch; the server takes 8 MB and a million points


@dataclass(frozen=True)
class _Entry:
    """A record that waits: what it is, and where."""

    number: int
    kind: Kind
    thinned: int
    size: int
    points: int  # without those of the clock
    start: int | None  # in the file; None in memory
    payload: bytes  # in memory


class Backlog:
    """What waits to be sent, in order. One thread adds, another one sends.

    A number is given to a record when it is added. The server may already have the first one, and its answer
    was lost: so that one keeps its number and its content until the server has answered.

    Args:
        spool: the folder on disk; None to wait in memory.
        limit: bytes that may wait.
        batch_limit: bytes of one record.
        first: number of the first record.
    """

    def __init__(
        self, spool: Spool | None, limit: int = LIMIT, batch_limit: int = BATCH_LIMIT, first: int = 0
    ) -> None:
        self.limit = limit
        self._spool = spool
        self._lock = threading.Lock()
        self._entries: deque[_Entry] = deque()
        self._next = first
        self._batch_limit = batch_limit
        self._thinning = Thinning()
        self._disk_told = False
        if spool is not None:
            for start, record in spool.records():
                self._entries.append(_entry(record, start))
                self._next = record.number + 1

    @property
    def points(self) -> int:
        """Points that wait."""
        with self._lock:
            return sum(entry.points for entry in self._entries)

    @property
    def lines(self) -> int:
        """Records with lines of the log that wait."""
        with self._lock:
            return sum(entry.kind is Kind.LINES for entry in self._entries)

    def __len__(self) -> int:
        return len(self._entries)

    def add_points(self, points: Mapping[Key, Points]) -> None:
        """Add what was logged, thinned if need be."""
        with self._lock:
            points = self._thinning.kept(points)
            for batch in _batches(points, self._batch_limit):
                self._add(Record(self._next, Kind.POINTS, batch, self._thinning.level))
            if sum(entry.size for entry in self._entries) > self.limit and len(self._entries) > 2:
                self._thin()

    def add(self, kind: Kind, payload: bytes) -> None:
        """Add anything else."""
        with self._lock:
            self._add(Record(self._next, kind, payload))

    def head(self) -> Record | None:
        """Return the record that is to be sent next; it stays the first until it is ``done``."""
        with self._lock:
            return self._record(self._entries[0]) if self._entries else None

    def done(self, number: int) -> None:
        """Forget the first record: the server has it, or will never take it."""
        with self._lock:
            if not self._entries or self._entries[0].number != number:
                raise AssertionError(f"expected record {number} to be the first that waits")
            self._entries.popleft()
            if not self._entries:
                self._thinning.stop()
                if self._spool is not None:
                    self._spool.empty()
            elif self._spool is not None and self._spool.size > 2 * self.limit:
                self._replace([self._record(entry) for entry in self._entries])

    def split(self) -> bool:
        """Cut all batches to at most half the size of the first one, which the server finds too large.

        Returns whether that can be done. None of them was accepted yet, so they may be numbered anew.
        """
        with self._lock:
            first = self._entries[0]
            if first.kind is not Kind.POINTS or first.points < 2:
                return False
            self._batch_limit = max(first.size // 2, 1)
            records: list[Record] = []
            for record in [self._record(entry) for entry in self._entries]:
                whole = record.kind is not Kind.POINTS or len(record.payload) <= self._batch_limit
                parts = (
                    [record.payload] if whole else _batches(decode_batch(record.payload), self._batch_limit)
                )
                for part in parts:
                    number = first.number + len(records)
                    records.append(Record(number, record.kind, part, record.thinned))
            self._next = first.number + len(records)
            self._replace(records)
            return True

    def _add(self, record: Record) -> None:
        self._next = record.number + 1
        start = None
        if self._spool is not None:
            try:
                start = self._spool.append(record)
            except OSError as error:
                self._tell_disk(error)
        self._entries.append(_entry(record, start))

    def _record(self, entry: _Entry) -> Record:
        payload = entry.payload
        if self._spool is not None and entry.start is not None:
            payload = self._spool.payload(entry.start, entry.size)
        return Record(entry.number, entry.kind, payload, entry.thinned)

    def _thin(self) -> None:
        """Halve what waits behind the first record, batches joined to larger ones."""
        first, *rest = [self._record(entry) for entry in self._entries]
        halved = self._thinning.halve([one.payload for one in rest if one.kind is Kind.POINTS])
        level = self._thinning.level
        records = [first]
        for group in _groups(rest, self._batch_limit):
            last = group[-1]
            if last.kind is Kind.POINTS:
                batch = encode_batch(merged([one.payload for one in group], halved))
                last = Record(last.number, Kind.POINTS, batch, level)
            records.append(last)
        self._replace(records)
        logger.warning(
            "more than %.0f MB wait for the server: of the long series, one point in %d is kept from now on",
            self.limit / 2**20,
            2**level,
        )

    def _replace(self, records: Sequence[Record]) -> None:
        """Let these be all that waits."""
        starts: Sequence[int | None] = [None] * len(records)
        if self._spool is not None:
            try:
                starts = self._spool.replace(records)
            except OSError as error:
                self._tell_disk(error)
        self._entries = deque(map(_entry, records, starts))

    def _tell_disk(self, error: OSError) -> None:
        if not self._disk_told:
            self._disk_told = True
            logger.warning("cannot write what waits to disk, so it waits in memory: %s", error)


def _entry(record: Record, start: int | None) -> _Entry:
    size = len(record.payload)
    points = _logged(record.payload) if record.kind is Kind.POINTS else 0
    payload = record.payload if start is None else b""
    return _Entry(record.number, record.kind, record.thinned, size, points, start, payload)


def _logged(batch: bytes) -> int:
    """Count the points of a batch that the program logged: all but those of the clock."""
    clock = decode_batch(batch, [CLOCK])
    return points_in(batch) - sum(len(steps) for steps, _ in clock.values())


def _batches(points: Mapping[Key, Points], limit: int) -> Iterator[bytes]:
    """Encode points as one batch, or as several that keep to the limit where there is more than one point."""
    if not points:
        return
    batch = encode_batch(points)
    if len(batch) <= limit or points_in(batch) < 2:
        yield batch
        return
    for half in halves(points):
        yield from _batches(half, limit)


def _groups(records: Sequence[Record], limit: int) -> Iterator[list[Record]]:
    """Put batches that follow each other together, up to a size; anything else stays alone, in its place."""
    group: list[Record] = []
    size = 0
    for record in records:
        full = size + len(record.payload) > limit
        if group and (full or record.kind is not Kind.POINTS or group[-1].kind is not Kind.POINTS):
            yield group
            group, size = [], 0
        group.append(record)
        size += len(record.payload)
    if group:
        yield group
