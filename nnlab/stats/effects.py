"""How large a difference is: against the spread of the seeds, and how often it shows."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

from nnlab.stats.differences import Seed, finished
from nnlab.stats.errors import StatsError

_LARGEST_T = 200.0  # beyond it SciPy's search for the noncentral t may not end


@dataclass(frozen=True)
class Effect:
    """A difference in units of a standard deviation.

    Args:
        name: ``g`` for two separate groups, ``d_z`` for pairs.
        low: lower end of the 95 % interval; None where next to nothing varies.
        high: upper end, likewise.
    """

    name: str
    value: float
    low: float | None
    high: float | None


def effect(before: Mapping[Seed, float | None], after: Mapping[Seed, float | None]) -> Effect | None:
    """Measure a difference as ``difference`` makes it: ``d_z`` where it pairs the seeds, else ``g``."""
    old, new = finished(before), finished(after)
    shared = [seed for seed in old if seed in new]
    if len(shared) >= 2:
        return paired_effect([new[seed] - old[seed] for seed in shared])
    return hedges_g(list(old.values()), list(new.values()))


def hedges_g(before: Sequence[float], after: Sequence[float], confidence: float = 0.95) -> Effect | None:
    """Divide the difference of two means by their common standard deviation, corrected for few seeds.

    None with fewer than two seeds in a group, or where nothing varies.

    Source: Hedges (1981), with the exact correction; the interval from the noncentral t distribution
        (Steiger and Fouladi 1997).
    """
    if min(len(before), len(after)) < 2:
        return None
    old, new = _near_one(before, after)
    degrees = old.size + new.size - 2
    common = math.sqrt(((old.size - 1) * old.var(ddof=1) + (new.size - 1) * new.var(ddof=1)) / degrees)
    size = math.sqrt(1 / old.size + 1 / new.size)
    return _effect("g", float(new.mean() - old.mean()), common, size, degrees, confidence)


def paired_effect(differences: Sequence[float], confidence: float = 0.95) -> Effect | None:
    """Divide the mean of paired differences by their standard deviation, corrected for few seeds.

    None with fewer than three pairs, for which there is no correction, or where nothing varies. It says how
    sure a difference is to show on one seed, and is larger than ``g`` where seeds move both alike.

    Source: Cohen (1988, d_z), corrected as Hedges' g; Lakens (2013) on when to tell which.
    """
    if len(differences) < 3:
        return None
    [values] = _near_one(differences)
    sd = float(values.std(ddof=1))
    return _effect("d_z", float(values.mean()), sd, 1 / math.sqrt(values.size), values.size - 1, confidence)


def superiority(
    before: Mapping[Seed, float | None], after: Mapping[Seed, float | None], *, higher: bool
) -> float:
    """Return how often a run of ``after`` is better than one of ``before``; a tie counts half.

    Ranks alone count, so outliers weigh nothing, and a diverged run is worse than any other. Cliff's delta is
    twice this minus 1.

    Args:
        higher: whether the larger value is the better one.

    Raises:
        StatsError: for a group without any run.

    Source: Vargha and Delaney (2000), measure A.
    """
    if not before or not after:
        raise StatsError(f"expected a run in both groups, got {len(before)} and {len(after)}")
    old, new = (
        np.array([_ranked(value, higher=higher) for value in side.values()]) for side in (before, after)
    )
    better = np.count_nonzero(new[:, None] > old) + np.count_nonzero(new[:, None] == old) / 2
    return float(better / (old.size * new.size))


def correction(degrees: float) -> float:
    """Return what takes the bias out of a standardised difference; 0 with one degree of freedom."""
    if degrees <= 1:
        return 0.0
    return math.exp(special.gammaln(degrees / 2) - special.gammaln((degrees - 1) / 2)) / math.sqrt(
        degrees / 2
    )


def _effect(name: str, mean: float, sd: float, size: float, degrees: int, confidence: float) -> Effect | None:
    """Standardise a mean difference.

    Args:
        size: the standard error of the mean difference, in units of ``sd``.
    """
    if not sd > 0 or degrees < 2:
        return None
    unbiased = correction(degrees)
    t = mean / sd / size
    if abs(t) > _LARGEST_T:
        return Effect(name, mean / sd * unbiased, None, None)
    tail = (1 - confidence) / 2
    ends = [float(special.nctdtrinc(degrees, share, t)) * size * unbiased for share in (1 - tail, tail)]
    low, high = ends if all(map(math.isfinite, ends)) else (None, None)
    return Effect(name, mean / sd * unbiased, low, high)


def _near_one(*samples: Sequence[float]) -> list[NDArray[np.float64]]:
    """Divide samples by the same power of 2, so that the squares of huge and tiny values are numbers."""
    largest = max(abs(value) for sample in samples for value in sample)
    unit = math.ldexp(1.0, math.frexp(largest)[1] - 1)
    return [np.asarray(sample, np.float64) / unit for sample in samples]


def _ranked(value: float | None, *, higher: bool) -> float:
    if value is None or not math.isfinite(value):
        return -math.inf
    return value if higher else -value
