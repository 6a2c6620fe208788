"""The networks that a question compares, each as large as the others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import product
from typing import Any, Self

from nnlab.data.catalogue import Shape
from nnlab.engine.config import TrainingConfig
from nnlab.engine.errors import ConfigError
from nnlab.engine.sizes import multiply_adds, parameter_count
from nnlab.search.errors import SearchError
from nnlab.search.parity import Layers, fit
from runs.submitted.values import Faults

FACTORS = ("depth", "activation", "dropout")
BUDGETS = ("parameters", "multiply_adds", "width")
MAX_CELLS = 12  # compared in pairs: 66 of them at most


@dataclass(frozen=True)
class Budget:
    """What all networks have in common.

    Args:
        kind: one of ``BUDGETS``; ``width`` compares layers of that many units, so networks of unequal size.
    """

    kind: str
    value: int

    @property
    def is_equal(self) -> bool:
        """Whether it makes networks equally large."""
        return self.kind != "width"


@dataclass(frozen=True)
class Cell:
    """One network.

    Args:
        label: by what was varied, such as "2 layers, tanh".
        multiply_adds: of one example on its way forward.
        deviation: of what the budget counts, as a share of it; None where widths are equal instead.
    """

    label: str
    depth: int
    activation: str
    dropout: float
    hidden_units: Layers
    parameters: int
    multiply_adds: int
    deviation: float | None

    @property
    def key(self) -> tuple[int, str, float]:
        """What its runs are found by."""
        return (self.depth, self.activation, self.dropout)

    @property
    def training(self) -> dict[str, Any]:
        """Its part of a training's settings."""
        return {
            "hidden_units": list(self.hidden_units),
            "activation": self.activation,
            "dropout": self.dropout,
        }

    def to_dict(self) -> dict[str, Any]:
        """Return plain values."""
        return asdict(self)

    @classmethod
    def from_dict(cls, mapping: Mapping[str, Any]) -> Self:
        """Read what ``to_dict`` wrote."""
        return cls(**{**mapping, "hidden_units": tuple(mapping["hidden_units"])})


def build_cells(
    levels: Mapping[str, Sequence[Any]],
    budget: Budget,
    base: TrainingConfig,
    shape: Shape,
    faults: Faults,
) -> list[Cell]:
    """Build the network of each combination of levels; note those that cannot be had.

    Args:
        levels: values of every one of ``FACTORS``.
        base: whatever else the networks have.
    """
    varied = [factor for factor in FACTORS if len(levels[factor]) > 1]
    found = []
    for values in product(*(levels[factor] for factor in FACTORS)):
        chosen = dict(zip(FACTORS, values, strict=True))
        label = ", ".join(_word(factor, chosen[factor]) for factor in varied)
        try:
            found.append(_cell(label, chosen, budget, base, shape))
        except SearchError as error:
            faults.note("budget", f"budget: {label}: {error}")
        except ConfigError as error:
            field = error.field if error.field in FACTORS else "budget"
            faults.note(field, str(error))
    return found


def _cell(label: str, chosen: Mapping[str, Any], budget: Budget, base: TrainingConfig, shape: Shape) -> Cell:
    own = {"activation": chosen["activation"], "dropout": chosen["dropout"]}

    def network(layers: Layers) -> TrainingConfig:
        return replace(base, hidden_units=layers, **own)

    def cost(layers: Layers) -> int:
        counted = multiply_adds if budget.kind == "multiply_adds" else parameter_count
        return counted(network(layers), shape.inputs, shape.outputs)

    if budget.is_equal:
        fitted = fit(cost, chosen["depth"], budget.value)
        layers, deviation = fitted.hidden_units, fitted.deviation
    else:
        layers, deviation = (budget.value,) * chosen["depth"], None
    config = network(layers)
    return Cell(
        label,
        chosen["depth"],
        chosen["activation"],
        config.dropouts[0],
        layers,
        parameter_count(config, shape.inputs, shape.outputs),
        multiply_adds(config, shape.inputs, shape.outputs),
        deviation,
    )


def _word(factor: str, level: Any) -> str:
    if factor == "depth":
        return f"{level} layer{'' if level == 1 else 's'}"
    return f"dropout {level:g}" if factor == "dropout" else str(level)
