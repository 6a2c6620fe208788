"""Smoothing of a series for the eye: an exponential moving average over every point of it."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nnlab.series.errors import SeriesError

_SMALLEST = 1e-200  # a power of the weight that can still be divided by


def smoothed(values: ArrayLike, weight: float, steps: ArrayLike | None = None) -> NDArray[np.float64]:
    """Average each value with those before it, which count less by ``weight`` the further back they are.

    The start is not drawn towards 0: each mean is divided by the sum of the weights in it. A value that is
    not finite stays as it is and counts for no other, so a break stays visible.

    Shapes: values (n,), steps (n,) to (n,).

    Args:
        weight: 0 changes nothing; below 1.
        steps: at which the values stand, increasing; a value then counts less by ``weight`` for every typical
            distance that has passed since, the median one. None for values that are evenly spaced.

    Raises:
        SeriesError: for another weight.

    Source: Kingma and Ba (2015), section 3, of the bias correction; Algorithm 1 without the gradient.
    """
    if not 0 <= weight < 1:
        raise SeriesError(f"expected a weight of at least 0 and below 1, got {weight}")
    found = np.array(values, dtype=np.float64)
    finite = np.isfinite(found)
    if weight > 0:
        found[finite] = _averaged(found[finite], weight, _distances(finite, steps))
    return found


def _distances(finite: NDArray[np.bool_], steps: ArrayLike | None) -> NDArray[np.float64]:
    """Return how far each finite value is from the one before, in typical distances; 1 for the first."""
    count = int(finite.sum())
    distances = np.ones(count)
    if steps is not None and count > 1:
        every = np.diff(np.asarray(steps, dtype=np.float64))
        distances[1:] = np.diff(np.asarray(steps, dtype=np.float64)[finite]) / np.median(every)
    return distances


def _averaged(
    values: NDArray[np.float64], weight: float, distances: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Average finite values, a block at a time: within a block the recursion is a sum over powers."""
    reach = math.log(_SMALLEST) / math.log(weight)  # beyond it, what came before counts for nothing
    places = np.cumsum(np.minimum(distances, reach))
    averages, last, share, before, start = np.empty_like(values), 0.0, 0.0, 0.0, 0
    while start < len(values):
        stop = max(start + 1, int(np.searchsorted(places, before + reach, side="right")))
        own = weight ** (places[start:stop] - before)
        sums = own * (last + (1 - weight) * np.cumsum(values[start:stop] / own))
        shares = own * (share + (1 - weight) * np.cumsum(1 / own))
        averages[start:stop] = sums / shares
        last, share, before, start = float(sums[-1]), float(shares[-1]), float(places[stop - 1]), stop
    return averages
