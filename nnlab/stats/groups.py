"""Curves of groups: the mean over seeds at each step, with its interval and its n."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nnlab.stats.errors import StatsError
from nnlab.stats.intervals import t_factor

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
RunCurve = tuple[Hashable, Hashable, ArrayLike, ArrayLike]  # group, seed, steps, values


@dataclass(frozen=True)
class GroupCurve:
    """The runs of one group as one line with a band.

    Shapes: ``steps``, ``mean``, ``low``, ``high``, ``n`` all (m,), one entry for each step that any run has.

    Args:
        mean: over the seeds that have a finite value at the step; NaN where n = 0.
        low: lower end of the t interval; NaN where n < 2: one seed has no interval.
        high: upper end, likewise.
        n: seeds behind the mean at each step. It falls where runs end early or diverge.
        seeds: seeds in the group.
        runs: runs in the group; more than ``seeds`` where a seed was run again.
        diverged: runs with a value that is NaN or infinite.
    """

    group: Hashable
    steps: IntArray
    mean: FloatArray
    low: FloatArray
    high: FloatArray
    n: IntArray
    seeds: int
    runs: int
    diverged: int


@dataclass(frozen=True)
class _Curve:
    seed: Hashable
    steps: IntArray
    values: FloatArray


def group_curves(runs: Iterable[RunCurve], confidence: float = 0.95) -> list[GroupCurve]:
    """Average the runs of each group over seeds, step by step.

    The steps of a group are the union of its runs' steps. At a step of its own a run counts with its own
    value. Between two of its steps that follow each other it counts with the straight line between them,
    if both values are finite. Before its first step, after its last, and at or next to a value that is NaN
    or infinite, it does not count: nothing is extrapolated and no gap is bridged. Runs of one seed are
    averaged first and count as one.

    Args:
        runs: (group, seed, steps, values) of each run; steps increase, one step a value, at least one.
        confidence: of the interval at each step.

    Raises:
        StatsError: for shapes that differ, no points, or steps that do not increase.
    """
    groups: dict[Hashable, list[_Curve]] = {}
    for group, seed, steps, values in runs:
        groups.setdefault(group, []).append(_checked(group, seed, steps, values))
    return [_group_curve(group, curves, confidence) for group, curves in groups.items()]


def _checked(group: Hashable, seed: Hashable, steps: ArrayLike, values: ArrayLike) -> _Curve:
    step_array, value_array = np.asarray(steps), np.asarray(values, np.float64)
    which = f"group {group!r}, seed {seed!r}"
    if step_array.ndim != 1 or step_array.size == 0 or step_array.shape != value_array.shape:
        raise StatsError(
            f"{which}: expected one step a value and at least one, "
            f"got shapes {step_array.shape} and {value_array.shape}"
        )
    if step_array.dtype.kind not in "iu":
        raise StatsError(f"{which}: expected integer steps, got {step_array.dtype}")
    falls = np.flatnonzero(step_array[1:] <= step_array[:-1])
    if falls.size:
        at = int(falls[0])
        raise StatsError(
            f"{which}: expected steps that increase, got {step_array[at + 1]} after {step_array[at]}"
        )
    finite = np.where(np.isfinite(value_array), value_array, np.nan)
    return _Curve(seed, step_array.astype(np.int64), finite)


def _group_curve(group: Hashable, curves: Sequence[_Curve], confidence: float) -> GroupCurve:
    steps = np.unique(np.concatenate([curve.steps for curve in curves]))
    seeds: dict[Hashable, list[_Curve]] = {}
    for curve in curves:
        seeds.setdefault(curve.seed, []).append(curve)
    # Updated seed by seed (Welford 1962): hundreds of long runs need not be in memory side by side.
    n, mean, squares = np.zeros(len(steps), np.int64), np.zeros(len(steps)), np.zeros(len(steps))
    for same_seed in seeds.values():
        value = _seed_values(same_seed, steps)
        here = np.isfinite(value)
        n[here] += 1
        offset = value[here] - mean[here]
        mean[here] += offset / n[here]
        squares[here] += offset * (value[here] - mean[here])
    mean[n == 0] = np.nan
    spread = np.where(n > 1, squares, np.nan) / np.maximum(n - 1, 1) / np.maximum(n, 1)
    reach = t_factor(n - 1, confidence) * np.sqrt(spread)
    diverged = sum(bool(np.isnan(curve.values).any()) for curve in curves)
    return GroupCurve(group, steps, mean, mean - reach, mean + reach, n, len(seeds), len(curves), diverged)


def _seed_values(curves: Sequence[_Curve], grid: IntArray) -> FloatArray:
    """Read the runs of one seed at the steps of the grid, averaged where several have a value."""
    total, count = np.zeros(len(grid)), np.zeros(len(grid), np.int64)
    for curve in curves:
        value = np.interp(grid, curve.steps, curve.values, left=np.nan, right=np.nan)
        here = np.isfinite(value)
        total[here] += value[here]
        count[here] += 1
    return np.where(count > 0, total, np.nan) / np.maximum(count, 1)
