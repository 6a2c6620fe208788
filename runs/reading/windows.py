"""Windows of series: what charts show, read in a handful of queries, however long the series are."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Any, NamedTuple, TypeVar

from nnlab.series.batch import Key, Points
from nnlab.series.chunks import SealedChunk
from nnlab.series.columns import Table, grouped, table
from nnlab.series.errors import SeriesError
from nnlab.series.planning import WindowPlan, WindowSize
from nnlab.series.pyramid import LAYOUT, Buckets, PyramidRow
from runs.store import journal, rows
from runs.store.snapshot import snapshot

MAX_SERIES = 100
MAX_COLUMNS = 4_000
MAX_POINTS = 6_400_000  # decoded from chunks, of all series together: half a second

Found = TypeVar("Found")
_Wanted = tuple[int, ...]

_SERIES = """
SELECT run_id, number, metric, layer, points, first_step, last_step FROM runs_series
WHERE run_id IN ({}) AND metric IN ({}) ORDER BY run_id, number LIMIT %s"""
# Each reads for many requests at once; a request names its series, so that it is one range of an index.
_EDGES = """
WITH wanted (place, run_id, number, step) AS (VALUES {})
SELECT wanted.place, chunk.start, points, first_step, last_step, steps, data
FROM wanted JOIN runs_chunk AS chunk
ON chunk.run_id = wanted.run_id AND chunk.series_number = wanted.number AND chunk.start = (
    SELECT start FROM runs_chunk AS earlier
    WHERE earlier.run_id = wanted.run_id AND earlier.series_number = wanted.number
    AND earlier.first_step < wanted.step ORDER BY earlier.first_step DESC, earlier.start DESC LIMIT 1
)"""
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
        buckets: columns; those of a short window are single points.
    """

    run_id: int
    number: int
    metric: str
    layer: int | None
    buckets: Buckets


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
) -> list[SeriesWindow]:
    """Read windows of many series, ordered by run and by number within the run.

    Args:
        run_ids: keys of runs; one that does not exist has no series.
        metrics: names; every layer of a per-layer metric is read.
        columns: at most so many of each series, 2 to ``MAX_COLUMNS``.
        first: step; None for the start.
        last: step; None for the end.

    Raises:
        WindowTooLargeError: for more columns, series or points than one request may read.
        SeriesError: for a window that ends before it begins, or too few columns.
    """
    return [
        SeriesWindow(row.run_id, row.number, row.metric, row.layer, grouped(buckets, columns))
        for row, buckets in _read(run_ids, metrics, columns, first, last)
    ]


def read_layers(
    run_id: int, metric: str, *, columns: int, first: int | None = None, last: int | None = None
) -> tuple[list[int], Table]:
    """Read a metric of a run's layers under common columns. Returns the layers, and the columns of each.

    Raises:
        WindowTooLargeError: for more columns, layers or points than one request may read.
        SeriesError: for a window that ends before it begins, or too few columns.
    """
    found = _read([run_id], [metric], columns, first, last)
    layers = sorted(
        ((row.layer, buckets) for row, buckets in found if row.layer is not None), key=itemgetter(0)
    )
    return [layer for layer, _ in layers], table([buckets for _, buckets in layers], columns)


def _read(
    run_ids: Collection[int], metrics: Collection[str], columns: int, first: int | None, last: int | None
) -> Iterator[tuple[_Series, Buckets]]:
    """Read windows as finely as they are stored: fetch all in one state of the database, then decode."""
    _check("columns", columns, MAX_COLUMNS, "ask for a picture that is less wide")
    with snapshot():
        series = _series(run_ids, metrics)
        _check("series", len(series), MAX_SERIES, "ask for fewer runs or metrics at a time")
        size = WindowSize(columns, len(series), first, last)
        plans = [WindowPlan(row.points, row.first_step, row.last_step, size, LAYOUT) for row in series]
        _fetch(series, plans)
        journals = journal.blobs({row.run_id for row in series})
    pending = _pending(series, journals)
    for row, plan in zip(series, plans, strict=True):
        yield row, plan.buckets(pending.get((row.run_id, row.number)))


def _series(run_ids: Collection[int], metrics: Collection[str]) -> list[_Series]:
    """Find series, and one more than may be asked for."""
    if not run_ids or not metrics:
        return []
    places = (", ".join(["%s"] * len(names)) for names in (run_ids, metrics))
    found = rows.fetch(_SERIES.format(*places), [*run_ids, *metrics, MAX_SERIES + 1])
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
        more = "more" if what == "series" else f"{number:,}"
        raise WindowTooLargeError(f"expected at most {most:,} {what} in one request, got {more}; {remedy}")
