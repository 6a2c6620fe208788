"""One network of a submission: its settings, with depth and width as a shorthand, checked and costed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from nnlab.data.catalogue import Shape
from nnlab.engine.config import MAX_LAYERS, TrainingConfig
from nnlab.engine.errors import ConfigError
from nnlab.engine.training import Plan, plan
from runs.submitted.values import Faults

_SHORTHANDS = ("depth", "width")


@dataclass(frozen=True)
class Limits:
    """What one submission may ask for.

    Args:
        time_limit: seconds of an attempt at a run.
        memory_limit_mb: of one run.
    """

    runs: int
    steps: int
    time_limit: int = 86_400
    memory_limit_mb: int = 65_536


def checked(
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


def cost(config: TrainingConfig, shape: Shape) -> Plan:
    """Count the parameters and steps of a network, without its data."""
    return plan(config, task=shape.task, inputs=shape.inputs, outputs=shape.outputs, rows=shape.train_rows)


def _check_effort(config: TrainingConfig, shape: Shape, limits: Limits) -> None:
    steps = cost(config, shape).steps
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


def _shown_field(field: str, settings: Mapping[str, Any]) -> str:
    """Name the field that the person filled in: layers may have come from depth and width."""
    from_width = field == "hidden_units" and field not in settings and "width" in settings
    return "width" if from_width else field
