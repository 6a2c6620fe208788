"""Bodies of points: JSON as MLflow's clients send it, and the binary batch."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Annotated, Any, NamedTuple

import msgspec
import numpy as np

from nnlab.series.batch import FloatArray, IntArray, Key, Points
from nnlab.series.errors import SeriesError
from nnlab.series.names import MAX_LAYER, checked_layer, checked_metric
from runs.api.bodies import check_keys, read_json

CLOCK = "_t"
_FIELDS = frozenset({"key", "value", "step", "timestamp", "layer"})
_MLFLOWS_OWN = frozenset({"dataset_name", "dataset_digest", "model_id", "run_id"})
_SPELLED = {"NaN": np.nan, "Infinity": np.inf, "-Infinity": -np.inf}


class _Item(msgspec.Struct, gc=False, forbid_unknown_fields=True):
    """A metric of a body in the form in which nearly all come; what differs is read from plain tables."""

    key: str
    value: float
    step: Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)] = 0
    timestamp: float | None = None
    layer: Annotated[int, msgspec.Meta(ge=0, le=MAX_LAYER)] | None = None


class _Body(msgspec.Struct, forbid_unknown_fields=True):
    """The table of such a body; of its other fields nothing is checked yet."""

    metrics: list[_Item] = msgspec.field(default_factory=list)
    writer: Any = None
    batch: Any = None
    run_id: Any = None
    params: Any = None
    tags: Any = None


_DECODER = msgspec.json.Decoder(_Body)
_NOT_READ = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


class Metrics(NamedTuple):
    """The points of a JSON body.

    Args:
        clock: steps, and the time of each in milliseconds since 1970; None where no item has a time.
    """

    points: dict[Key, Points]
    clock: Points | None


class _Columns(NamedTuple):
    """The items of a body, field by field; ``times`` and ``layers`` are empty where no item has one."""

    keys: Sequence[str]
    values: Sequence[float]
    steps: Sequence[int]
    times: Sequence[float | None] = ()
    layers: Sequence[int | None] = ()


def read_log(body: bytes) -> dict[str, Any]:
    """Read a JSON body as a table; its metrics are for ``read_metrics``.

    Raises:
        HttpError: 422 for one that is no table of the fields that a body has.
    """
    try:
        return msgspec.structs.asdict(_DECODER.decode(body))
    except _NOT_READ:
        table = read_json(body)  # it differs, or is wrong; orjson's tables tell which
        check_keys(table, _Body.__struct_fields__)
        return table


def read_metrics(items: Sequence[Any]) -> Metrics:
    """Sort the items of a JSON body by their metric, in the order in which they came.

    Raises:
        SeriesError: naming the position of the first item that is wrong.
    """
    if not items:
        return Metrics({}, None)
    found = _at_once(items) if isinstance(items[0], _Item) else _one_by_one(items)
    steps = np.array(found.steps, np.int64)
    values = np.array(found.values, np.float64)
    return Metrics(_grouped(found, steps, values), _clock(found, steps))


def _at_once(items: Sequence[_Item]) -> _Columns:
    layers = [item.layer for item in items]
    times = [item.timestamp for item in items]
    return _Columns(
        [item.key for item in items],
        [item.value for item in items],
        [item.step for item in items],
        times if any(time is not None for time in times) else (),
        layers if any(layer is not None for layer in layers) else (),
    )


def _one_by_one(items: Sequence[Any]) -> _Columns:
    rows = []
    for position, item in enumerate(items):
        try:
            rows.append(_item(item))
        except SeriesError as error:
            raise SeriesError(f"metrics[{position}]: {error}") from error
    return _Columns(*zip(*rows, strict=True))


def _item(item: Any) -> tuple[str, float, int, float | None, int | None]:
    if not isinstance(item, dict):
        raise SeriesError(f"expected a table with key, value and step, got {type(item).__name__}")
    unknown = item.keys() - _FIELDS - _MLFLOWS_OWN
    if unknown:
        raise SeriesError(f"expected {', '.join(sorted(_FIELDS))}, got {min(unknown)[:60]!r}")
    key = item.get("key")
    if not isinstance(key, str):
        raise SeriesError(f"expected key, a text, got {type(key).__name__}")
    if "value" not in item:
        raise SeriesError("expected value, a number, got none")
    step = _whole("step", item.get("step", 0), -(2**63), 2**63 - 1)
    time, layer = item.get("timestamp"), item.get("layer")
    if time is not None and (isinstance(time, bool) or not isinstance(time, int | float)):
        raise SeriesError(f"expected timestamp in milliseconds, got {str(time)[:40]!r}")
    if layer is not None:
        checked_layer(_whole("layer", layer, -(2**63), 2**63 - 1))
    return key, _value(item["value"]), step, time, layer


def _value(value: Any) -> float:
    if value is None:
        return np.nan
    if isinstance(value, str) and value in _SPELLED:
        return float(_SPELLED[value])
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise SeriesError(
            f"expected value, a number, null, or NaN, Infinity or -Infinity as text, got {str(value)[:40]!r}"
        )
    return float(value)


def _whole(field: str, value: Any, low: int, high: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise SeriesError(f"expected {field}, a whole number of 64 bits, got {str(value)[:40]!r}")
    return value


def _grouped(found: _Columns, steps: IntArray, values: FloatArray) -> dict[Key, Points]:
    """Give every key its points."""
    keys: Sequence[Any] = list(zip(found.keys, found.layers, strict=True)) if found.layers else found.keys
    places = {key: place for place, key in enumerate(dict.fromkeys(keys))}
    names = [_key(key, found.keys) for key in places]
    if len(names) == 1:
        return {names[0]: (steps, values)}
    of_items = np.fromiter(map(places.__getitem__, keys), np.intp, len(keys))
    order = np.argsort(of_items, kind="stable")
    edges = np.append(0, np.cumsum(np.bincount(of_items)))
    steps, values = steps[order], values[order]
    return {
        name: (steps[start:stop], values[start:stop])
        for name, (start, stop) in zip(names, pairwise(edges.tolist()), strict=True)
    }


def _key(key: Any, keys: Sequence[str]) -> Key:
    metric, layer = (key, None) if isinstance(key, str) else key
    try:
        if metric == CLOCK:
            raise SeriesError(f"{CLOCK!r} is the run's clock; send timestamps instead")
        return checked_metric(metric), layer
    except SeriesError as error:
        raise SeriesError(f"metrics[{keys.index(metric)}]: {error}") from error


def _clock(found: _Columns, steps: IntArray) -> Points | None:
    """Return the last time of each step, in the order of their first appearance."""
    if not found.times:
        return None
    timed = zip(found.steps, found.times, strict=True)
    of_steps = dict(timed if None not in found.times else (pair for pair in timed if pair[1] is not None))
    if not of_steps:
        return None
    known = steps if len(of_steps) == len(steps) else np.array(list(of_steps), np.int64)
    return known, np.fromiter(of_steps.values(), np.float64, len(of_steps))
