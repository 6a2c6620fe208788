"""Windows of a million points: the work that they cost, counted."""

from __future__ import annotations

import numpy as np
import pytest

from nnlab.series.chunks import SealedChunk
from nnlab.series.planning import WindowPlan, WindowSize
from nnlab.series.pyramid import LAYOUT, PyramidRow
from nnlab.series.sealing import SeriesTail
from tests.series.reading import fulfil, plan_of
from tests.series.stored import StoredSeries

POINTS = 1_000_000


@pytest.fixture(scope="module", params=[True, False], ids=["closed", "growing"])
def stored(request: pytest.FixtureRequest) -> StoredSeries:
    values = np.random.default_rng(3).standard_normal(POINTS).astype(np.float32).astype(np.float64)
    series, tail = StoredSeries(LAYOUT), SeriesTail()
    tail.extend(np.arange(POINTS), values)
    series.take(tail.seal(final=request.param))
    return series


def cost(plan: WindowPlan) -> tuple[int, int]:
    """Count what a fulfilled plan reads: rows, and points in chunks."""
    sources = [piece.source for piece in plan._covering._pieces.values()]
    chunks = {source.start: source for source in sources if isinstance(source, SealedChunk)}
    rows = {(source.level, source.start) for source in sources if isinstance(source, PyramidRow)}
    return len(rows), sum(chunk.points for chunk in chunks.values())


@pytest.mark.parametrize("lines", [1, 50])
def test_any_window_reads_some_rows_and_a_few_chunks(stored: StoredSeries, lines: int) -> None:
    rng = np.random.default_rng(4)
    for columns in (200, 1000, 2000):
        for _ in range(20):
            first, last = np.sort(rng.integers(0, POINTS, 2)).tolist()
            plan = plan_of(stored, WindowSize(columns, lines, first, last))
            fulfil(plan, stored)
            rows, points = cost(plan)
            # Eight times finer than the coarsest that will do, at the most; and what the edges add.
            assert rows <= 8 * 4 * columns / LAYOUT.row + 16
            is_raw = last - first < 64 * columns
            assert points <= (64 * columns if is_raw else 0) + 2 * LAYOUT.chunk + LAYOUT.row_points(0)


def test_fifty_whole_series_take_four_rows_each(stored: StoredSeries) -> None:
    plan = plan_of(stored, WindowSize(1000, 50))
    fulfil(plan, stored)
    rows, points = cost(plan)
    assert rows <= 4 + 8
    assert points <= LAYOUT.row_points(0)
