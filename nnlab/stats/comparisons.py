"""Several groups at once: each against a reference or all in pairs, corrected for how many are compared."""

from __future__ import annotations

import itertools
import math
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy import special

from nnlab.stats.differences import ROUNDING, Difference, Seed, difference, finished, holm
from nnlab.stats.errors import StatsError
from nnlab.stats.intervals import t_factor

Key = TypeVar("Key", bound=Hashable)
FloatArray = NDArray[np.float64]
ALPHA = 0.05


@dataclass(frozen=True)
class Compared:
    """Two groups of a family.

    Args:
        difference: of ``after`` to ``before``; None where one of them has no finished run.
        p_value: corrected after Holm for all comparisons of the family; None without an interval.
    """

    before: Hashable
    after: Hashable
    difference: Difference | None
    p_value: float | None

    @property
    def found(self) -> bool:
        """Whether they differ, with a risk of 5 % that any such verdict of the family is false."""
        return self.p_value is not None and self.p_value < ALPHA


@dataclass(frozen=True)
class ManyPaired:
    """Paired differences of many comparisons as arrays, one entry each; NaN where there is no interval."""

    n: NDArray[np.int64]
    mean: FloatArray
    low: FloatArray
    high: FloatArray
    p_value: FloatArray


def against(
    groups: Mapping[Key, Mapping[Seed, float | None]], reference: Key, *, picked: bool = False
) -> list[Compared]:
    """Compare every other group with one of them.

    Args:
        picked: the reference was picked by these values, as the best mean is. It is then partly the luckiest,
            and the comparisons are corrected as the part of all pairs that they are: as so few, far more than
            5 % of families would hold a false verdict.

    Raises:
        StatsError: for a reference that is not among the groups.
    """
    if reference not in groups:
        raise StatsError(f"expected a reference among the {len(groups)} groups, got {reference!r}")
    return _compared(groups, ((reference, key) for key in groups if key != reference), picked=picked)


def all_pairs(groups: Mapping[Key, Mapping[Seed, float | None]]) -> list[Compared]:
    """Compare every group with every other."""
    return _compared(groups, itertools.combinations(groups, 2))


def statement(compared: Sequence[Compared]) -> str:
    """Say what holds of a family at once: "2 of 5 differ ..."."""
    tested = sum(one.p_value is not None for one in compared)
    if not tested:
        return "no comparison has two seeds on both sides yet, so nothing can be said"
    found = sum(one.found for one in compared)
    if not found:
        return f"none of {tested} differs for certain" if tested > 1 else "no difference found"
    risk = "with a risk of 5 % that any of these verdicts is false"
    return f"{found} of {tested} differ{'s' if found == 1 else ''}, {risk}"


def many_paired(differences: Sequence[Sequence[float]], confidence: float = 0.95) -> ManyPaired:
    """Compute the t interval and p value of very many small sets of paired differences at once.

    Args:
        differences: of each comparison, one a shared seed; none at all gives NaN.
    """
    n = np.array([len(one) for one in differences], np.int64)
    values = np.fromiter(itertools.chain.from_iterable(differences), np.float64, int(n.sum()))
    owner = np.repeat(np.arange(n.size), n)
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = np.bincount(owner, values, n.size) / n
        squares = np.bincount(owner, np.square(values - mean[owner]), n.size)
        error = np.sqrt(squares / np.where(n > 1, n - 1, np.nan) / n)
        p_value = 2 * special.stdtr(np.where(n > 1, n - 1, np.nan), -np.abs(mean) / error)
    p_value[(error == 0) & (mean == 0)] = 1.0
    constant = (mean != 0) & (error <= ROUNDING * np.abs(mean))  # as is_constant
    error[constant] = p_value[constant] = np.nan
    reach = t_factor(n - 1, confidence) * error
    return ManyPaired(n, mean, mean - reach, mean + reach, p_value)


def _compared(
    groups: Mapping[Key, Mapping[Seed, float | None]],
    pairs: Iterable[tuple[Key, Key]],
    *,
    picked: bool = False,
) -> list[Compared]:
    has_result = {key: bool(finished(values)) for key, values in groups.items()}
    found = [
        (one, two, difference(groups[one], groups[two]) if has_result[one] and has_result[two] else None)
        for one, two in pairs
    ]
    tested = [one.p_value for _, _, one in found if one is not None and one.p_value is not None]
    corrected = iter(holm(tested, math.comb(len(tested) + 1, 2) if picked else 0))
    return [
        Compared(one, two, made, next(corrected) if made is not None and made.p_value is not None else None)
        for one, two, made in found
    ]
