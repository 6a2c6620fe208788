"""A plan fulfilled from a stored series, as a database would do it."""

from __future__ import annotations

from nnlab.series.batch import Points
from nnlab.series.chunks import SealedChunk
from nnlab.series.planning import WindowPlan, WindowSize
from nnlab.series.pyramid import Buckets
from tests.series.stored import StoredSeries


def plan_of(stored: StoredSeries, size: WindowSize, more: Points | None = None) -> WindowPlan:
    chunks = stored.chunks_from(0)
    points = chunks[-1].start + chunks[-1].points if chunks else 0
    first, last = (chunks[0].first_step, chunks[-1].last_step) if chunks else (None, None)
    return WindowPlan(points, first, last, size, more, stored.layout)


def fulfil(plan: WindowPlan, stored: StoredSeries) -> Buckets:
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
    return plan.buckets()


def _edge(stored: StoredSeries, step: int) -> list[SealedChunk]:
    return [chunk for chunk in stored.chunks_from(0) if chunk.first_step < step][-1:]
