"""What an outside run says of itself: its configuration, and the columns that it fills."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any, NamedTuple

from runs.store.params import ParamsError, flattened
from runs.submitted.specification import SubmissionError

MAX_BYTES = 256 * 1024  # of a configuration as JSON
_INT32, _INT64 = 2**31 - 1, 2**63 - 1


class _Column(NamedTuple):
    """A column of the run, and the parameters that may fill it; the first that fits does."""

    name: str
    parameters: tuple[str, ...]
    low: float = 0
    high: float = math.inf
    whole: bool = False


_NUMBERS = (
    _Column("depth", ("depth",), 0, _INT32, whole=True),
    _Column("width", ("width",), 1, _INT32, whole=True),
    _Column("dropout", ("dropout",), 0, 1),
    _Column("learning_rate", ("learning_rate", "lr")),
    _Column("batch_size", ("batch_size",), 1, _INT32, whole=True),
    _Column("seed", ("seed",), -(2**63), _INT64, whole=True),
    _Column("parameters", ("parameters",), 0, _INT64, whole=True),
    _Column("steps_requested", ("steps",), 1, _INT64, whole=True),
)
_TEXTS = {"activation": 100, "optimizer": 20, "dataset": 250}  # characters that the columns hold
_LOWER = frozenset({"activation", "optimizer"})  # as the engine spells them, so that runs compare


def checked(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return a configuration that can be stored and shown.

    Raises:
        SubmissionError: for one that is too large, or that cannot be flattened into parameters.
    """
    try:
        flattened(config)
    except ParamsError as error:
        raise SubmissionError({"config": [str(error)]}) from error
    text = json.dumps(config)
    if len(text) > MAX_BYTES:
        raise SubmissionError(
            {"config": [f"expected at most {MAX_BYTES:,} bytes of JSON, got {len(text):,}; leave some out"]}
        )
    if "\\u0000" in text.replace("\\\\", ""):  # a backslash before it would make it a text about NUL
        raise SubmissionError({"config": ["expected texts without NUL characters; take them out"]})
    return dict(config)


def merged(config: Mapping[str, Any], news: Mapping[str, Any]) -> dict[str, Any]:
    """Add parameters to a configuration: new values replace old ones, tables are merged."""
    result = dict(config)
    for key, value in news.items():
        old = result.get(key)
        are_tables = isinstance(old, Mapping) and isinstance(value, Mapping)
        result[key] = merged(result[key], value) if are_tables else value
    return result


def columns(config: Mapping[str, Any]) -> dict[str, Any]:
    """Fill the columns by which runs are compared, where the configuration has a value that fits.

    A parameter of the configuration itself counts before one of its tables, the first of these before others.
    """
    named: dict[str, list[Any]] = {}
    for _, name, value in sorted(_leaves(config, 0), key=lambda leaf: leaf[0]):
        named.setdefault(name, []).append(value)

    def first(read: Callable[[Any], Any], *parameters: str) -> Any:
        readings = (read(value) for parameter in parameters for value in named.get(parameter, ()))
        return next((reading for reading in readings if reading is not None), None)

    numbers = {column.name: first(partial(_number, column), *column.parameters) for column in _NUMBERS}
    texts = {name: first(partial(_text, most), name) or "" for name, most in _TEXTS.items()}
    lowered = {name: texts[name].lower() for name in _LOWER}
    return {**numbers, **texts, **lowered, "group": _group(config)}


def _leaves(config: Mapping[str, Any], depth: int) -> Iterator[tuple[int, str, Any]]:
    for name, value in config.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, depth + 1)
        else:
            yield depth, name, value


def _number(column: _Column, value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    if not column.low <= value <= column.high or math.isinf(value):
        return None
    if not column.whole:
        return float(value)
    return int(value) if value == int(value) else None


def _text(most: int, value: Any) -> str | None:
    text = value.strip() if isinstance(value, str) else ""
    return text if 0 < len(text) <= most else None


def _group(config: Mapping[str, Any]) -> str:
    """Name a configuration without its seed, so that seeds of one setting are compared as one."""
    text = json.dumps(_without_seed(config), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _without_seed(config: Mapping[str, Any]) -> dict[str, Any]:
    return {
        key: _without_seed(value) if isinstance(value, Mapping) else value
        for key, value in config.items()
        if key != "seed"
    }
