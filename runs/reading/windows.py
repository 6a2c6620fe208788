"""Windows of series: what charts show, read in a handful of queries, however long the series are."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from operator import itemgetter
from typing import Any, NamedTuple, TypeVar

import numpy as np

from nnlab.series.batch import FloatArray, IntArray, Key, Points
from nnlab.series.chunks import SealedChunk
from nnlab.series.columns import Table, drawn, grouped, table
from nnlab.series.errors import SeriesError
from nnlab.series.planning import WindowPlan, WindowSize
from nnlab.series.pyramid import LAYOUT, Buckets, PyramidRow
from nnlab.series.window import window
from runs.store import journal, rows
from runs.store.snapshot import snapshot

MAX_SERIES = 100
MAX_COLUMNS = 4_000
MAX_POINTS = 6_400_000  # decoded from chunks, of all series together: half a second

Found = TypeVar("Found")
_Wanted = tuple[int, ...]

_SERIES = """
SELECT run_id, number, metric, layer, points, first_step, last_step FROM runs_series
WHERE run_id IN ({}) AND metric IN ({}) {} ORDER BY run_id, number"""
# Each reads for many requests at once; a request names its series, so that it is one range of an index.
_EDGES = """
WITH wanted (place, run_id, number, step) AS (VALUES {})
SELECT wanted.place, chunk.start, points, first_step, last_step, steps, data
FROM wanted JOIN runs_chunk AS chunk
ON chunk.run_id = wanted.run_id AND chunk.series_number = wanted.number AND chunk.start = coalesce((
    SELECT start FROM runs_chunk AS earlier
    WHERE earlier.run_id = wanted.run_id AND earlier.series_number = wanted.number AND earlier.start > 0
    AND earlier.first_step < wanted.step ORDER BY earlier.first_step DESC, earlier.start DESC LIMIT 1
), 0)"""
_ROWS = """
WITH wanted (place, run_id, number, level, start, stop) AS (VALUES {})
SELECT wanted.place, pyramid.level, pyramid.start, points, first_step, last_step, steps, data
FROM wanted JOIN runs_pyramid AS pyramid
ON pyramid.run_id = wanted.run_id AND pyramid.series_number = wanted.number
AND pyramid.level = wanted.level AND pyramid.start >= wanted.start AND pyramid.start < wanted.stop"""
_CHUNKS = """
WITH wanted (place, run_id, number, start, stop) AS (VALUES {})
SELECT wanted.place, chunk.start, points, first_step, last_step, steps, data
FROM wanted JOIN runs_chunk AS chunk
ON chunk.run_id = wanted.run_id AND chunk.series_number = wanted.number
AND chunk.start < wanted.stop AND chunk.start >= (
    SELECT coalesce(max(earlier.start), 0) FROM runs_chunk AS earlier
    WHERE earlier.run_id = wanted.run_id AND earlier.series_number = wanted.number
    AND earlier.start <= wanted.start
)"""


class WindowTooLargeError(SeriesError):
    """More was asked for than one request may read."""


@dataclass(frozen=True)
class SeriesWindow:
    """A window of one series of one run.

    Args:
        number: of the series within its run.
        layer: None for a metric of the whole run.
        read: its points, as finely as they were read: buckets, or single points in a short window.
        columns: that were asked for.
    """

    run_id: int
    number: int
    metric: str
    layer: int | None
    read: Buckets
    columns: int

    @property
    def is_whole(self) -> bool:
        """Whether every point is there by itself."""
        return self.read.points == len(self.read)

    @cached_property
    def buckets(self) -> Buckets:
        """At most as many columns as were asked for."""
        return grouped(self.read, self.columns)

    @property
    def last_step(self) -> int | None:
        """Step of the last point; None without points."""
        return int(self.read.last_steps[-1]) if len(self.read) else None

    @property
    def ends(self) -> tuple[float, float] | None:
        """Means of the first and the last column with a finite value; None where every point was read."""
        means = self.buckets.mean
        means = means[np.isfinite(means)]
        return None if self.is_whole or not len(means) else (float(means[0]), float(means[-1]))

    def drawn(self) -> tuple[IntArray, FloatArray]:
        """Return at most two values a column to draw; where one is not finite, a NaN stands beside them.

        Where every point was read, extremes and NaN stand at their own steps, else at the first of a column.
        """
        if not self.is_whole:
            return line_of(self.buckets)
        points = window(self.read.first_steps, self.read.mean, 2 * self.columns)
        return _with_breaks(points.steps, points.values, points.nonfinite_steps)


class _Series(NamedTuple):
    """A row of the table of series: what of it is sealed."""

    run_id: int
    number: int
    metric: str
    layer: int | None
    points: int
    first_step: int | None
    last_step: int | None


def read_windows(
    run_ids: Collection[int],
    metrics: Collection[str],
    *,
    columns: int,
    first: int | None = None,
    last: int | None = None,
    layers: Collection[int] | None = None,
    most: int = MAX_SERIES,
) -> list[SeriesWindow]:
    """Read windows of many series, ordered by run and by number within the run.

    All is fetched in one state of the database, and then decoded.

    Args:
        run_ids: keys of runs; one that does not exist has no series.
        metrics: names.
        columns: at most so many of each series, 2 to ``MAX_COLUMNS``.
        first: step; None for the start.
        last: step; None for the end.
        layers: to read of metrics that have any; None for all of them.
        most: series.

    Raises:
        WindowTooLargeError: for more columns, series or points than one request may read.
        SeriesError: for a window that ends before it begins, or too few columns.
    """
    _check("columns", columns, MAX_COLUMNS, "ask for a picture that is less wide")
    with snapshot():
        series = _series(run_ids, metrics, layers)
        _check("series", len(series), most, "ask for fewer runs or metrics at a time")
        size = WindowSize(columns, len(series), first, last)
        plans = [WindowPlan(row.points, row.first_step, row.last_step, size, LAYOUT) for row in series]
        _fetch(series, plans)
        journals = journal.blobs({row.run_id for row in series})
    pending = _pending(series, journals)
    found = []
    for row, plan in zip(series, plans, strict=True):
        buckets = plan.buckets(pending.get((row.run_id, row.number)))
        found.append(SeriesWindow(row.run_id, row.number, row.metric, row.layer, buckets, columns))
    return found


def layer_table(windows: Sequence[SeriesWindow], columns: int) -> tuple[list[int], Table]:
    """Put windows of a run's layers under common columns. Returns the layers, and the columns of each."""
    of_layers = sorted(
        ((window.layer, window.read) for window in windows if window.layer is not None), key=itemgetter(0)
    )
    return [layer for layer, _ in of_layers], table([read for _, read in of_layers], columns)


