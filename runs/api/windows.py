"""Operations that read points: all of a run's, or the window that a chart shows."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Annotated, Any, Literal
from urllib.parse import unquote

import numpy as np
import orjson
from django.http import HttpRequest, HttpResponse
from ninja import Query, Router, Schema
from ninja.errors import HttpError
from numpy.typing import NDArray
from pydantic import Field

from nnlab.health.events import json_value
from nnlab.series.chunks import no_points
from nnlab.series.pyramid import NAN, NEGATIVE, POSITIVE
from runs.api.answers import found
from runs.api.arrays import Written, listed, typed
from runs.api.schemas import Key, SeriesOut, Word
from runs.models import Series
from runs.reading.series import Points, sealed_points
from runs.reading.series import read_series as read_points
from runs.reading.windows import SeriesWindow, layer_table, read_windows
from runs.store import rows

router = Router()

MAX_POINTS = 1_000_000  # of a metric that one answer lists
_STATES = """
SELECT run.id, batches, folds FROM runs_run AS run LEFT JOIN runs_ledger ON runs_ledger.run_id = run.id
WHERE run.id IN ({}) AND run.deleted_at IS NULL ORDER BY run.id"""
_ANSWERS: dict[str, Written] = {"arrays": typed, "lists": listed}
_VERSION = "1"  # of the answers: a new one, and no browser shows an old one from its cache


class WindowIn(Schema):
    """Which part of a series, and how finely."""

    first: Annotated[int | None, Field(alias="from", ge=-(2**63), lt=2**63)] = None
    last: Annotated[int | None, Field(alias="to", ge=-(2**63), lt=2**63)] = None
    px: Annotated[
        int, Field(ge=1, lt=2**31, description="Width of the chart; there are two columns a pixel.")
    ] = 500
    format: Literal["arrays", "lists"] = "arrays"

    @property
    def size(self) -> dict[str, Any]:
        """The window, as the reading functions take it."""
        return {"columns": 2 * self.px, "first": self.first, "last": self.last}


@router.get("/runs/{run_id}/series", response=list[SeriesOut], summary="A run's points")
def read_series(request: HttpRequest, run_id: int, metric: Word, after: int | None = None) -> HttpResponse:
    """Give every point of a metric, or those after a step; a metric of layers has one series for each.

    At most 1,000,000 points at a time: ``GET /api/series`` gives windows of any series, and
    ``/r/{run_id}/points.csv`` all points of a run.

    Step 0 of nnlab's own training is what was measured before the first update.
    """
    key = found(run_id).pk
    if sealed_points(key, metric, after) > MAX_POINTS:  # before they are read
        raise _too_many(key, metric)
    stored = Series.objects.filter(run=key, metric=metric).order_by("number")
    layers = dict(stored.values_list("number", "layer"))
    known = None if after is None else dict.fromkeys(layers, after)
    series = {points.number: points for points in read_points([key], [metric], after=known)}
    if sum(len(points.steps) for points in series.values()) > MAX_POINTS:
        raise _too_many(key, metric)
    answer = [_series(metric, layer, series.get(number)) for number, layer in layers.items()]
    return HttpResponse(
        orjson.dumps(answer, option=orjson.OPT_SERIALIZE_NUMPY), content_type="application/json"
    )


@router.get("/series", response=dict[str, Any], summary="Windows of the series of several runs")
def read_window(
    request: HttpRequest,
    runs: Annotated[str, Field(pattern=r"^\d{1,18}(,\d{1,18})*$")],
    metrics: Word,
    window: Query[WindowIn],
) -> HttpResponse:
    """Give at most 2 x ``px`` columns of each series from one step to another; every point is in one of them.

    ``runs`` and ``metrics`` are divided by commas; one within a name is written %2C.

    A series of ``kind`` points is complete: steps and values. One of columns has for each its first step, how
    many points it holds, and their least, greatest and mean value; NaN where none is finite. ``nonfinite``
    counts the others; ``flags`` adds 1 for NaN, 2 for infinity and 4 for negative infinity; both are left out
    where all is finite.
    """
    ids = sorted({int(text) for text in runs.split(",")})
    names = sorted({unquote(name) for name in metrics.split(",")})
    tag = _tag(ids, [names, window.dict()])
    if _is_known(request, tag):
        return _unchanged(tag)
    series = read_windows(ids, names, **window.size)
    write = _ANSWERS[window.format]
    return _answer({"series": [_window(one, write) for one in series]}, tag)


@router.get("/runs/{run_id}/heatmap", response=dict[str, Any], summary="A metric of a run's layers")
def read_heatmap(request: HttpRequest, run_id: Key, metric: Word, window: Query[WindowIn]) -> HttpResponse:
    """Give the mean and the greatest value of each layer in columns that all of them share.

    ``mean`` and ``maximum`` have a row a layer; NaN where no value is finite.
    """
    tag = _tag([run_id], [metric, window.dict()])
    if _is_known(request, tag):
        return _unchanged(tag)
    windows = read_windows([run_id], [metric], **window.size)
    layers, table = layer_table(windows, window.size["columns"])
    write = _ANSWERS[window.format]
    mean = _rounded(table.mean, table.maximum)
    columns = {"steps": write(table.steps), "mean": write(mean), "maximum": write(table.maximum)}
    return _answer({"run": run_id, "metric": metric, "layers": layers, **columns}, tag)


def _tag(ids: Sequence[int], asked: Sequence[Any]) -> str:
    """Name the state of runs and what is asked of them; while neither changes, no answer does.

    Raises:
        HttpError: 404 where a run does not exist, or is in the trash.
    """
    states = rows.fetch(_STATES.format(", ".join(["%s"] * len(ids))), ids)
    for run_id in sorted(set(ids) - {state[0] for state in states}):
        found(run_id)  # says in words what is wrong with it
    state = orjson.dumps([_VERSION, *map(list, states), *asked])
    return f'W/"{hashlib.blake2b(state, digest_size=16).hexdigest()}"'


def _is_known(request: HttpRequest, tag: str) -> bool:
    return tag in {text.strip() for text in request.headers.get("If-None-Match", "").split(",")}


def _unchanged(tag: str) -> HttpResponse:
    return HttpResponse(status=304, headers={"ETag": tag, "Cache-Control": "private, no-cache"})


def _answer(content: dict[str, Any], tag: str) -> HttpResponse:
    answer = HttpResponse(orjson.dumps(content), content_type="application/json")
    answer["ETag"] = tag
    answer["Cache-Control"] = "private, no-cache"  # kept, and asked for again each time
    return answer


def _window(window: SeriesWindow, write: Written) -> dict[str, Any]:
    buckets = window.buckets
    described = {"run": window.run_id, "metric": window.metric, "layer": window.layer}
    if buckets.points == len(buckets):
        values = _values(buckets.mean, buckets.flags)
        return {**described, "kind": "points", "steps": write(buckets.first_steps), "values": write(values)}
    columns: dict[str, NDArray[np.generic]] = {
        "steps": buckets.first_steps,
        "counts": buckets.counts,
        "minimum": buckets.minimum,
        "maximum": buckets.maximum,
        "mean": _rounded(buckets.mean, buckets.maximum),
    }
    if buckets.flags.any():
        columns |= {"nonfinite": buckets.nonfinite, "flags": buckets.flags}
    return {**described, "kind": "columns", **{name: write(column) for name, column in columns.items()}}


def _values(values: NDArray[np.float64], flags: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Give single points the values back that no mean can have."""
    kinds = [flags == NAN, flags == POSITIVE, flags == NEGATIVE]
    return np.select(kinds, [np.nan, np.inf, -np.inf], values) if flags.any() else values


def _rounded(means: NDArray[np.float64], values: NDArray[np.float64]) -> NDArray[np.floating]:
    """Round means to the width of the values that they are of, where that holds them."""
    with np.errstate(over="ignore"):
        narrow = means.astype(np.float32)
        is_narrow = np.array_equal(values.astype(np.float32), values, equal_nan=True)
    return narrow if is_narrow and np.array_equal(np.isinf(narrow), np.isinf(means)) else means


def _series(metric: str, layer: int | None, points: Points | None) -> dict[str, Any]:
    steps, values = no_points() if points is None else (points.steps, points.values)
    written = np.ascontiguousarray(values) if np.isfinite(values).all() else json_value(values.tolist())
    return {"metric": metric, "layer": layer, "steps": np.ascontiguousarray(steps), "values": written}


def _too_many(run_id: int, metric: str) -> HttpError:
    return HttpError(
        422,
        f"expected at most {MAX_POINTS:,} points of {metric!r} at a time, got more; ask for those after a "
        f"later step, for a window with GET /api/series, or for all of them with GET /r/{run_id}/points.csv",
    )
