"""A series as a database would hold it, in two dictionaries."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from nnlab.series.batch import Points
from nnlab.series.chunks import SealedChunk, joined
from nnlab.series.pyramid import Layout, PyramidRow
from nnlab.series.sealing import Sealed, SeriesTail

TINY = Layout(chunk=8, bucket=2, fanout=2, row=4)


@dataclass
class StoredSeries:
    """What was sealed of a series."""

    layout: Layout = TINY
    chunks: dict[int, SealedChunk] = field(default_factory=dict)
    rows: dict[tuple[int, int], PyramidRow] = field(default_factory=dict)

    def take(self, sealed: Sealed) -> None:
        self.chunks |= {chunk.start: chunk for chunk in sealed.chunks}
        self.rows |= {(row.level, row.start): row for row in sealed.rows}

    def drop_rows(self, unwanted: Callable[[], bool]) -> None:
        """Drop rows of the pyramid, which is only a cache."""
        self.rows = {place: row for place, row in self.rows.items() if not unwanted()}

    def chunks_from(self, start: int) -> list[SealedChunk]:
        found = [self.chunks[place] for place in sorted(self.chunks)]
        return [chunk for chunk in found if chunk.start + chunk.points > start]

    def rows_from(self, level: int, start: int) -> list[PyramidRow]:
        return [self.rows[place] for place in sorted(self.rows) if place[0] == level and place[1] >= start]

    def reopened(self) -> SeriesTail:
        points = self.points()
        last = int(points[0][-1]) if len(points[0]) else None
        return SeriesTail.reopened(len(points[0]), last, self.chunks_from, self.rows_from, self.layout)

    def points(self) -> Points:
        return joined([chunk.unpacked() for chunk in self.chunks_from(0)])


def random_points(rng: np.random.Generator, count: int) -> Points:
    """Draw points with gaps, repeated and negative steps, spikes, NaN and infinities."""
    if rng.random() < 0.5:
        steps = int(rng.integers(-50, 50)) + int(rng.integers(1, 9)) * np.arange(count)
    else:
        steps = np.sort(rng.integers(-50, 6 * count, count))
    values = rng.standard_normal(count).astype(rng.choice(["f4", "f8"])).astype(np.float64)
    values[rng.random(count) < 0.02] = 1e300
    for odd in (np.nan, np.inf, -np.inf):
        values[rng.random(count) < rng.choice([0.0, 0.0, 0.05, 0.9])] = odd
    return steps.astype(np.int64), values
