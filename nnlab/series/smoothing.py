"""Smoothing of a series for the eye: an exponential moving average over every point of it."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nnlab.series.errors import SeriesError

_SMALLEST = 1e-200  # a power of the weight that can still be divided by


def smoothed(values: ArrayLike, weight: float) -> NDArray[np.float64]:
    """Average each value with those before it, which count less by ``weight`` the further back they are.

    The start is not drawn towards 0: each mean is divided by the sum of the weights in it. A value that is
    not finite stays as it is and counts for no other, so a break stays visible.

    Shapes: values (n,) to (n,).

    Args:
        weight: 0 changes nothing; below 1.

    Raises:
        SeriesError: for another weight.

    Source: Kingma and Ba (2015), section 3, of the bias correction; Algorithm 1 without the gradient.
    """
    if not 0 <= weight < 1:
        raise SeriesError(f"expected a weight of at least 0 and below 1, got {weight}")
    found = np.array(values, dtype=np.float64)
    finite = np.isfinite(found)
    if weight > 0:
        found[finite] = _averaged(found[finite], weight)
    return found


def _averaged(values: NDArray[np.float64], weight: float) -> NDArray[np.float64]:
    """Average finite values, a block at a time: within a block the recursion is a sum over powers."""
    length = max(1, min(len(values), int(math.log(_SMALLEST) / math.log(weight))))
    powers = weight ** np.arange(1, length + 1)
    averages, last, share = np.empty_like(values), 0.0, 1.0
    for start in range(0, len(values), length):
        block = values[start : start + length]
        own = powers[: len(block)]
        sums = own * (last + (1 - weight) * np.cumsum(block / own))
        averages[start : start + length] = sums / (1 - share * own)
        last, share = float(sums[-1]), share * float(own[-1])
    return averages
