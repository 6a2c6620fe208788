"""What a patch is: typed changes, the words that recommend them, and what it may look at."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from nnlab.health.checks.born_dead import born_dead_bound
from nnlab.health.thresholds import THRESHOLDS

if TYPE_CHECKING:
    from nnlab.engine.records import RunInfo
    from nnlab.health.facts import ColumnFacts, DataFacts

NEARLY = 0.1
SMALL_FIRST_UPDATE, LARGE_FIRST_UPDATE = 1e-3, 0.3
# Raising the learning rate would make these worse.
UNSTABLE = frozenset({"nonfinite", "exploding", "dead_layer", "divergence", "vanishing"})


@dataclass(frozen=True)
class Op:
    """One typed change of a config; ``old`` makes it reversible.

    Args:
        op: what is done; so far only ``set``.
        path: name in the config; a dot leads into a part, as in ``data.recipe``.
    """

    op: str
    path: str
    value: Any
    old: Any


@dataclass(frozen=True)
class Advice:
    """A recommended change: code, words, and the ops that make it."""

    code: str
    title: str
    reason: str
    ops: tuple[Op, ...]


@dataclass(frozen=True, kw_only=True)
class Case:
    """What a patch may look at when it decides whether and what it changes.

    Args:
        config: a run's training config in plain values, with its data config under ``data`` where known.
        facts: of the examples; None where nobody looked.
        check: the finding that asks for advice.
        found: checks that have found something that is likely to harm, causes first.
        first_update: largest update ratio of a layer in the first step; NaN if unknown.
        largest_update: the same in the last sampled step.
        is_short: whether the run is shorter than what a verdict on its progress needs.
        is_born_dead: whether a dead layer was so from the first step on.
        loss_has_risen: whether training made the network worse than it was, and than a constant answer.
    """

    config: Mapping[str, Any]
    info: RunInfo
    facts: DataFacts | None = None
    check: str = ""
    found: tuple[str, ...] = ()
    first_update: float = math.nan
    largest_update: float = math.nan
    is_short: bool = False
    is_born_dead: bool = False
    loss_has_risen: bool = False

    def get(self, path: str, default: Any = None) -> Any:
        """Look a value up by its path."""
        value: Any = self.config
        for name in path.split("."):
            if not isinstance(value, Mapping) or name not in value:
                return default
            value = value[name]
        return value

    def advice(self, code: str, title: str, reason: str, wanted: Mapping[str, Any]) -> Advice | None:
        """Make advice of the values that differ from the config's; None if none does."""
        ops = tuple(
            Op("set", path, value, self.get(path))
            for path, value in wanted.items()
            if self.get(path) != value
        )
        return Advice(code, title, reason, ops) if ops else None

    @property
    def learning_rate(self) -> float:
        """The learning rate, 0 where the config has none."""
        return float(self.get("learning_rate", 0.0))

    @property
    def steps_are_too_large(self) -> bool:
        """Whether the rate looks too high: by the first step, or by the loss unless that step was tiny."""
        is_tiny = self.first_update < SMALL_FIRST_UPDATE
        return self.first_update > LARGE_FIRST_UPDATE or (self.loss_has_risen and not is_tiny)

    @property
    def may_raise_rate(self) -> bool:
        """Whether larger steps are worth a try."""
        return not (self.steps_are_too_large or self.check in UNSTABLE or UNSTABLE & set(self.found))

    @property
    def units(self) -> list[int]:
        """The widths of the hidden layers."""
        return list(self.get("hidden_units") or [])

    @property
    def activations(self) -> list[str]:
        """The activation of each hidden layer; several in a row are joined by ``>``."""
        value = self.get("activation", [])
        return [value] * len(self.units) if isinstance(value, str) else list(value)

    def with_activations(self, names: list[str]) -> str | list[str]:
        """Write activations the way this config does."""
        return names[0] if isinstance(self.get("activation"), str) else names

    @property
    def dropouts(self) -> list[float]:
        """The drop probability after each hidden layer."""
        value = self.get("dropout", 0.0)
        return list(value) if isinstance(value, list | tuple) else [value] * len(self.units)

    @property
    def initializers(self) -> list[str]:
        """The initializer of each hidden layer's weights."""
        value = self.get("initializer", "auto")
        return [value] * len(self.units) if isinstance(value, str) else list(value)[: len(self.units)]

    @property
    def has_data(self) -> bool:
        """Whether the config says where the data come from, so that advice can change how."""
        return self.get("data.dataset") is not None

    def born_dead_risk(self, layers: Iterable[int]) -> float:
        """Bound how likely one of these layers is born dead if it is of ReLU; normalised ones are not."""
        return 0.0 if self.get("batch_norm") else born_dead_bound(self.units[layer] for layer in layers)

    def may_be_born_dead(self, layers: Iterable[int]) -> bool:
        """Whether these layers are too many, or too narrow, for ReLU."""
        return self.born_dead_risk(layers) > THRESHOLDS.checks["born_dead"]["risk"]

    @property
    def classes_are_unequal(self) -> bool:
        """Whether some class has many times the training rows of another."""
        counts = None if self.facts is None else self.facts.train_counts
        ratio = THRESHOLDS.checks["class_balance"]["ratio"]
        return counts is not None and bool(counts.max() > ratio * counts.min())

    @property
    def inputs_out_of_scale(self) -> bool:
        """Whether some input is larger than networks like, though most cope with it."""
        return self._inputs_exceed("size_shown", "offset_shown")

    @property
    def inputs_are_harmful(self) -> bool:
        """Whether inputs are so far out of scale, one or all, that training is likely to suffer."""
        if not self.inputs_out_of_scale or self.facts is None:
            return False
        columns, usual = self.facts.columns, THRESHOLDS.checks["unscaled_data"]["size_shown"]
        power = float((columns.mean**2 + columns.deviation**2).mean())
        return power > usual**2 or self._inputs_exceed("size", "offset")

    def _inputs_exceed(self, size: str, offset: str) -> bool:
        """Inputs that are standardised already may have outliers; scaling them again does not help."""
        if self.facts is None or _are_standard(self.facts.columns):
            return False
        columns, limits = self.facts.columns, THRESHOLDS.checks["unscaled_data"]
        return bool(
            columns.largest.max() > limits[size]
            or columns.offset.max() > limits[offset]
            or columns.disparity > limits["disparity"]
        )

    @property
    def target_out_of_scale(self) -> bool:
        """Whether a regression's targets are far from 1."""
        if self.info.task != "regression" or self.facts is None or self.facts.targets is None:
            return False
        return self.facts.targets.variance > THRESHOLDS.checks["unscaled_data"]["target_variance_shown"]


def _are_standard(columns: ColumnFacts) -> bool:
    """Whether all columns that vary have mean 0 and standard deviation 1, or nearly."""
    varies = columns.deviation > 0
    mean, deviation = np.abs(columns.mean[varies]), columns.deviation[varies]
    return bool((mean < NEARLY).all() and (np.abs(deviation - 1) < NEARLY).all())


def rounded(rate: float) -> float:
    """Cut the tail of binary fractions, so that 0.05 / 10 reads 0.005."""
    return float(f"{rate:.6g}")


def one_digit(rate: float) -> float:
    """Round to one digit, which is as much as an estimate is worth."""
    return float(f"{rate:.0e}")
