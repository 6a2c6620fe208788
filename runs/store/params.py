"""The configuration of a run, as typed rows: what the runs table filters by."""

from __future__ import annotations

import json
import math
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any, NamedTuple

from django.db import transaction

from runs.models import Run, RunParam
from runs.store import rows
from runs.store.names import name_ids

MAX_PARAMS = 500  # of one run
MAX_NAME = 250
MAX_TEXT = 250
MAX_DEPTH = 20  # tables within tables
_SEED = "training.seed"
_COLUMNS = ("run_id", "name_id", "project_id", "number", "text")


class ParamsError(ValueError):
    """A configuration that cannot be flattened into parameters."""


class Param(NamedTuple):
    """A value: a number, a text, or both where it is true or false."""

    number: float | None
    text: str | None


def flattened(config: Mapping[str, Any]) -> dict[str, Param]:
    """Write a configuration as parameters, with dots between the names of nested tables.

    None is left out. A list is its values with commas between them; a text is cut to 250 characters. What
    no number of the database is, such as NaN, is a text.

    Raises:
        ParamsError: for a name that is empty, longer than 250 characters or has control characters, a name
            that two values lay claim to, more than 500 parameters, or more than 20 tables in each other.
    """
    found: dict[str, Param] = {}
    for name, value in _leaves("", config, 0):
        if name in found:
            raise ParamsError(f"expected one value for the parameter {name!r}, got two; rename one")
        if len(found) == MAX_PARAMS:
            raise ParamsError(f"expected at most {MAX_PARAMS} parameters, got more; leave some out")
        found[name] = _param(value)
    return found


def write_params(run: Run) -> None:
    """Write a run's configuration in place of what was written before.

    Raises:
        ParamsError: as ``flattened`` does; nothing is written then.
    """
    found = flattened(run.config)
    with transaction.atomic():
        RunParam.objects.filter(run=run).delete()
        _insert([(run, found)])


def write_params_of(runs: Iterable[Run]) -> None:
    """Write the configurations of the engine's runs that have none written yet.

    Those of a group differ by nothing but their seeds, so one of each is flattened.

    Raises:
        ParamsError: as ``flattened`` does; nothing is written then.
    """
    flat, of_group = [], {}
    for run in runs:
        if run.group not in of_group:
            of_group[run.group] = flattened(run.config)
        flat.append((run, of_group[run.group] | {_SEED: _param(run.seed)}))
    with transaction.atomic():
        _insert(flat)


def _insert(flat: list[tuple[Run, dict[str, Param]]]) -> None:
    ids = name_ids({name for _, found in flat for name in found})
    rows.load(
        "runs_runparam",
        _COLUMNS,
        ((run.pk, ids[name], run.project_id, *param) for run, found in flat for name, param in found.items()),
    )


def _leaves(prefix: str, table: Mapping[str, Any], depth: int) -> Iterator[tuple[str, Any]]:
    if depth > MAX_DEPTH:
        raise ParamsError(f"expected at most {MAX_DEPTH} tables in each other, got more in {prefix[:60]!r}")
    for key, value in table.items():
        name = f"{prefix}{key}"
        if isinstance(value, Mapping):
            yield from _leaves(f"{name}.", value, depth + 1)
        elif value is not None:
            _check_name(name)
            yield name, value


@lru_cache(1_000)  # the runs of a sweep have the same ones
def _check_name(name: str) -> None:
    if not 1 <= len(name) <= MAX_NAME:
        raise ParamsError(
            f"expected a parameter's name of 1 to {MAX_NAME} characters, got {len(name)}: {name[:60]!r}"
        )
    if any(unicodedata.category(character).startswith("C") for character in name):
        raise ParamsError(f"expected a parameter's name without control characters, got {name[:60]!r}")


def _param(value: Any) -> Param:
    if isinstance(value, bool):
        return Param(float(value), "true" if value else "false")
    if isinstance(value, int | float) and math.isfinite(number := _float(value)):
        return Param(number, None)
    return Param(None, _storable(_text(value))[:MAX_TEXT])


def _float(value: float) -> float:
    try:
        return float(value)
    except OverflowError:  # an integer beyond 1.8e308
        return math.inf


def _text(value: Any) -> str:
    if isinstance(value, list | tuple):
        if any(isinstance(item, list | tuple | Mapping) for item in value):
            return json.dumps(value, separators=(",", ":"))
        return ",".join(_text(item) for item in value)
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)


def _storable(text: str) -> str:
    """Take out what PostgreSQL cannot store: NUL, and halves of characters."""
    return text.replace("\x00", "").encode("utf-8", "replace").decode()
