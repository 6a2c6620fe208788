"""The plain values of a question, each read and checked by itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

from nnlab.engine.config import ACTIVATIONS, MAX_LAYERS, MAX_WIDTH
from nnlab.engine.config_checks import choice, integer, number
from nnlab.engine.errors import ConfigError
from nnlab.engine.sizes import MAX_PARAMETERS
from runs.questions.cells import BUDGETS, FACTORS, MAX_CELLS
from runs.submitted.values import Faults, read_label, read_seeds, read_table

MAX_RATES = 20
MAX_NAME = 80  # leaves room for what names its sweeps
_OWN = ("hidden_units", "width", "depth", "activation", "dropout", "learning_rate")
_KEYS = (
    *("project", "name", "data", "training", *FACTORS, "budget", "learning_rates"),
    *("tuning_seeds", "seeds", "metric", "margin", "job"),
)
_USUAL: dict[str, Sequence[Any]] = {"depth": [1], "activation": ["relu"], "dropout": [0.0]}
DEFAULT_MARGINS = {"val_accuracy": 0.01}


@dataclass(frozen=True)
class Read:
    """What was asked.

    Args:
        levels: of depth, activation and dropout.
        learning_rates: the budget of the tuning, from the smallest to the largest.
        seeds: those that answer; none of them is among ``tuning_seeds``.
        metric: empty for the usual one.
        margin: the smallest difference that matters; None where nobody said.
    """

    project: str
    name: str
    data: Mapping[str, Any]
    training: Mapping[str, Any]
    levels: Mapping[str, Sequence[Any]]
    budget: tuple[str, int]
    learning_rates: Sequence[float]
    tuning_seeds: Sequence[int]
    seeds: Sequence[int]
    metric: str
    margin: float | None
    job: Mapping[str, Any]

    @property
    def canonical(self) -> dict[str, Any]:
        """The question as plain values; reading it again gives the same."""
        return {
            "project": self.project,
            "name": self.name,
            "data": dict(self.data),
            "training": dict(self.training),
            **{factor: list(levels) for factor, levels in self.levels.items()},
            "budget": {self.budget[0]: self.budget[1]},
            "learning_rates": list(self.learning_rates),
            "tuning_seeds": list(self.tuning_seeds),
            "seeds": list(self.seeds),
            **({"metric": self.metric} if self.metric else {}),
            **({} if self.margin is None else {"margin": self.margin}),
            **({"job": dict(self.job)} if self.job else {}),
        }


def read(mapping: Mapping[str, Any], faults: Faults) -> Read | None:
    """Read a question; note all that is wrong. Returns None where something is."""
    for key in mapping:
        if key not in _KEYS:
            faults.note(str(key), f"unknown key {key!r}; known are {', '.join(_KEYS)}")
    project = faults.collect(read_label, "project", mapping.get("project"))
    name = faults.collect(_name, mapping.get("name"))
    data, job = (faults.collect(read_table, field, mapping.get(field, {})) for field in ("data", "job"))
    training = faults.collect(_training, mapping.get("training", {}))
    levels = {factor: faults.collect(_levels, factor, mapping.get(factor)) or () for factor in FACTORS}
    if all(levels.values()):
        faults.collect(_check_cells, levels)
    budget = faults.collect(_budget, mapping.get("budget"))
    rates = faults.collect(_rates, mapping.get("learning_rates"))
    tuning = faults.collect(_tuning_seeds, mapping.get("tuning_seeds", 2))
    seeds = faults.collect(_fresh_seeds, mapping.get("seeds", 5), tuning or ())
    metric = faults.collect(_text, mapping.get("metric", ""))
    margin = faults.collect(_margin, mapping.get("margin"))
    # Spelled out: a value that is empty is not one that was refused.
    if faults.found or project is None or name is None or data is None or training is None:
        return None
    if budget is None or rates is None or tuning is None or seeds is None or metric is None or job is None:
        return None
    return Read(project, name, data, training, levels, budget, rates, tuning, seeds, metric, margin, job)


def _name(value: object) -> str:
    name = read_label("name", value)
    if len(name) > MAX_NAME:
        raise ConfigError("name", f"expected at most {MAX_NAME} characters, got {len(name)}")
    return name


def _training(value: object) -> dict[str, Any]:
    table = read_table("training", value)
    for key in table:
        if key in _OWN:
            raise ConfigError(
                "training", f"{key} is what a question chooses itself; leave it out of the training"
            )
    return table


def _levels(factor: str, value: object) -> tuple[Any, ...]:
    if value is None:
        return tuple(_USUAL[factor])
    values = list(value) if isinstance(value, list | tuple) else [value]
    if not values:
        raise ConfigError(factor, "expected at least one value, got none")
    for one in values:
        if factor == "depth":
            integer(factor, one, 1, MAX_LAYERS)
        elif factor == "activation":
            choice(factor, one, ACTIVATIONS)
        else:
            number(factor, one, 0.0, below=1.0)
    return tuple(dict.fromkeys(values))


def _check_cells(levels: Mapping[str, Sequence[Any]]) -> None:
    cells = prod(len(values) for values in levels.values())
    if cells == 1:
        raise ConfigError(
            "depth",
            "expected several values of depth, activation or dropout, to be compared; got one of each",
        )
    if cells > MAX_CELLS:
        raise ConfigError(
            "depth", f"expected at most {MAX_CELLS} networks to compare, got {cells}; ask for fewer values"
        )


def _budget(value: object) -> tuple[str, int]:
    table = read_table("budget", value)
    if len(table) != 1 or next(iter(table)) not in BUDGETS:
        raise ConfigError("budget", f"expected one of {', '.join(BUDGETS)} with a number, got {table!r}")
    kind, amount = next(iter(table.items()))
    most = MAX_WIDTH if kind == "width" else MAX_PARAMETERS
    return kind, integer("budget", amount, 1, most)


def _rates(value: object) -> tuple[float, ...]:
    """Read rates to try, or a range of so many, evenly spaced in the logarithm."""
    field = "learning_rates"
    if isinstance(value, Mapping):
        unknown = set(value) - {"low", "high", "values"}
        if unknown or len(value) != 3:
            raise ConfigError(
                field, f"expected low, high and values, got {', '.join(map(str, value)) or 'none'}"
            )
        low = number(field, value["low"], 0.0, above=True)
        high = number(field, value["high"], low, above=True)
        count = integer(field, value["values"], 2, MAX_RATES)
        return tuple(float(f"{rate:.3g}") for rate in np.geomspace(low, high, count))
    if not isinstance(value, list | tuple) or not 1 <= len(value) <= MAX_RATES:
        got = f"{len(value)} values" if isinstance(value, list | tuple) else repr(value)
        raise ConfigError(
            field, f"expected a list of 1 to {MAX_RATES} rates, or low, high and values, got {got}"
        )
    return tuple(sorted({number(field, rate, 0.0, above=True) for rate in value}))


def _tuning_seeds(value: object) -> tuple[int, ...]:
    try:
        return read_seeds(value)
    except ConfigError as error:
        raise ConfigError("tuning_seeds", str(error).removeprefix("seeds: ")) from error


def _fresh_seeds(value: object, tuning: Sequence[int]) -> tuple[int, ...]:
    """Read the seeds that answer; a number of them counts up from the last one that tunes."""
    seeds = read_seeds(value)
    if isinstance(value, int):
        first = max(tuning, default=-1) + 1
        seeds = tuple(first + seed for seed in seeds)
    if len(seeds) < 2:
        raise ConfigError("seeds", "expected at least 2 seeds, got 1: a single one has no interval")
    if both := [seed for seed in seeds if seed in tuning]:
        raise ConfigError(
            "seeds", f"expected seeds that no learning rate is tuned on, got {', '.join(map(str, both[:5]))}"
        )
    return seeds


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise ConfigError("metric", f"expected the name of a metric, got {value!r}")
    return value.strip()


def _margin(value: object) -> float | None:
    return None if value is None else number("margin", value, 0.0, above=True)
