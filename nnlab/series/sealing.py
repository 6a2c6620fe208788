"""The growing end of a series: points come in, full chunks and finished rows of the pyramid come out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from nnlab.series.batch import FloatArray, IntArray, Points
from nnlab.series.chunks import SealedChunk, joined, no_points, points_from
from nnlab.series.errors import SeriesError
from nnlab.series.pyramid import LAYOUT, Buckets, Layout, PyramidRow

LEAST_BUCKETS = 64  # of a level, for a row that is not full to be worth storing


@dataclass(frozen=True)
class Sealed:
    """What is to be stored of a series. A row replaces one of the same level and start."""

    chunks: list[SealedChunk]
    rows: list[PyramidRow]

    @property
    def size(self) -> int:
        """Bytes of the blobs."""
        parts: list[SealedChunk | PyramidRow] = [*self.chunks, *self.rows]
        return sum(len(part.data) + len(part.steps or b"") for part in parts)


@dataclass
class _Level:
    """A level of the pyramid: its full buckets outside of finished rows, and how many there ever were."""

    pending: Buckets = field(default_factory=Buckets.none)
    total: int = 0

    def loose(self, fanout: int) -> Buckets:
        """Return the last buckets, which do not fill one of the next level yet."""
        return self.pending[len(self.pending) - self.total % fanout :]


class SeriesTail:
    """The end of one series, from which it grows."""

    def __init__(self, layout: Layout = LAYOUT) -> None:
        self.layout = layout
        self.sealed_points = 0
        self.last_sealed_step: int | None = None
        self._open: list[Points] = []
        self._rest: Points = no_points()  # sealed points that do not fill a bucket yet
        self._levels: list[_Level] = [_Level()]

    @property
    def open(self) -> Points:
        """The points that are not sealed."""
        if len(self._open) != 1:
            self._open = [joined(self._open)]
        return self._open[0]

    def extend(self, steps: IntArray, values: FloatArray) -> None:
        """Add points at the end.

        Shapes: both (n,).

        Raises:
            SeriesError: for steps that go back.
        """
        if not len(steps):
            return
        last = self._open[-1][0][-1] if self._open and len(self._open[-1][0]) else self.last_sealed_step
        if (last is not None and steps[0] < last) or (steps[1:] < steps[:-1]).any():
            raise SeriesError(f"expected steps that do not go back from {last}, got {steps[:5]}...")
        self._open.append((steps, values))

    def seal(self, *, final: bool = False) -> Sealed:
        """Take out the full chunks; where it is final the rest, too, and the rows that are not full."""
        steps, values = self.open
        end = len(steps) if final else len(steps) // self.layout.chunk * self.layout.chunk
        chunks = [
            SealedChunk.packed(self.sealed_points + start, steps[start:stop], values[start:stop])
            for start in range(0, end, self.layout.chunk)
            for stop in (min(start + self.layout.chunk, end),)
        ]
        rows = self._climbed(steps[:end], values[:end]) if end else []
        self._open = [(steps[end:], values[end:])]
        return Sealed(chunks, [*rows, *self._unfinished_rows()] if final and end else rows)

    def take_open(self) -> Points:
        """Take out the points that are not sealed: they are kept elsewhere."""
        points = self.open
        self._open = []
        return points

    @classmethod
    def reopened(
        cls,
        points: int,
        last_step: int | None,
        chunks: Callable[[int], Sequence[SealedChunk]],
        rows: Callable[[int, int], Sequence[PyramidRow]],
        layout: Layout = LAYOUT,
    ) -> SeriesTail:
        """Go on with a stored series.

        Args:
            points: that are sealed.
            last_step: of the last of them.
            chunks: gives the chunks that hold points from a place on, in order.
            rows: gives the rows of a level from a place on, in order; they may be missing.
            layout: of the stored series.
        """
        tail = cls(layout)
        tail.sealed_points, tail.last_sealed_step = points, last_step
        level = 0
        while points >= layout.bucket_points(level):
            tail._reopen_level(level, chunks, rows)
            level += 1
        if level == 0:
            tail._rest = points_from(chunks(0), 0)
        return tail

    def _reopen_level(
        self,
        level: int,
        chunks: Callable[[int], Sequence[SealedChunk]],
        rows: Callable[[int, int], Sequence[PyramidRow]],
    ) -> None:
        layout, points = self.layout, self.sealed_points
        while len(self._levels) <= level:
            self._levels.append(_Level())
        size, row = layout.bucket_points(level), layout.row_points(level)
        start = points // row * row
        total = points // size
        if level == 0:
            steps, values = points_from(chunks(start), start)
            full = total * size - start
            self._rest = steps[full:], values[full:]
            pending = Buckets.of_points(steps[:full], values[:full], size) if full else Buckets.none()
        else:
            finer = self._finer(level - 1, start, chunks, rows)
            finer = finer[: (total * size - start) // layout.bucket_points(level - 1)]
            pending = finer.merged(np.arange(0, len(finer), layout.fanout))
        self._levels[level] = _Level(pending, total)

    def _finer(
        self,
        level: int,
        start: int,
        chunks: Callable[[int], Sequence[SealedChunk]],
        rows: Callable[[int, int], Sequence[PyramidRow]],
    ) -> Buckets:
        """Return the full buckets of a level from a place on: of its stored rows, and those pending."""
        size, row = self.layout.bucket_points(level), self.layout.row_points(level)
        finished = self.sealed_points // row * row
        found = [one for one in rows(level, start) if one.points == row and one.start < finished]
        if [one.start for one in found] != list(range(start, finished, row)):
            steps, values = points_from(chunks(start), start)  # rows are missing
            full = (finished - start) // size * size
            stored = Buckets.of_points(steps[:full], values[:full], size) if full else Buckets.none()
        else:
            stored = Buckets.joined([one.unpacked(size) for one in found])
        return Buckets.joined([stored, self._levels[level].pending])

    def _climbed(self, steps: IntArray, values: FloatArray) -> list[PyramidRow]:
        """Let the pyramid grow over points that are sealed. Returns the rows that are finished."""
        self.sealed_points += len(steps)
        self.last_sealed_step = int(steps[-1])
        steps, values = joined([self._rest, (steps, values)])
        full = len(steps) // self.layout.bucket * self.layout.bucket
        self._rest = steps[full:], values[full:]
        fresh = Buckets.of_points(steps[:full], values[:full], self.layout.bucket)
        rows: list[PyramidRow] = []
        level = 0
        while len(fresh):
            fresh = self._raise(level, fresh, rows)
            level += 1
        return rows

    def _raise(self, level: int, fresh: Buckets, rows: list[PyramidRow]) -> Buckets:
        """Add full buckets to a level, and its finished rows to ``rows``. Returns the next level's."""
        if level == len(self._levels):
            self._levels.append(_Level())
        found, fanout = self._levels[level], self.layout.fanout
        climbing = Buckets.joined([found.loose(fanout), fresh])
        climbing = climbing[: len(climbing) // fanout * fanout]
        found.pending = Buckets.joined([found.pending, fresh])
        found.total += len(fresh)
        size = self.layout.bucket_points(level)
        while len(found.pending) >= self.layout.row:
            start = (found.total - len(found.pending)) * size
            rows.append(PyramidRow.packed(level, start, found.pending[: self.layout.row], size))
            found.pending = found.pending[self.layout.row :]
        return climbing.merged(np.arange(0, len(climbing), fanout))

    def _unfinished_rows(self) -> list[PyramidRow]:
        """Write the rows that are not full; none for a series of one chunk."""
        rows = []
        loose = Buckets.of_points(*self._rest, self.layout.bucket) if len(self._rest[0]) else Buckets.none()
        for level, found in enumerate(self._levels):
            buckets = Buckets.joined([found.pending, loose])
            size = self.layout.bucket_points(level)
            worth = found.total + len(loose) >= LEAST_BUCKETS and self.sealed_points > self.layout.chunk
            if worth and len(buckets):
                start = (found.total - len(found.pending)) * size
                rows.append(PyramidRow.packed(level, start, buckets, size))
            loose = Buckets.joined([found.loose(self.layout.fanout), loose])
            if len(loose):
                loose = loose.merged(np.zeros(1, np.int64))
        return rows
