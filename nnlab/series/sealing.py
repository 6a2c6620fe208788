"""The growing end of a series: points come in, full chunks and finished rows of the pyramid come out."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass

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


class SeriesTail:
    """The end of one series, from which it grows."""

    def __init__(self, layout: Layout = LAYOUT) -> None:
        self.layout = layout
        self.sealed_points = 0
        self.last_sealed_step: int | None = None
        self._open: list[Points] = []
        self._rest: Points = no_points()  # sealed points that do not fill a bucket yet
        # Of each level the full buckets behind its last finished row. A level grows by finished rows of the
        # level below: to climb at every seal would cost more than to encode the points.
        self._pending: list[list[Buckets]] = [[]]

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
        self._open = [(steps[end:], values[end:])] if end < len(steps) else []
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
        tail._reopen_points(chunks)
        for level in itertools.takewhile(lambda n: points >= layout.row_points(n), itertools.count()):
            tail._reopen_level(level + 1, chunks, rows)
        return tail

    def _reopen_points(self, chunks: Callable[[int], Sequence[SealedChunk]]) -> None:
        start = self._finished(0)
        self._add_points(*points_from(chunks(start), start))

    def _reopen_level(
        self,
        level: int,
        chunks: Callable[[int], Sequence[SealedChunk]],
        rows: Callable[[int, int], Sequence[PyramidRow]],
    ) -> None:
        """Merge the finished rows of the level below, from the last row of the level on."""
        size, row = self.layout.bucket_points(level - 1), self.layout.row_points(level - 1)
        start, stop = self._finished(level), self._finished(level - 1)
        found = [one for one in rows(level - 1, start) if one.points == row and one.start < stop]
        if [one.start for one in found] != list(range(start, stop, row)):
            steps, values = points_from(chunks(start), start)  # rows are missing
            below = Buckets.of_points(steps[: stop - start], values[: stop - start], size)
        else:
            below = Buckets.joined([one.unpacked(size) for one in found])
        self._pending.append([self._merged(below)])

    def _climbed(self, steps: IntArray, values: FloatArray) -> list[PyramidRow]:
        """Let the pyramid grow over points that are sealed. Returns the rows that are finished."""
        self.sealed_points += len(steps)
        self.last_sealed_step = int(steps[-1])
        self._add_points(steps, values)
        rows: list[PyramidRow] = []
        level = 0
        while sum(map(len, self._pending[level])) >= self.layout.row:
            finished = self._finish_rows(level, rows)
            level += 1
            if level == len(self._pending):
                self._pending.append([])
            self._pending[level].append(self._merged(finished))
        return rows

    def _add_points(self, steps: IntArray, values: FloatArray) -> None:
        """Put sealed points into buckets of the finest level."""
        if len(self._rest[0]):
            steps, values = joined([self._rest, (steps, values)])
        full = len(steps) // self.layout.bucket * self.layout.bucket
        self._rest = steps[full:].copy(), values[full:].copy()
        if full:
            self._pending[0].append(Buckets.of_points(steps[:full], values[:full], self.layout.bucket))

    def _finish_rows(self, level: int, rows: list[PyramidRow]) -> Buckets:
        """Add the finished rows of a level to ``rows``. Returns their buckets."""
        buckets, row = Buckets.joined(self._pending[level]), self.layout.row
        number = len(buckets) // row
        start, size = (
            self._finished(level) - number * self.layout.row_points(level),
            self.layout.bucket_points(level),
        )
        rows += [
            PyramidRow.packed(level, start + place * size, buckets[place : place + row], size)
            for place in range(0, number * row, row)
        ]
        self._pending[level] = [buckets[number * row :]] if number * row < len(buckets) else []
        return buckets[: number * row]

    def _unfinished_rows(self) -> list[PyramidRow]:
        """Write the rows that are not full; none for a series of one chunk."""
        if self.sealed_points <= self.layout.chunk:
            return []
        rows: list[PyramidRow] = []
        climbing = Buckets.of_points(*self._rest, self.layout.bucket)
        level = 0
        while self.sealed_points > self.layout.bucket_points(level) * (LEAST_BUCKETS - 1):
            pending = self._pending[level] if level < len(self._pending) else []
            buckets = Buckets.joined([*pending, climbing])
            if len(buckets):
                size = self.layout.bucket_points(level)
                rows.append(PyramidRow.packed(level, self._finished(level), buckets, size))
            climbing = self._merged(buckets)
            level += 1
        return rows

    def _finished(self, level: int) -> int:
        """Return the points in finished rows of a level."""
        row = self.layout.row_points(level)
        return self.sealed_points // row * row

    def _merged(self, buckets: Buckets) -> Buckets:
        """Merge buckets into those of the next level; the last one may be in part."""
        return buckets.merged(np.arange(0, len(buckets), self.layout.fanout))
