"""Series of runs, every point of them: three queries, however many runs and metrics are asked for."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from django.db.models import Sum
from numpy.typing import NDArray

from nnlab.series.batch import Key
from nnlab.series.chunks import SealedChunk, no_points
from runs.models import Chunk, Series
from runs.store import journal, rows
from runs.store.snapshot import snapshot

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
Cursor = Mapping[int, int]

_FIRST = -(2**63)
_CHUNKS = """
SELECT run_id, series_number, start, points, first_step, last_step, steps, data FROM runs_chunk
WHERE (run_id, series_number) IN (VALUES {}) AND last_step >= %s
ORDER BY run_id, series_number, start"""


@dataclass(frozen=True)
class Points:
    """The points of one series of one run.

    Shapes: steps and values (n,); steps do not decrease; values as stored, NaN and infinities among them.

    Args:
        number: of the series within its run.
        layer: None for a metric of the whole run.
    """

    run_id: int
    number: int
    metric: str
    layer: int | None
    steps: IntArray
    values: FloatArray


def read_series(
    run_ids: Collection[int], metrics: Collection[str], *, after: Cursor | None = None
) -> list[Points]:
    """Read series of many runs, ordered by run and by number within the run.

    Args:
        run_ids: keys of runs; one that does not exist has no series.
        metrics: names; every layer of a per-layer metric is read.
        after: for one run, the last step already known of each series number; only later points are read,
            and series without later points are left out.
    """
    with snapshot():
        series = list(
            Series.objects.filter(run_id__in=run_ids, metric__in=metrics).order_by("run_id", "number")
        )
        chunks = _chunks(series, after)
        journals = journal.blobs({row.run_id for row in series})
    wanted: dict[int, set[Key]] = defaultdict(set)
    for row in series:
        wanted[row.run_id].add((row.metric, row.layer))
    pending = {run_id: journal.decoded(blobs, wanted[run_id]) for run_id, blobs in journals.items()}
    found = []
    for row in series:
        parts = [chunk.unpacked() for chunk in chunks.get((row.run_id, row.number), ())]
        if (open_points := pending.get(row.run_id, {}).get((row.metric, row.layer))) is not None:
            parts.append(open_points)
        steps, values = journal.in_order(parts) if parts else no_points()
        if after is not None and row.number in after:
            later = int(np.searchsorted(steps, after[row.number], side="right"))
            steps, values = steps[later:], values[later:]
        if after is None or len(steps):
            found.append(Points(row.run_id, row.number, row.metric, row.layer, steps, values))
    return found


def sealed_points(run_id: int, metric: str, after: int | None = None) -> int:
    """Count the points of a metric in chunks, of those that begin after a step: at least these are read."""
    numbers = Series.objects.filter(run_id=run_id, metric=metric).values("number")
    chunks = Chunk.objects.filter(run_id=run_id, series_number__in=numbers)
    if after is not None:
        chunks = chunks.filter(first_step__gt=after)
    return int(chunks.aggregate(total=Sum("points"))["total"] or 0)


def metric_names(run_ids: Collection[int]) -> list[str]:
    """Name the metrics of whole runs that any of these runs has, in alphabetical order."""
    rows = Series.objects.filter(run_id__in=run_ids, layer=None)
    return sorted(rows.order_by().values_list("metric", flat=True).distinct())


def _chunks(series: Sequence[Series], after: Cursor | None) -> dict[tuple[int, int], list[SealedChunk]]:
    """Read the chunks of series, of one run those with points after the steps that are known."""
    found: dict[tuple[int, int], list[SealedChunk]] = defaultdict(list)
    known = after or {}
    grown = [row for row in series if row.points and (row.last_step or 0) > known.get(row.number, _FIRST - 1)]
    if not grown:
        return found
    places = ", ".join(["(%s, %s)"] * len(grown))
    values = [value for row in grown for value in (row.run_id, row.number)]
    earliest = min(known.get(row.number, _FIRST) for row in grown)
    for run_id, number, *chunk in rows.fetch(_CHUNKS.format(places), [*values, earliest]):
        found[run_id, number].append(SealedChunk(*chunk))
    return found
