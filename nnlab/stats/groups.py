"""Curves of groups: the mean or median over seeds at each step, with a band and with its n."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nnlab.stats.errors import StatsError
from nnlab.stats.intervals import t_factor

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
RunCurve = tuple[Hashable, Hashable, ArrayLike, ArrayLike]  # group, seed, steps, values
Middle: TypeAlias = Literal["mean", "median"]
Band: TypeAlias = Literal["ci95", "sd", "se", "minmax", "quartiles", "none"]


@dataclass(frozen=True)
class GroupCurve:
    """The runs of one group as one line with a band.

    Shapes: ``steps``, ``middle``, ``low``, ``high``, ``n`` all (m,), an entry for each step that any run has.

    Args:
        middle: mean or median over the seeds that have a finite value at the step; NaN where n = 0.
        low: lower edge of the band; NaN where n < 2: one seed has no band.
        high: upper edge, likewise.
        n: seeds with a finite value at each step. It falls where runs end early or diverge.
        seeds: seeds in the group.
        runs: runs in the group; more than ``seeds`` where a seed was run again.
        diverged: runs with a value that is NaN or infinite.
    """

    group: Hashable
    steps: FloatArray
    middle: FloatArray
    low: FloatArray
    high: FloatArray
    n: IntArray
    seeds: int
    runs: int
    diverged: int


@dataclass(frozen=True)
class _Curve:
    seed: Hashable
    steps: FloatArray
    values: FloatArray

    @property
    def lost_from(self) -> float:
        """The step from which on it has no finite value any more; infinity where it ends with one."""
        finite = np.flatnonzero(np.isfinite(self.values))
        first = int(finite[-1]) + 1 if finite.size else 0
        return float(self.steps[first]) if first < self.steps.size else np.inf


def group_curves(
    runs: Iterable[RunCurve], *, middle: Middle = "mean", band: Band = "ci95", worst: float = np.inf
) -> list[GroupCurve]:
    """Draw the runs of each group together over seeds, step by step.

    The steps of a group are the union of its runs' steps. At a step of its own a run counts with its own
    value. Between two of its steps that follow each other it counts with the straight line between them,
    if both values are finite. Before its first step, after its last, and at or next to a value that is NaN
    or infinite, it does not count: nothing is extrapolated and no gap is bridged. Runs of one seed are
    averaged first and count as one. The order of the runs does not matter.

    Medians and quartiles know an order only, so a seed whose runs diverged for good counts as the worst.
    Means, extremes and n are of finite values alone.

    Args:
        runs: (group, seed, steps, values) of each run; steps increase, one step a value, at least one.
        middle: what the line is.
        band: around it: a 95 % t interval of the mean, a standard deviation or a standard error to either
            side, the least and greatest value, the quartiles, or none.
        worst: infinity where lower is better, minus infinity where higher is.

    Raises:
        StatsError: for shapes that differ, no points, or steps that do not increase.
    """
    groups: dict[Hashable, list[_Curve]] = {}
    for group, seed, steps, values in runs:
        groups.setdefault(group, []).append(_checked(group, seed, steps, values))
    return [_group_curve(group, curves, middle, band, worst) for group, curves in groups.items()]


def _checked(group: Hashable, seed: Hashable, steps: ArrayLike, values: ArrayLike) -> _Curve:
    step_array, value_array = np.asarray(steps), np.asarray(values, np.float64)
    which = f"group {group!r}, seed {seed!r}"
    if step_array.ndim != 1 or step_array.size == 0 or step_array.shape != value_array.shape:
        raise StatsError(
            f"{which}: expected one step a value and at least one, "
            f"got shapes {step_array.shape} and {value_array.shape}"
        )
    rises = step_array[1:] > step_array[:-1]  # NaN is not above anything
    if not rises.all():
        at = int(np.flatnonzero(~rises)[0])
        raise StatsError(
            f"{which}: expected steps that increase, got {step_array[at + 1]} after {step_array[at]}"
        )
    finite = np.where(np.isfinite(value_array), value_array, np.nan)
    return _Curve(seed, step_array.astype(np.float64), finite)


def _group_curve(
    group: Hashable, curves: Sequence[_Curve], middle: Middle, band: Band, worst: float
) -> GroupCurve:
    steps = np.unique(np.concatenate([curve.steps for curve in curves]))
    seeds: dict[Hashable, list[_Curve]] = {}
    for curve in curves:
        seeds.setdefault(curve.seed, []).append(curve)
    values = np.stack([_seed_values(same_seed, steps) for same_seed in seeds.values()])
    lost = np.stack([_is_lost(same_seed, steps) for same_seed in seeds.values()])
    n = np.isfinite(values).sum(axis=0)
    ranked = np.sort(np.where(lost & np.isnan(values), worst, values), axis=0)
    values = np.sort(values, axis=0)  # so that rounding does not depend on the order of the runs
    mean, deviation = _moments(values, n)
    line = mean if middle == "mean" else _finite(_quantile(ranked, 0.5))
    low, high = _band(band, values, ranked, n, line, deviation)
    none = n < 2
    low, high = np.where(none, np.nan, low), np.where(none, np.nan, high)
    diverged = sum(bool(np.isnan(curve.values).any()) for curve in curves)
    return GroupCurve(group, steps, line, low, high, n, len(seeds), len(curves), diverged)


def _seed_values(curves: Sequence[_Curve], grid: FloatArray) -> FloatArray:
    """Read the runs of one seed at the steps of the grid, averaged where several have a value."""
    total, count = np.zeros(len(grid)), np.zeros(len(grid), np.int64)
    for curve in curves:
        value = np.interp(grid, curve.steps, curve.values, left=np.nan, right=np.nan)
        here = np.isfinite(value)
        total[here] += value[here]
        count[here] += 1
    return np.where(count > 0, total, np.nan) / np.maximum(count, 1)


def _is_lost(curves: Sequence[_Curve], grid: FloatArray) -> NDArray[np.bool_]:
    return grid >= max(curve.lost_from for curve in curves)


def _moments(values: FloatArray, n: IntArray) -> tuple[FloatArray, FloatArray]:
    """Return the mean and the standard deviation at each step, NaN where there is none.

    Taken from the least value, so that equal values have a deviation of exactly 0.
    """
    offsets = values - values[0]
    present = np.isfinite(offsets)
    mean = np.where(present, offsets, 0.0).sum(axis=0) / np.maximum(n, 1)
    squares = np.where(present, np.square(offsets - mean), 0.0).sum(axis=0)
    deviation = np.sqrt(np.where(n > 1, squares, np.nan) / np.maximum(n - 1, 1))
    return np.where(n > 0, values[0] + mean, np.nan), deviation


def _band(
    band: Band, values: FloatArray, ranked: FloatArray, n: IntArray, line: FloatArray, deviation: FloatArray
) -> tuple[FloatArray, FloatArray]:
    if band == "minmax":
        last = np.maximum(n - 1, 0)
        return values[0], np.take_along_axis(values, last[np.newaxis], axis=0)[0]
    if band == "quartiles":
        return _finite(_quantile(ranked, 0.25)), _finite(_quantile(ranked, 0.75))
    if band == "none":
        return np.full(len(n), np.nan), np.full(len(n), np.nan)
    reach = {
        "ci95": t_factor(n - 1) / np.sqrt(np.maximum(n, 1)),
        "se": 1 / np.sqrt(np.maximum(n, 1)),
        "sd": np.ones(len(n)),
    }[band] * deviation
    return line - reach, line + reach


def _quantile(ranked: FloatArray, share: float) -> FloatArray:
    """Interpolate linearly between sorted values, as NumPy does; NaN stand last, infinities count."""
    place = share * (np.maximum((~np.isnan(ranked)).sum(axis=0), 1) - 1)
    below = np.floor(place).astype(np.int64)
    left, right = (
        np.take_along_axis(ranked, at[np.newaxis], axis=0)[0]
        for at in (below, np.ceil(place).astype(np.int64))
    )
    with np.errstate(invalid="ignore"):
        between = left + (right - left) * (place - below)
    exact: FloatArray = np.where((left == right) | (place == below) | np.isinf(left), left, between)
    return exact


def _finite(values: FloatArray) -> FloatArray:
    """Turn an infinity, which stands for a diverged run, into a gap."""
    return np.where(np.isfinite(values), values, np.nan)
