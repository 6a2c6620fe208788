"""How a submission is searched: its method, its space, its goal, and what stops losing runs."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from nnlab.engine.config import MAX_EPOCHS, MAX_SEED, MAX_STEPS, TrainingConfig
from nnlab.engine.config_checks import choice, integer, suggestion
from nnlab.engine.errors import ConfigError
from nnlab.search.errors import SearchError
from nnlab.search.halving import MAX_FACTOR
from nnlab.search.space import Axis, Choices, Range, Space
from nnlab.search.stopping import Threshold
from runs.submitted.search_plans import Median, Method, Rule, Rungs, SearchPlan
from runs.submitted.values import Faults, read_table

MAX_TRIALS = 100_000
MAX_PARALLEL = 1000
MAX_RULES = 10
_KEYS = ("method", "trials", "seed", "space", "goal", "parallel", "halving", "stop_rules")
_FIELDS = {field.name: str(field.type) for field in fields(TrainingConfig)}
_WHOLE = {"depth", "width"} | {name for name, kind in _FIELDS.items() if kind in {"int", "int | None"}}
_REAL = {name for name, kind in _FIELDS.items() if kind.startswith("float")}


def read_search(value: object, faults: Faults) -> SearchPlan | None:
    """Read the table of a search; None where it is wrong, and all that is wrong is noted."""
    table = faults.collect(read_table, "search", value)
    if table is None:
        return None
    before = faults.count
    for key in table:
        if key not in _KEYS:
            near = suggestion(key, _KEYS) or f"; known are {', '.join(_KEYS)}"
            faults.note("search", f"search: unknown key {key!r}{near}")
    found: dict[str, Any] = {"method": faults.collect(_method, table.get("method", "grid"))}
    found["halving"] = faults.collect(_rungs, table.get("halving"))
    found["rules"] = faults.collect(_rules, table.get("stop_rules", ()))
    found["goal"] = faults.collect(_text, "search.goal", table.get("goal", ""))
    if found["method"] is Method.GRID:
        for key in ("trials", "seed", "space", "parallel"):
            if key in table:
                faults.note(f"search.{key}", f"search.{key}: only for other methods than grid")
    elif found["method"]:
        found |= _points(table, faults)
    return None if faults.count > before else SearchPlan(**found)


def _points(table: Mapping[str, Any], faults: Faults) -> dict[str, Any]:
    """Read what the methods that choose points themselves need."""
    space = _space(table.get("space"), faults)
    trials = faults.collect(_whole, "search.trials", table.get("trials"), 1, MAX_TRIALS)
    parallel = table.get("parallel", SearchPlan.parallel)
    if space is not None and space.count is not None and trials is not None and trials > space.count:
        most = f"{space.count:,}, as many points as the space has"
        faults.note("search.trials", f"search.trials: expected at most {most}, got {trials:,}")
    return {
        "trials": trials,
        "seed": faults.collect(_whole, "search.seed", table.get("seed", 0), 0, MAX_SEED),
        "space": space,
        "parallel": faults.collect(_whole, "search.parallel", parallel, 1, MAX_PARALLEL),
    }


def _method(value: object) -> Method:
    choice("search.method", value, tuple(Method))
    return Method(str(value))


def _space(value: object, faults: Faults) -> Space | None:
    table = faults.collect(read_table, "search.space", value)
    if table is None:
        return None
    axes = {str(name): faults.collect(_axis, str(name), axis) for name, axis in table.items()}
    try:
        return Space({name: axis for name, axis in axes.items() if axis is not None})
    except SearchError as error:
        if not table:
            faults.note("search.space", f"search.space: {error}")
        return None


def _axis(name: str, value: object) -> Axis:
    try:
        if isinstance(value, list | tuple):
            return Choices(tuple(value))
        if isinstance(value, Mapping):
            return _range(name, value)
    except SearchError as error:
        raise ConfigError(name, str(error)) from error
    raise ConfigError(name, f"expected a table with low and high, or a list of choices, got {value!r}")


def _range(name: str, table: Mapping[str, Any]) -> Range:
    for key in table:
        if key not in {"low", "high", "log", "step"}:
            raise ConfigError(name, f"unknown key {key!r} of a range; known are low, high, log, step")
    if name in _FIELDS and name not in _WHOLE | _REAL:
        raise ConfigError(name, "expected a list of choices, got a range; it is not a number")
    log = table.get("log", False)
    if not isinstance(log, bool):
        raise ConfigError(name, f"expected true or false as log, got {log!r}")
    low, high = (_real(name, key, table.get(key)) for key in ("low", "high"))
    step = None if table.get("step") is None else _real(name, "step", table["step"])
    return Range(low, high, log=log, whole=name in _WHOLE, step=step)


def _real(name: str, key: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= 1e300:
        raise ConfigError(name, f"expected a finite number as {key}, got {value!r}")
    return value


def _rungs(value: object) -> Rungs | None:
    if value is None:
        return None
    table = read_table("search.halving", value)
    first = [key for key in ("first_epochs", "first_steps") if key in table]
    unknown = [key for key in table if key not in {"factor", "first_epochs", "first_steps"}]
    if len(first) != 1 or unknown:
        raise ConfigError(
            "search.halving",
            "expected factor and one of first_epochs and first_steps, got "
            + (", ".join(map(str, table)) or "nothing"),
        )
    most = MAX_EPOCHS if first == ["first_epochs"] else MAX_STEPS
    return Rungs(
        _whole("search.halving", table.get("factor", 3), 2, MAX_FACTOR, "factor"),
        _whole("search.halving", table[first[0]], 1, most, first[0]),
        first == ["first_epochs"],
    )


def _rules(value: object) -> tuple[Rule, ...]:
    if not isinstance(value, list | tuple) or len(value) > MAX_RULES:
        raise ConfigError("search.stop_rules", f"expected a list of at most {MAX_RULES}, got {value!r}")
    rules = tuple(_rule(f"rule {place}", one) for place, one in enumerate(value, start=1))
    if sum(isinstance(rule, Median) for rule in rules) > 1:
        raise ConfigError("search.stop_rules", "expected one median rule at most, got several")
    return rules


def _rule(which: str, value: object) -> Rule:
    field = "search.stop_rules"
    table = read_table(field, value)
    known = {"metric", "above", "below", "median", "after_step"}
    if unknown := [key for key in table if key not in known]:
        raise ConfigError(field, f"{which}: unknown key {unknown[0]!r}; known are {', '.join(sorted(known))}")
    if table.get("median") is not None:
        if table["median"] is not True or {"metric", "above", "below"} & set(table):
            raise ConfigError(field, f"{which}: expected median = true with after_step alone")
        return Median(_whole(field, table.get("after_step"), 1, MAX_STEPS, f"{which}: after_step"))
    after = _whole(field, table.get("after_step", 0), 0, MAX_STEPS, f"{which}: after_step")
    bounds = {key: _bound(field, which, table[key]) for key in ("above", "below") if key in table}
    try:
        return Threshold(
            _text(field, table.get("metric", "")), bounds.get("above"), bounds.get("below"), after
        )
    except SearchError as error:
        raise ConfigError(field, f"{which}: {error}") from error


def _bound(field: str, which: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ConfigError(field, f"{which}: expected a finite number as bound, got {value!r}")
    return float(value)


def _text(field: str, value: object) -> str:
    if not isinstance(value, str):
        raise ConfigError(field, f"expected the name of a metric, got {value!r}")
    return value.strip()


def _whole(field: str, value: object, low: int, high: int, name: str = "") -> int:
    try:
        return integer(field, value, low, high)
    except ConfigError as error:
        if not name:
            raise
        raise ConfigError(field, f"{name}: {str(error).removeprefix(f'{field}: ')}") from error
