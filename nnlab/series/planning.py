"""Windows of a stored series: what has to be read of it, and what a chart shows of that.

A plan asks for what it needs and takes what is found, so that a store reads for many series at once:

1. ``edges``: the chunks in which the window begins and ends. They say exactly which points it holds.
2. ``rows_wanted``, as long as there are any: rows of the pyramid, coarse ones for most of the window, and
   finer ones where an edge cuts a bucket and behind the last row. Rows may be missing: finer ones do as well.
3. ``chunks_wanted``: for what no row covers, and for all of a window that is shown point by point.

Nothing but the edges' steps is decoded before ``buckets``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from nnlab.series.batch import Points
from nnlab.series.chunks import SealedChunk, joined, no_points
from nnlab.series.columns import with_points
from nnlab.series.errors import SeriesError
from nnlab.series.pyramid import LAYOUT, Buckets, Layout, PyramidRow

FEW_LINES = 8  # up to so many, buckets are a quarter of a column; of more lines nobody sees the difference
RAW_POINTS = 64  # of a column: of fewer points the window is shown point by point

Span = tuple[int, int]  # places of points: from the first, to before the last


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


@dataclass(frozen=True)
class _Piece:
    """Points of the window, and where they are stored."""

    start: int
    stop: int
    source: SealedChunk | PyramidRow

    def decoded(self, layout: Layout) -> Points | Buckets:
        first, last = self.start - self.source.start, self.stop - self.source.start
        if isinstance(self.source, SealedChunk):
            steps, values = self.source.unpacked()
            return steps[first:last], values[first:last]
        size = layout.bucket_points(self.source.level)
        buckets = self.source.unpacked(size)
        whole = last - first == self.source.points
        return buckets if whole else buckets[first // size : -(-last // size)]


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
        self._pieces: list[_Piece] = []
        self._gaps: list[Span] = []
        self._level: int | None = None
        self._rounds = 0
        if not self.edges:
            is_apart = first_step is None or last_step is None or not _overlap(first_step, last_step, size)
            self._begin(0, 0 if is_apart else points)

    @property
    def edges(self) -> list[int]:
        """Steps at which the window cuts the sealed points."""
        return [step for step in (self._head, self._tail) if step is not None]

    @property
    def chunk_points(self) -> int:
        """Points of the window that have to be decoded from chunks, as far as is known."""
        return sum(stop - start for start, stop in self._gaps)

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
        if self._level is None or self._level < 0:
            return []
        spans = [span for span in self._gaps if span[1] - span[0] >= self._layout.bucket]
        return [wanted for span in spans for wanted in self._rows_of(span, self._level)]

    def take_rows(self, rows: Iterable[PyramidRow]) -> None:
        """Take the rows that were found."""
        found = {(row.level, row.start): row for row in rows}
        for key in sorted(found, key=lambda key: (-key[0], key[1])):
            self._fill(found[key])
        self._rounds += 1
        self._level = -1 if self._level is None else self._level - 1

    def chunks_wanted(self) -> list[Span]:
        """Ask for chunks that hold any of these points."""
        for chunk in self._edges:
            self._fill(chunk)
        return self._gaps

    def take_chunks(self, chunks: Iterable[SealedChunk]) -> None:
        """Take the chunks that were found.

        Raises:
            SeriesError: where points are missing.
        """
        for chunk in chunks:
            self._fill(chunk)
        if self._gaps:
            start, stop = self._gaps[0]
            raise SeriesError(f"expected a chunk with the points {start:,} to {stop:,}, got none")

    def buckets(self, more: Points | None = None) -> Buckets:
        """Decode the window: all its points, at least as finely as its columns need them.

        Args:
            more: points of the series that are not sealed, in the order of steps.

        Raises:
            SeriesError: for blobs that are cut or changed.
        """
        parts: list[Buckets] = []
        waiting: list[Points] = []
        for piece in sorted(self._pieces, key=lambda piece: piece.start):
            decoded = piece.decoded(self._layout)
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
        self._gaps = [(start, stop)] if start < stop else []
        self._level = self.size.level(stop - start, self._layout)

    def _place(self, step: int) -> int:
        """Count the sealed points before a step."""
        for chunk in sorted(self._edges, key=lambda chunk: -chunk.start):
            if chunk.first_step < step:
                return chunk.start + int(np.searchsorted(chunk.unpacked_steps(), step, side="left"))
        return 0

    def _rows_of(self, span: Span, top: int) -> Iterator[RowsWanted]:
        """Ask for a span: rows of the top level, and finer ones for what its buckets leave at the ends.

        A series that still grows has no coarse rows at its end; only a first look can tell.
        """
        start, stop = span
        yield RowsWanted(top, start, stop)
        for level in range(top):
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

    def _fill(self, source: SealedChunk | PyramidRow) -> None:
        """Take from a source what it holds of the points that are still missing."""
        left: list[Span] = []
        for start, stop in self._gaps:
            first, last = self._held(source, start, stop)
            if first < last:
                self._pieces.append(_Piece(first, last, source))
                left += [span for span in ((start, first), (last, stop)) if span[0] < span[1]]
            else:
                left.append((start, stop))
        self._gaps = left

    def _held(self, source: SealedChunk | PyramidRow, start: int, stop: int) -> Span:
        """Return which of these points a source holds; of a row, those in buckets that hold no others."""
        end = source.start + source.points
        first, last = max(start, source.start), min(stop, end)
        if isinstance(source, SealedChunk) or first >= last:
            return first, last
        size = self._layout.bucket_points(source.level)
        first = source.start - (source.start - first) // size * size
        return first, last if last == end else source.start + (last - source.start) // size * size


def _overlap(first_step: int, last_step: int, size: WindowSize) -> bool:
    return (size.first is None or size.first <= last_step) and (size.last is None or size.last >= first_step)


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
