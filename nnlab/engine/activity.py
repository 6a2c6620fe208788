"""What an evaluation reads of hidden units: how often each is on, how its outputs vary, and their rank."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from math import floor, log
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from nnlab.engine.activations import Array
    from nnlab.engine.network import Layer
    from nnlab.engine.records import FloatArray

DORMANT = 0.025  # Sokar et al. 2023: of the layer's average
ROUNDING = 1e-12  # a variance below this share of the mean square is float32's rounding

RANK_WIDTH = 1024  # wider layers' ranks are not taken
RANK_MATRIX = 64  # larger matrices would take longer than an epoch of the networks they belong to allows
RANK_ROWS = 256
RANK_EPOCHS = (0, 1, 2, 3, 5, 8, 13, 21, 34)
RANK_TENTHS = 10  # of the run, after these epochs
SNAPSHOT_EPOCHS = (0, 1, 3, 8, 21, 34)  # some of those, as are all later steps
SNAPSHOT_FIFTHS = 5

# To look into units and answers takes small networks as long as several steps. Evaluations that are closer
# together than this work, or these steps, have loss and score alone; the gap grows to a part of the run so
# far, and at most to so much work.
LOOK_WORK, LOOK_STEPS = 4e8, 50  # multiplications and additions, as those of the probes
LOOK_PART = 25
MOST_LOOK_WORK = 1e10


@dataclass(frozen=True)
class Activity:
    """What a pass over all rows fills in.

    Shapes: ``sums`` (3, hidden units), layer by layer; ``outputs`` (units, rows).

    Args:
        sums: to which each unit adds the rows with z > 0, its activations, and, where it cannot die, their
            squares.
        outputs: of the last hidden layer for the first rows; None where the rank is not taken.
    """

    sums: FloatArray
    outputs: Array | None


class Layers:
    """How per-unit arrays (..., units) fall into hidden layers.

    Attributes:
        dies: of each unit, whether it can die.
        unknown: of each layer, NaN where its units cannot die, else 0.
    """

    def __init__(self, layers: Sequence[Layer]) -> None:
        self._widths = np.array([layer.units for layer in layers], np.int64)
        self._starts = np.cumsum(self._widths) - self._widths
        can_die = np.array([layer.activation.can_die for layer in layers], np.bool_)
        self.dies = np.repeat(can_die, self._widths)
        self.unknown = np.where(can_die, 0.0, np.nan)

    def average(self, values: NDArray[Any]) -> FloatArray:
        """Average over the units of each layer. Shapes: (..., units) -> (..., layers)."""
        sums = np.add.reduceat(values, self._starts, axis=-1, dtype=np.float64)
        return np.asarray(sums / self._widths)

    def spread(self, values: FloatArray) -> FloatArray:
        """Give each unit its layer's value. Shapes: (..., layers) -> (..., units)."""
        return np.repeat(values, self._widths, axis=-1)


def deviations(xp: Any, mean: Any, power: Any) -> Any:
    """Compute standard deviations from means and means of squares; those that are rounding are 0.

    Args:
        xp: their array module.
    """
    variance = power - mean * mean
    return xp.sqrt(xp.where(variance <= ROUNDING * power, 0.0, variance))


def unit_shares(sums: FloatArray, rows: int, layers: Layers) -> dict[str, FloatArray]:
    """Turn sums into shares of each hidden layer's units.

    A unit's size is its mean activation where it can die, else its standard deviation over the rows. It is
    dormant where that is at most 1/40 of the layer's mean, as all are where none has any.

    Shapes: sums (3, units); shares (layers,).

    Source: Sokar et al. 2023, arXiv 2302.12902, definition 3.1.
    """
    if not sums.size:
        return dict.fromkeys(("dead", "zero", "mixed", "dormant"), np.empty(0))
    positive, mean = sums[0], sums[1] / rows
    sizes = np.where(layers.dies, mean, deviations(np, mean, sums[2] / rows))
    sizes_of_layers = layers.average(sizes)
    flags = np.empty((4, len(positive)))
    np.less_equal(sizes, layers.spread(DORMANT * sizes_of_layers), out=flags[0])
    np.logical_and(positive > 0.0, positive < rows, out=flags[1])
    np.equal(positive, 0.0, out=flags[2])
    flags[3] = positive
    dormant, mixed, dead, on = layers.average(flags)
    return {
        "dead": dead + layers.unknown,
        "zero": 1.0 - on / rows + layers.unknown,
        "mixed": mixed,
        "dormant": dormant + 0.0 * sizes_of_layers,  # NaN where sums are not finite and say nothing
    }