def line_of(buckets: Buckets) -> tuple[IntArray, FloatArray]:
    """Draw columns with two values each at most; where one is not finite, a NaN stands beside them."""
    line = drawn(buckets)
    return _with_breaks(line.steps, line.values, line.marked_steps)


def _with_breaks(steps: IntArray, values: FloatArray, broken: IntArray) -> tuple[IntArray, FloatArray]:
    steps = np.concatenate([steps, broken])
    values = np.concatenate([values, np.full(len(broken), np.nan)])
    order = np.argsort(steps, kind="stable")
    return steps[order], values[order]


def block_means(read: Buckets, edges: IntArray) -> tuple[IntArray, FloatArray]:
    """Average a series over blocks of steps that all runs of a comparison share.

    A curve with a point at every step differs from seed to seed by noise; the mean of a block is what a
    comparison shows. A block with any value that is not finite gives NaN. A bucket is of the block of its
    first step.

    Shapes: edges (m + 1,), increasing; block i holds the steps edges[i] < step <= edges[i + 1] and stands
    at its last step. Blocks without points are left out.
    """
    places = np.searchsorted(edges, read.first_steps, side="left") - 1
    inside = (places >= 0) & (places < len(edges) - 1)
    places, kept = places[inside], read[inside]
    blocks = len(edges) - 1
    counts = np.bincount(places, weights=kept.counts, minlength=blocks)
    broken = np.bincount(places, weights=kept.nonfinite, minlength=blocks) > 0
    means = np.where(kept.nonfinite > 0, 0.0, kept.mean)
    sums = np.bincount(places, weights=means * kept.counts, minlength=blocks)
    held = counts > 0
    return edges[1:][held], np.where(broken, np.nan, sums / np.maximum(counts, 1))[held]


