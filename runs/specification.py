"""What a person asks for: a fixed part, the axes of a grid and the seeds; and the runs it expands to.

Web form, admin, API and command line all build a plain mapping and give it to ``parse``: one validation,
the engine's and the data package's own, with one set of messages.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import product
from math import prod
from pathlib import Path
from typing import Any

from nnlab.data.catalogue import Shape, check
from nnlab.data.config import DataConfig
from nnlab.data.errors import DataError
from nnlab.engine.config import MAX_LAYERS, TrainingConfig
from nnlab.engine.errors import ConfigError
from nnlab.engine.training import Plan, plan
from runs.submitted_values import Faults, read_grid, read_label, read_seeds, read_table

_KEYS = ("project", "name", "data", "training", "grid", "seeds")
_SHORTHANDS = ("depth", "width")


class SubmissionError(ValueError):
    """A specification that cannot be run.

    Args:
        errors: messages by field: a hyperparameter, ``dataset``, ``seeds``, ``grid``, ``project``, ``name``.
    """

    def __init__(self, errors: Mapping[str, Sequence[str]]) -> None:
        self.errors = {field: list(messages) for field, messages in errors.items()}
        super().__init__("; ".join(message for messages in self.errors.values() for message in messages))


@dataclass(frozen=True)
class Limits:
    """What one submission may ask for."""

    runs: int
    steps: int


@dataclass(frozen=True)
class Planned:
    """One run of a specification, ready to be stored.

    Args:
        group: names the configuration without its seed; equal for runs that differ by the seed only.
    """

    training: TrainingConfig
    group: str
    parameters: int
    steps: int


@dataclass(frozen=True)
class Specification:
    """A checked submission.

    Args:
        runs: every run it expands to: for each point of the grid, one a seed.
    """

    project: str
    name: str
    data: DataConfig
    training: Mapping[str, Any]
    grid: Mapping[str, Sequence[Any]]
    seeds: tuple[int, ...]
    shape: Shape
    runs: tuple[Planned, ...]

    @cached_property
    def canonical(self) -> dict[str, Any]:
        """The specification as plain values; parsing it again gives the same runs."""
        return {
            "project": self.project,
            "name": self.name,
            "data": self.data.to_dict(),
            "training": dict(self.training),
            "grid": {axis: list(values) for axis, values in self.grid.items()},
            "seeds": list(self.seeds),
        }


def parse(mapping: Mapping[str, Any], *, csv_folder: Path, limits: Limits) -> Specification:
    """Check a submission and expand it.

    Args:
        mapping: ``project`` and ``name``; ``data`` as DataConfig's fields; ``training`` as TrainingConfig's
            fields, with ``depth`` and ``width`` as a shorthand for equal layers; ``grid`` with a list of
            values for some of them; ``seeds`` as a list, or as a number n for the seeds 0 .. n-1.

    Raises:
        SubmissionError: with all that is wrong, by field; nothing was stored.
    """
    if not isinstance(mapping, Mapping):
        raise SubmissionError(
            {"specification": [f"expected a table of settings, got {type(mapping).__name__}"]}
        )
    faults = Faults()
    for key in mapping:
        if key not in _KEYS:
            faults.note(str(key), f"unknown key {key!r}; known are {', '.join(_KEYS)}")
    project, name = (faults.collect(read_label, key, mapping.get(key)) for key in ("project", "name"))
    seeds = faults.collect(read_seeds, mapping.get("seeds", 1))
    grid = faults.collect(read_grid, mapping.get("grid", {}))
    chosen = faults.collect(read_table, "data", mapping.get("data", {}))
    training = faults.collect(read_table, "training", mapping.get("training", {}))
    data, shape = (None, None) if chosen is None else _data(chosen, csv_folder, faults)
    _check_count(grid or {}, seeds or (0,), limits)
    configs = _networks(training or {}, grid or {}, shape, limits, faults)
    if faults.found or data is None or shape is None or seeds is None:
        raise SubmissionError(faults.found)
    planned = tuple(run for config in configs for run in _seeded(config, seeds, data, shape))
    return Specification(project or "", name or "", data, training or {}, grid or {}, seeds, shape, planned)


def group_of(data: DataConfig, training: TrainingConfig) -> str:
    """Name a configuration without its seed: 12 hex digits of the hash of its canonical JSON."""
    settings = {key: value for key, value in training.to_dict().items() if key != "seed"}
    text = json.dumps({"data": data.to_dict(), "training": settings}, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _data(
    settings: dict[str, Any], csv_folder: Path, faults: Faults
) -> tuple[DataConfig | None, Shape | None]:
    """Choose the data; note everything that is wrong with the choice, not only what is found first."""
    wrong = False
    while True:
        try:
            config = DataConfig.from_dict(settings)
            shape = check(config, csv_folder)
        except DataError as error:
            wrong = True
            faults.note(error.field, str(error))
            if error.field not in settings or error.field == "dataset":
                return None, None
            del settings[error.field]  # its default is fine, so the next look finds the next fault
        else:
            return (None, None) if wrong else (config, shape)


def _networks(
    training: Mapping[str, Any],
    grid: Mapping[str, Sequence[Any]],
    shape: Shape | None,
    limits: Limits,
    faults: Faults,
) -> list[TrainingConfig]:
    """Build every point of the grid; a network that two points describe alike is trained once."""
    found: dict[TrainingConfig, None] = {}
    for point in _points(grid):
        config = _checked({**training, **point}, shape, limits, faults)
        if config is not None:
            found[config] = None
    return list(found)


def _checked(
    settings: dict[str, Any], shape: Shape | None, limits: Limits, faults: Faults
) -> TrainingConfig | None:
    """Build one network; note everything that is wrong with it, not only what is found first."""
    wrong = False
    while True:
        try:
            config = _network(settings)
            if shape is not None:
                _check_effort(config, shape, limits)
        except ConfigError as error:
            wrong = True
            field = _shown_field(error.field, settings)
            faults.note(field, str(error).replace(f"{error.field}:", f"{field}:", 1))
            if field not in settings:
                return None
            del settings[field]
        else:
            return None if wrong else config


def _seeded(
    config: TrainingConfig, seeds: Sequence[int], data: DataConfig, shape: Shape
) -> Iterator[Planned]:
    """Plan a network once and give it every seed: neither its cost nor its group depends on it."""
    cost, group = _cost(config, shape), group_of(data, config)
    for seed in seeds:
        yield Planned(replace(config, seed=seed), group, cost.parameters, cost.steps)


def _cost(config: TrainingConfig, shape: Shape) -> Plan:
    return plan(config, task=shape.task, inputs=shape.inputs, outputs=shape.outputs, rows=shape.train_rows)


def _check_effort(config: TrainingConfig, shape: Shape, limits: Limits) -> None:
    steps = _cost(config, shape).steps
    if steps > limits.steps:
        field = "steps" if config.steps is not None else "epochs"
        raise ConfigError(
            field, f"expected at most {limits.steps:,} steps a run, got {steps:,}; train for less"
        )


def _network(settings: Mapping[str, Any]) -> TrainingConfig:
    """Build a configuration, with depth and width written out as layers."""
    plain = {key: value for key, value in settings.items() if key not in _SHORTHANDS}
    if "seed" in plain:
        raise ConfigError("seed", "a sweep's seeds stand in 'seeds', not in 'training' or 'grid'")
    if any(key in settings for key in _SHORTHANDS):
        if "hidden_units" in plain:
            raise ConfigError(
                "hidden_units", "expected depth and width, or hidden_units, got both; leave one out"
            )
        plain["hidden_units"] = _layers(settings.get("depth", 1), settings.get("width", 64))
    return TrainingConfig.from_dict(plain)


def _layers(depth: object, width: object) -> list[object]:
    if isinstance(depth, bool) or not isinstance(depth, int) or not 0 <= depth <= MAX_LAYERS:
        raise ConfigError("depth", f"expected a whole number of layers from 0 to {MAX_LAYERS}, got {depth!r}")
    return [width] * depth


def _points(grid: Mapping[str, Sequence[Any]]) -> Iterator[dict[str, Any]]:
    for values in product(*grid.values()):
        yield dict(zip(grid, values, strict=True))


def _check_count(grid: Mapping[str, Sequence[Any]], seeds: Sequence[int], limits: Limits) -> None:
    """Count before expanding: a sweep of a million runs must cost nothing."""
    runs = prod(len(values) for values in grid.values()) * len(seeds)
    if runs > limits.runs:
        factors = " x ".join(f"{len(values)} {axis}" for axis, values in (*grid.items(), ("seeds", seeds)))
        raise SubmissionError(
            {
                "grid": [
                    f"grid: expected at most {limits.runs:,} runs, got {runs:,} ({factors}); try fewer values"
                ]
            }
        )


def _shown_field(field: str, settings: Mapping[str, Any]) -> str:
    """Name the field that the person filled in: layers may have come from depth and width."""
    from_width = field == "hidden_units" and field not in settings and "width" in settings
    return "width" if from_width else field