def rank_rows(units: int, rows: int) -> int:
    """Tell of how many rows a layer's rank is taken, so that it is cheap; 0 where it is not taken."""
    if units > RANK_WIDTH:
        return 0
    return min(rows, RANK_ROWS if units <= RANK_MATRIX else RANK_MATRIX)


def rare_steps(
    steps: int, steps_per_epoch: int, epochs: Sequence[int] = RANK_EPOCHS, parts: int = RANK_TENTHS
) -> tuple[int, ...]:
    """List the steps of a run after which something is wanted often at first, and later rarely.

    Args:
        epochs: the early ones.
        parts: of the run, the ends of which come after these epochs.
    """
    early = [steps_per_epoch * epoch for epoch in epochs]
    late = (steps * part // parts for part in range(1, parts))
    wanted = {*early, *(step for step in late if step > early[-1]), steps}
    return tuple(sorted(step for step in wanted if step <= steps))


def is_due_now(wanted: tuple[int, ...], step: int, validate_every: int) -> bool:
    """Tell whether one of these steps came since the evaluation before."""
    return bisect_right(wanted, step) > bisect_right(wanted, step - validate_every)


class Looks:
    """Which of a run's evaluations look into units and answers, and which of those take the rank.

    Args:
        work: of a step.
    """

    def __init__(self, steps: int, steps_per_epoch: int, validate_every: int, work: float) -> None:
        self._ranks = rare_steps(steps, steps_per_epoch)
        self._snapshots = rare_steps(steps, steps_per_epoch, SNAPSHOT_EPOCHS, SNAPSHOT_FIFTHS)
        self._validate_every = validate_every
        self._gap = min(max(LOOK_WORK / work, 1.0), LOOK_STEPS)
        self._most = max(MOST_LOOK_WORK / work, self._gap)

    def takes_rank(self, step: int) -> bool:
        """Tell whether the rank is taken after a step."""
        return is_due_now(self._ranks, step, self._validate_every)

    def takes_snapshot(self, step: int) -> bool:
        """Tell whether a snapshot is taken after a step; the rank then is, too."""
        return is_due_now(self._snapshots, step, self._validate_every)

    def is_due(self, step: int) -> bool:
        """Tell whether the evaluation after a step is more than loss and score."""
        is_next = floor(self._looks(step)) > floor(self._looks(step - self._validate_every))
        return is_next or self.takes_rank(step)

    def _looks(self, step: int) -> float:
        """How many gaps lie before a step: gaps of one length, of a part of the run, of one length again."""
        early, late = LOOK_PART * self._gap, LOOK_PART * self._most
        if step <= early:
            return step / self._gap
        grown = LOOK_PART * (1.0 + log(min(step, late) / early))
        return grown + max(0.0, step - late) / self._most


def centred(xp: Any, outputs: Any) -> Any:
    """Take each unit's mean over the rows away; what is left of a constant is rounding, and made 0.

    Shapes: outputs (..., units, rows).
    """
    wide = outputs.astype(np.float64)
    mean = wide.mean(axis=-1, keepdims=True)
    apart = wide - mean
    variance = (apart * apart).mean(axis=-1, keepdims=True)
    return xp.where(variance <= ROUNDING * (variance + mean * mean), 0.0, apart)


def effective_rank(products: FloatArray) -> float:
    """Compute exp(entropy of sigma_i / sum sigma) of a matrix; 0 where all is 0, NaN where it is not finite.

    Args:
        products: the matrix times its own transpose, or the other way round, whichever is smaller.

    Source: Roy & Vetterli 2007, The effective rank.
    """
    if not np.isfinite(products).all():
        return float("nan")
    sigmas = np.sqrt(np.maximum(np.linalg.eigvalsh(products), 0.0))
    total = float(sigmas.sum())
    if total == 0.0:
        return 0.0
    shares = sigmas[sigmas > 0.0] / total
    return float(np.exp(-(shares * np.log(shares)).sum()))


def rank_of(outputs: Array) -> float:
    """Compute the effective rank of outputs (units, rows) around their means."""
    apart = centred(np, outputs)
    units, rows = apart.shape
    return effective_rank(apart @ apart.T if units <= rows else apart.T @ apart)
