"""Windows of a stored series: what has to be read of it, and what a chart shows of that.

A plan asks for what it needs and takes what is found, so that a store reads for many series at once:

1. ``edges``: the chunks in which the window begins and ends. They say exactly which points it holds.
2. ``rows_wanted``, as long as there are any: rows of the pyramid, coarse ones for most of the window, and
   finer ones where an edge cuts a bucket, behind the last row, and where steps are so sparse that a bucket is
   wider than a column. Rows may be missing: finer ones do as well.
3. ``chunks_wanted``: for what no row covers, and for all of a window that is shown point by point.

Nothing but the edges' steps and rows that are not regular is decoded before ``buckets``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from nnlab.series.batch import Points
from nnlab.series.chunks import SealedChunk, joined, no_points
from nnlab.series.columns import with_points
from nnlab.series.covering import Covering, Gap, Span
from nnlab.series.errors import SeriesError
from nnlab.series.pyramid import LAYOUT, Buckets, Layout, PyramidRow

FEW_LINES = 8  # up to so many, buckets are a quarter of a column; of more lines nobody sees the difference
FINER_PARTS = 256  # of all lines, where steps are sparse: each is shown by a finer row, or by a chunk
LEAST_FINER_PARTS = 4  # of each line
RAW_POINTS = 64  # of a column: of fewer points the window is shown point by point


@dataclass(frozen=True)
class RowsWanted:
    """Rows of a level that hold any of these points."""

    level: int
    start: int
    stop: int


@dataclass(frozen=True)
class WindowSize:
    """What is to be shown.

    Args:
        columns: at most so many.
        lines: series that are shown together.
        first: step; None for the start of the series.
        last: step; None for its end.

    Raises:
        SeriesError: for fewer than 2 columns, or a window that ends before it begins.
    """

    columns: int
    lines: int = 1
    first: int | None = None
    last: int | None = None

    def __post_init__(self) -> None:
        if not self.columns >= 2:
            raise SeriesError(f"expected at least 2 columns, got {self.columns}")
        if self.first is not None and self.last is not None and self.first > self.last:
            raise SeriesError(f"expected a window that ends after step {self.first}, got step {self.last}")

    def level(self, points: int, layout: Layout = LAYOUT) -> int | None:
        """Choose the level for so many sealed points; None for single ones."""
        if points < RAW_POINTS * self.columns:
            return None
        most = points // (self.columns * (4 if self.lines <= FEW_LINES else 1))
        level = 0
        while layout.bucket_points(level + 1) <= most:
            level += 1
        return level


class WindowPlan:
    """The reading of one window of one series.

    Args:
        points: that are sealed.
        first_step: of the first of them; None without points.
        last_step: of the last of them.
        size: what is to be shown.
        layout: of the stored series.
    """

    def __init__(
        self,
        points: int,
        first_step: int | None,
        last_step: int | None,
        size: WindowSize,
        layout: Layout = LAYOUT,
    ) -> None:
        self._points = points
        self.size = size
        self._layout = layout
        self._head, self._tail = _cuts(first_step, last_step, size)
        self._edges: list[SealedChunk] = []
        self._covering = Covering((0, 0), -1, layout)
        self._widest = 1  # of buckets, in steps
        self._finer = max(FINER_PARTS // size.lines, LEAST_FINER_PARTS)
        self._rounds = 0
        if first_step is None or last_step is None or not _overlap(first_step, last_step, size):
            return
        self._widest = _widest(first_step, last_step, size)
        if not self.edges:
            self._begin(0, points)

    @property
    def edges(self) -> list[int]:
        """Steps at which the window cuts the sealed points."""
        return [step for step in (self._head, self._tail) if step is not None]

    @property
    def chunk_points(self) -> int:
        """Points of the window that have to be decoded from chunks, as far as is known."""
        return sum(gap.stop - gap.start for gap in self._covering.gaps)

    def place(self, chunks: Sequence[SealedChunk]) -> None:
        """Take the chunks of the edges: for each step in ``edges`` the last that begins before it.

        Raises:
            SeriesError: for steps that are cut or changed.
        """
        self._edges = list(chunks)
        start = 0 if self._head is None else self._place(self._head)
        self._begin(start, self._points if self._tail is None else self._place(self._tail))

    def rows_wanted(self) -> list[RowsWanted]:
        """Ask for rows of the pyramid; none where no more of them can help."""
        gaps = [gap for gap in self._covering.gaps if gap.stop - gap.start >= self._layout.bucket]
        return [wanted for gap in gaps if gap.level >= 0 for wanted in self._rows_of(gap)]

    def take_rows(self, rows: Iterable[PyramidRow]) -> None:
        """Take the rows that were found.

        Raises:
            SeriesError: for rows that are cut or changed.
        """
        found = {(row.level, row.start): row for row in rows}
        for key in sorted(found, key=lambda key: (-key[0], key[1])):
            self._covering.fill(found[key])
        self._covering.lower()
        self._finer -= self._covering.reopen_wide(self._widest, self._finer)
        self._rounds += 1

    def chunks_wanted(self) -> list[Span]:
        """Ask for chunks that hold any of these points."""
        for chunk in self._edges:
            self._covering.fill(chunk)
        return [(gap.start, gap.stop) for gap in self._covering.gaps]

    def take_chunks(self, chunks: Iterable[SealedChunk]) -> None:
        """Take the chunks that were found.

        Raises:
            SeriesError: where points are missing.
        """
        for chunk in chunks:
            self._covering.fill(chunk)
        if self._covering.gaps:
            gap = self._covering.gaps[0]
            raise SeriesError(f"expected a chunk with the points {gap.start:,} to {gap.stop:,}, got none")

    def buckets(self, more: Points | None = None) -> Buckets:
        """Decode the window: all its points, at least as finely as its columns need them.

        Args:
            more: points of the series that are not sealed, in the order of steps.

        Raises:
            SeriesError: for blobs that are cut or changed.
        """
        parts: list[Buckets] = []
        waiting: list[Points] = []
        for decoded in self._covering.decoded():
            if isinstance(decoded, Buckets):
                parts += [*_singles(waiting), decoded]
                waiting = []
            else:
                waiting.append(decoded)
        sealed = Buckets.joined([*parts, *_singles(waiting)])
        single = Buckets.of_points(*_between(more or no_points(), self.size.first, self.size.last), 1)
        return with_points(sealed, single)

    def _begin(self, start: int, stop: int) -> None:
        """Plan the window, whose places are known now."""
        level = self.size.level(stop - start, self._layout)
        self._covering = Covering((start, stop), -1 if level is None else level, self._layout)

    def _place(self, step: int) -> int:
        """Count the sealed points before a step."""
        for chunk in sorted(self._edges, key=lambda chunk: -chunk.start):
            if chunk.first_step < step:
                return chunk.start + int(np.searchsorted(chunk.unpacked_steps(), step, side="left"))
        return 0

    def _rows_of(self, gap: Gap) -> Iterator[RowsWanted]:
        """Ask for a gap: rows of its level, and finer ones for what their buckets leave at the ends.

        A series that still grows has no coarse rows at its end; only a first look can tell.
        """
        start, stop = gap.start, gap.stop
        yield RowsWanted(gap.level, start, stop)
        for level in range(gap.level):
            size, row = (
                measure(level + 1) for measure in (self._layout.bucket_points, self._layout.row_points)
            )
            head, tail = -(-start // size) * size, stop // size * size
            if self._rounds:
                tail = min(tail, self._points // row * row)
            elif stop == self._points:
                tail = stop
            if start < head:
                yield RowsWanted(level, start, min(head, stop))
            if tail < stop:
                yield RowsWanted(level, max(tail, start), stop)


def _overlap(first_step: int, last_step: int, size: WindowSize) -> bool:
    return (size.first is None or size.first <= last_step) and (size.last is None or size.last >= first_step)


def _widest(first_step: int, last_step: int, size: WindowSize) -> int:
    """Return how many steps a bucket may span: those of a column."""
    first = first_step if size.first is None else max(first_step, size.first)
    last = last_step if size.last is None else min(last_step, size.last)
    return -(-(last - first + 1) // size.columns)


def _cuts(first_step: int | None, last_step: int | None, size: WindowSize) -> tuple[int | None, int | None]:
    """Return the steps that cut a series: no point before one is shown, only points before the other are."""
    if first_step is None or last_step is None or not _overlap(first_step, last_step, size):
        return None, None
    head = size.first if size.first is not None and size.first > first_step else None
    return head, size.last + 1 if size.last is not None and size.last < last_step else None


def _between(points: Points, first: int | None, last: int | None) -> Points:
    steps, values = points
    start = 0 if first is None else int(np.searchsorted(steps, first, side="left"))
    stop = len(steps) if last is None else int(np.searchsorted(steps, last, side="right"))
    return steps[start:stop], values[start:stop]


def _singles(parts: Sequence[Points]) -> list[Buckets]:
    """Join points as buckets of one."""
    return [Buckets.of_points(*joined(parts), 1)] if parts else []
