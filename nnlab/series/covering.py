"""Which stored parts show which points of a window, and the gaps that are left."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from nnlab.series.batch import Points
from nnlab.series.chunks import SealedChunk
from nnlab.series.pyramid import Buckets, Layout, PyramidRow

Span = tuple[int, int]  # places of points: from the first, to before the last


@dataclass(frozen=True)
class Gap:
    """Points that nothing shows yet, and the coarsest level whose buckets may; below 0 only chunks may."""

    start: int
    stop: int
    level: int


@dataclass(frozen=True)
class _Piece:
    """Points, and where they are stored."""

    start: int
    stop: int
    source: SealedChunk | PyramidRow


class Covering:
    """The points of a window from one place to before another, shown by pieces of chunks and rows."""

    def __init__(self, span: Span, level: int, layout: Layout) -> None:
        self.gaps = [Gap(*span, level)] if span[0] < span[1] else []
        self._layout = layout
        self._pieces: dict[int, _Piece] = {}  # by their start: no two show the same point
        self._fresh: list[_Piece] = []  # of rows, whose buckets were not looked at
        self._unpacked: dict[tuple[int, int], Buckets] = {}

    def fill(self, source: SealedChunk | PyramidRow) -> None:
        """Take from a source what it holds of the points that are still missing."""
        left: list[Gap] = []
        for gap in self.gaps:
            first, last = self._held(source, gap)
            if first < last:
                piece = self._pieces[first] = _Piece(first, last, source)
                if isinstance(source, PyramidRow):
                    self._fresh.append(piece)
                parts = replace(gap, stop=first), replace(gap, start=last)
                left += [part for part in parts if part.start < part.stop]
            else:
                left.append(gap)
        self.gaps = left

    def lower(self) -> None:
        """Let finer buckets fill what those of the level of each gap did not."""
        self.gaps = [replace(gap, level=gap.level - 1) for gap in self.gaps]

    def reopen_wide(self, width: int, most: int) -> int:
        """Make gaps for finer levels where fresh buckets are wide.

        Buckets count points, not steps: where steps are sparse they are too few to draw a line.

        Args:
            width: steps from the first to the last of a bucket that is wide.
            most: gaps; each is as many points as a row of the finer level holds, or a chunk.

        Returns:
            How many were made.
        """
        found = [part for piece in self._fresh for part in self._wide_parts(piece, width)]
        found.sort(key=lambda part: -part[0])
        self._fresh = []
        for _, row, (start, stop) in sorted(found[:most], key=lambda part: part[2]):
            self._reopen(row, start, stop)
        return min(len(found), most)

    def decoded(self) -> Iterator[Points | Buckets]:
        """Decode all pieces, in order.

        Raises:
            SeriesError: for blobs that are cut or changed.
        """
        for _, piece in sorted(self._pieces.items()):
            first, last = piece.start - piece.source.start, piece.stop - piece.source.start
            if isinstance(piece.source, SealedChunk):
                steps, values = piece.source.unpacked()
                yield steps[first:last], values[first:last]
            else:
                size = self._layout.bucket_points(piece.source.level)
                buckets = self._buckets(piece.source)
                is_whole = last - first == piece.source.points
                yield buckets if is_whole else buckets[first // size : -(-last // size)]

    def _held(self, source: SealedChunk | PyramidRow, gap: Gap) -> Span:
        """Return which of these points a source holds; of a row, those in buckets that hold no others."""
        end = source.start + source.points
        first, last = max(gap.start, source.start), min(gap.stop, end)
        if isinstance(source, SealedChunk) or first >= last:
            return first, last
        if source.level > gap.level:
            return 0, 0
        size = self._layout.bucket_points(source.level)
        first = source.start - (source.start - first) // size * size
        return first, last if last == end else source.start + (last - source.start) // size * size

    def _buckets(self, row: PyramidRow) -> Buckets:
        key = row.level, row.start
        if key not in self._unpacked:
            self._unpacked[key] = row.unpacked(self._layout.bucket_points(row.level))
        return self._unpacked[key]

    def _wide_parts(self, piece: _Piece, width: int) -> Iterator[tuple[int, PyramidRow, Span]]:
        """Find the parts of a row that a finer row or a chunk shows, and count their wide buckets."""
        row = piece.source
        if isinstance(row, SealedChunk):
            return
        size, group = self._layout.bucket_points(row.level), self._layout.row // self._layout.fanout
        if row.steps is None and (row.last_step - row.first_step) * size <= width * (row.points - 1):
            return  # regular and narrow: nothing has to be decoded to know
        first, last = (piece.start - row.start) // size, -(-(piece.stop - row.start) // size)
        buckets = self._buckets(row)[first:last]
        # Distances of steps fit into 64 bits without a sign, whatever the steps are.
        extents = buckets.last_steps.view(np.uint64) - buckets.first_steps.view(np.uint64)
        places = (first + np.flatnonzero(extents >= np.uint64(width))) // group
        for place, wide in zip(*np.unique(places, return_counts=True), strict=True):
            start = row.start + int(place) * group * size
            yield int(wide), row, (max(start, piece.start), min(start + group * size, piece.stop))

    def _reopen(self, row: PyramidRow, start: int, stop: int) -> None:
        """Turn a part of the last piece that begins at or before it into a gap."""
        at = max(place for place in self._pieces if place <= start)
        piece = self._pieces.pop(at)
        for first, last in ((at, start), (stop, piece.stop)):
            if first < last:
                self._pieces[first] = _Piece(first, last, row)
        before = self.gaps[-1] if self.gaps else None
        if before is not None and (before.stop, before.level) == (start, row.level - 1):
            self.gaps[-1] = replace(before, stop=stop)
        else:
            self.gaps.append(Gap(start, stop, row.level - 1))