def _series(
    run_ids: Collection[int], metrics: Collection[str], layers: Collection[int] | None
) -> list[_Series]:
    if not run_ids or not metrics:
        return []
    places = [", ".join(["%s"] * len(names)) for names in (run_ids, metrics, layers or ())]
    chosen = "" if layers is None else f"AND (layer IS NULL OR layer IN ({places[2] or 'NULL'}))"
    found = rows.fetch(_SERIES.format(*places[:2], chosen), [*run_ids, *metrics, *(layers or ())])
    return [_Series(*row) for row in found]


def _fetch(series: Sequence[_Series], plans: Sequence[WindowPlan]) -> None:
    """Give the plans what they ask for: a query for all of them at a time."""
    found = _found(series, _EDGES, SealedChunk, lambda at: [(step,) for step in plans[at].edges])
    for at, plan in enumerate(plans):
        if plan.edges:
            plan.place(found[at])
    while any(plan.rows_wanted() for plan in plans):
        levels = _found(series, _ROWS, PyramidRow, lambda at: _rows_wanted(plans[at]))
        for at, plan in enumerate(plans):
            plan.take_rows(levels[at])
    wanted = [plan.chunks_wanted() for plan in plans]
    points = sum(plan.chunk_points for plan in plans)
    _check("points", points, MAX_POINTS, "zoom in, or ask for fewer runs, metrics or columns at a time")
    chunks = _found(series, _CHUNKS, SealedChunk, lambda at: wanted[at])
    for at, plan in enumerate(plans):
        plan.take_chunks(chunks[at])


def _rows_wanted(plan: WindowPlan) -> Iterator[_Wanted]:
    for wanted in plan.rows_wanted():
        row = LAYOUT.row_points(wanted.level)
        yield wanted.level, wanted.start // row * row, wanted.stop


def _found(
    series: Sequence[_Series],
    statement: str,
    made: Callable[..., Found],
    wanted: Callable[[int], Collection[_Wanted] | Iterator[_Wanted]],
) -> dict[int, list[Found]]:
    """Run one query for all series. Returns what was found of each, by its place."""
    found: dict[int, list[Found]] = defaultdict(list)
    requests = [
        (at, row.run_id, row.number, *request) for at, row in enumerate(series) for request in wanted(at)
    ]
    if requests:
        places = ", ".join([f"({', '.join(['%s'] * len(requests[0]))})"] * len(requests))
        values: list[Any] = [value for request in requests for value in request]
        for at, *row in rows.fetch(statement.format(places), values):
            found[at].append(made(*row))
    return found


def _pending(series: Sequence[_Series], journals: dict[int, list[bytes]]) -> dict[tuple[int, int], Points]:
    """Decode the points that are not sealed, by run and number of the series."""
    keys: dict[int, dict[Key, int]] = defaultdict(dict)
    for row in series:
        keys[row.run_id][row.metric, row.layer] = row.number
    return {
        (run_id, keys[run_id][key]): points
        for run_id, blobs in journals.items()
        for key, points in journal.decoded(blobs, keys[run_id]).items()
    }


def _check(what: str, number: int, most: int, remedy: str) -> None:
    if number > most:
        raise WindowTooLargeError(
            f"expected at most {most:,} {what} in one request, got {number:,}; {remedy}"
        )
