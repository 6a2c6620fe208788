"""The mean of a few seeds and how sure it is."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from nnlab.stats.errors import StatsError

FloatArray = NDArray[np.float64]
LARGEST = 1e300  # beyond it means and spreads may not be finite


@dataclass(frozen=True)
class Interval:
    """A mean with its confidence interval.

    Args:
        sd: standard deviation of the values, with n - 1 below the line; None where n = 1.
        low: lower end of the interval; None where n = 1: one seed has no interval.
        high: upper end, likewise.
    """

    n: int
    mean: float
    sd: float | None
    low: float | None
    high: float | None


def t_factor(degrees: ArrayLike, confidence: float = 0.95) -> FloatArray:
    """Student's t for two sides: how many standard errors the interval reaches to either side.

    12.71, 4.303, 2.776, 2.262 for 1, 2, 4, 9 degrees of freedom; NaN for 0 and below.

    Raises:
        StatsError: for a confidence outside (0, 1).
    """
    if not 0 < confidence < 1:
        raise StatsError(f"expected a confidence between 0 and 1, such as 0.95, got {confidence}")
    freedom = np.asarray(degrees, np.float64)
    # The function behind scipy.stats.t.ppf, without the second that importing scipy.stats takes.
    factors = special.stdtrit(np.where(freedom > 0, freedom, np.nan), 0.5 + confidence / 2)
    return np.asarray(factors, np.float64)


def mean_interval(values: ArrayLike, confidence: float = 0.95) -> Interval:
    """Mean of the values with its t interval, mean ± t · sd / sqrt(n).

    Shapes: values (n,), n at least 1.

    Raises:
        StatsError: for no value, or one that is NaN or infinite: what to do with a diverged run is the
            caller's decision, never this function's.
    """
    numbers = np.asarray(values, np.float64)
    if numbers.ndim != 1 or numbers.size == 0:
        raise StatsError(f"expected at least one value in one dimension, got shape {numbers.shape}")
    bad = np.flatnonzero(~np.isfinite(numbers))
    if bad.size:
        raise StatsError(
            f"expected finite values, got {numbers[bad[0]]} at position {bad[0]} "
            f"({bad.size} of {numbers.size} are not finite); count diverged runs apart"
        )
    factor = float(t_factor(numbers.size - 1, confidence))
    if np.abs(numbers).max() > LARGEST:
        raise StatsError(
            f"expected values up to {LARGEST:g}, got up to {np.abs(numbers).max():g}; rescale them"
        )
    # Taken from the first value, so that equal values have a deviation of exactly 0.
    offsets = numbers - numbers[0]
    mean = float(numbers[0] + offsets.mean())
    if numbers.size == 1:
        return Interval(1, mean, None, None, None)
    # Squares of values near 1, so that neither large nor tiny ones are lost; a power of 2 rounds nothing.
    unit = math.ldexp(1.0, math.frexp(np.abs(offsets).max())[1])
    sd = unit * float((offsets / unit).std(ddof=1))
    reach = factor * sd / math.sqrt(numbers.size)
    return Interval(numbers.size, mean, sd, mean - reach, mean + reach)
