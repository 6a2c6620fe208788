"""A plan fulfilled from a stored series, as a database would do it, and its answer compared."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nnlab.series.batch import Points
from nnlab.series.chunks import SealedChunk
from nnlab.series.columns import grouped
from nnlab.series.planning import WindowPlan, WindowSize
from nnlab.series.pyramid import Buckets
from tests.series.stored import StoredSeries


def plan_of(stored: StoredSeries, size: WindowSize) -> WindowPlan:
    chunks = stored.chunks_from(0)
    points = chunks[-1].start + chunks[-1].points if chunks else 0
    first, last = (chunks[0].first_step, chunks[-1].last_step) if chunks else (None, None)
    return WindowPlan(points, first, last, size, stored.layout)


def fulfil(plan: WindowPlan, stored: StoredSeries, more: Points | None = None) -> Buckets:
    if plan.edges:
        plan.place([chunk for step in plan.edges for chunk in _edge(stored, step)])
    while wanted := plan.rows_wanted():
        plan.take_rows(
            row
            for row in stored.rows.values()
            if any(
                row.level == one.level and row.start < one.stop and row.start + row.points > one.start
                for one in wanted
            )
        )
    spans = plan.chunks_wanted()
    plan.take_chunks(
        chunk
        for chunk in stored.chunks_from(0)
        if any(chunk.start < stop and chunk.start + chunk.points > start for start, stop in spans)
    )
    return grouped(plan.buckets(more), plan.size.columns)


def _edge(stored: StoredSeries, step: int) -> list[SealedChunk]:
    return [chunk for chunk in stored.chunks_from(0) if chunk.first_step < step][-1:]


def window_of(points: Points, size: WindowSize) -> Points:
    steps, values = points
    inside = np.ones(len(steps), np.bool_)
    if size.first is not None:
        inside &= steps >= size.first
    if size.last is not None:
        inside &= steps <= size.last
    return steps[inside], values[inside]


def assert_matches(found: Buckets, points: Points) -> None:
    """Compare columns with the points of the window; one that shares a step with another is only counted."""
    steps, values = points
    assert found.points == len(steps)
    assert (found.first_steps <= found.last_steps).all()
    assert (found.last_steps[:-1] <= found.first_steps[1:]).all()
    for at in np.flatnonzero(_stand_apart(found)) if len(found) else ():
        part = values[(steps >= found.first_steps[at]) & (steps <= found.last_steps[at])]
        good = part[np.isfinite(part)]
        flags = np.isnan(part).any() + 2 * (part == np.inf).any() + 4 * (part == -np.inf).any()
        assert (found.counts[at], found.nonfinite[at]) == (len(part), len(part) - len(good))
        assert found.flags[at] == flags
        extremes = (good.min(), good.max()) if len(good) else (np.nan, np.nan)
        np.testing.assert_array_equal([found.minimum[at], found.maximum[at]], extremes)


def _stand_apart(found: Buckets) -> NDArray[np.bool_]:
    """Tell which columns share no step with those beside them."""
    apart = found.last_steps[:-1] < found.first_steps[1:]
    both: NDArray[np.bool_] = np.append(True, apart) & np.append(apart, True)
    return both
