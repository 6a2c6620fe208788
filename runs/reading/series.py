"""Series of runs, decoded from their chunks: two queries, however many runs and metrics are asked for."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nnlab.series.codec import decode, decode_steps
from nnlab.series.window import Window, window
from runs.models import Chunk, Series

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
Cursor = Mapping[int, int]


@dataclass(frozen=True)
class Points:
    """The points of one series of one run.

    Shapes: steps and values (n,); steps increase; values as stored, NaN and infinities among them.

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

    def windowed(self, columns: int) -> Window:
        """Keep at most so many points, every bucket's lowest and highest among them."""
        return window(self.steps, self.values, columns)

    def drawn(self, columns: int) -> tuple[IntArray, FloatArray]:
        """Return at most so many points to draw, each step whose value is not finite among them as NaN."""
        kept = self.windowed(columns)
        steps = np.concatenate([kept.steps, kept.nonfinite_steps])
        values = np.concatenate([kept.values, np.full(len(kept.nonfinite_steps), np.nan)])
        order = np.argsort(steps, kind="stable")
        return steps[order], values[order]


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
    rows = list(Series.objects.filter(run_id__in=run_ids, metric__in=metrics).order_by("run_id", "number"))
    known = after or {}
    if after is not None:
        rows = [row for row in rows if row.last_step > known.get(row.number, row.first_step - 1)]
    if not rows:
        return []
    blobs = _chunks(rows, after)
    found = []
    for row in rows:
        steps, values = _joined(blobs.get((row.run_id, row.number), []))
        if after is not None:
            later = steps > known.get(row.number, row.first_step - 1)
            steps, values = steps[later], values[later]
        found.append(Points(row.run_id, row.number, row.metric, row.layer, steps, values))
    return found


def metric_names(run_ids: Collection[int]) -> list[str]:
    """Name the metrics of whole runs that any of these runs has, in alphabetical order."""
    rows = Series.objects.filter(run_id__in=run_ids, layer=None)
    return sorted(rows.order_by().values_list("metric", flat=True).distinct())


def block_means(points: Points, edges: IntArray) -> tuple[IntArray, FloatArray]:
    """Average a series over blocks of steps that all runs of a comparison share.

    A curve with a point at every step differs from seed to seed by noise; the mean of a block is what a
    comparison shows. A block with any value that is not finite gives NaN.

    Shapes: edges (m + 1,), increasing; block i holds the steps edges[i] < step <= edges[i + 1] and stands
    at its last step. Blocks without points are left out.
    """
    places = np.searchsorted(edges, points.steps, side="left") - 1
    inside = (places >= 0) & (places < len(edges) - 1)
    places, values = places[inside], points.values[inside]
    counts = np.bincount(places, minlength=len(edges) - 1)
    with np.errstate(invalid="ignore"):  # inf - inf: the block is not finite, which is the answer
        sums = np.bincount(places, weights=values, minlength=len(edges) - 1)
    held = counts > 0
    return edges[1:][held], sums[held] / counts[held]


def _chunks(rows: Sequence[Series], after: Cursor | None) -> dict[tuple[int, int], list[tuple[bytes, bytes]]]:
    chunks = Chunk.objects.filter(
        run_id__in={row.run_id for row in rows}, series_number__in={row.number for row in rows}
    )
    if after is not None:
        chunks = chunks.filter(last_step__gt=min(after.get(row.number, row.first_step - 1) for row in rows))
    wanted = {(row.run_id, row.number) for row in rows}
    blobs: dict[tuple[int, int], list[tuple[bytes, bytes]]] = defaultdict(list)
    in_order = chunks.order_by("run_id", "series_number", "sequence")
    for run_id, number, steps, values in in_order.values_list("run_id", "series_number", "steps", "values"):
        if (run_id, number) in wanted:
            blobs[run_id, number].append((bytes(steps), bytes(values)))
    return blobs


def _joined(blobs: Sequence[tuple[bytes, bytes]]) -> tuple[IntArray, FloatArray]:
    """Decode and join chunks; a step that was written twice keeps what was written last."""
    if not blobs:
        return np.zeros(0, np.int64), np.zeros(0)
    steps = np.concatenate([decode_steps(blob) for blob, _ in blobs])
    values = np.concatenate([decode(blob) for _, blob in blobs])
    if (np.diff(steps) > 0).all():
        return steps, values
    order = np.argsort(steps, kind="stable")
    last_of_step = np.append(np.diff(steps[order]) > 0, True)
    return steps[order][last_of_step], values[order][last_of_step]
