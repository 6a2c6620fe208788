"""Many groups at once: the mean of each seed of each group, where runs or configurations share a seed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nnlab.stats.errors import StatsError

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


@dataclass(frozen=True)
class SeedMeans:
    """What every seed of every group comes to, sorted by group.

    Shapes: means (m,), one entry a seed of a group; starts (groups + 1,); even (groups,).

    Args:
        starts: where the seeds of a group begin; those of group ``g`` are ``means[starts[g]:starts[g + 1]]``.
        even: whether every seed of a group has the same configurations, so that only the seed differs.
    """

    means: FloatArray
    starts: IntArray
    even: NDArray[np.bool_]

    @property
    def seeds(self) -> IntArray:
        """Number of seeds of each group."""
        return np.diff(self.starts)

    def of(self, group: int) -> FloatArray:
        """Return the means of the seeds of one group."""
        return self.means[self.starts[group] : self.starts[group + 1]]

    def middles(self) -> FloatArray:
        """Return the mean over the seeds of each group; NaN for a group without any."""
        owner = np.repeat(np.arange(self.seeds.size), self.seeds)
        with np.errstate(invalid="ignore"):
            return np.bincount(owner, self.means, self.seeds.size) / self.seeds


def seed_means(
    groups: ArrayLike, seeds: ArrayLike, configs: ArrayLike, values: ArrayLike, count: int
) -> SeedMeans:
    """Average the runs of each configuration and seed, and then the configurations of each seed.

    So a configuration that was run twice with a seed counts once. The order of the runs does not matter.

    Shapes: all (runs,).

    Args:
        groups: number of each run's group, from 0.
        seeds: number of its seed.
        configs: number of its configuration.
        values: finite ones; leave diverged runs out, and count them.
        count: number of groups, those without a run among them.

    Raises:
        StatsError: for values that are not finite.
    """
    numbers = np.asarray(values, np.float64)
    if not np.isfinite(numbers).all():
        raise StatsError(f"expected finite values, got {numbers[~np.isfinite(numbers)][0]}")
    keys = [np.asarray(key, np.int64) for key in (groups, seeds, configs)]
    cells, of_configs = averaged(numbers, keys)
    [owner, _], means = averaged(of_configs, cells[:2])
    starts = np.searchsorted(owner, np.arange(count + 1))
    order, blocks = _blocks([cells[0], cells[2]])
    configurations = np.bincount(cells[0][order][blocks], minlength=count)
    even = configurations * np.diff(starts) == np.bincount(cells[0], minlength=count)
    return SeedMeans(means, starts, even)


def numbered(values: Sequence[Any]) -> tuple[list[Any], IntArray]:
    """Number things from 0 as they first come: those that differ, and the number of each."""
    places = {value: place for place, value in enumerate(dict.fromkeys(values))}
    return list(places), np.fromiter(map(places.__getitem__, values), np.int64, len(values))


def averaged(values: FloatArray, keys: Sequence[IntArray]) -> tuple[list[IntArray], FloatArray]:
    """Average the values of rows with equal keys, whatever the order of the rows; the keys come sorted.

    Sums are of distances to the least value, so that the mean of equal values is exactly their value.
    """
    order, starts = _blocks(keys, values)
    found = [key[order][starts] for key in keys]
    if not starts.size:
        return found, np.zeros(0)
    counts = np.diff(starts, append=order.size)
    values = values[order]
    least = values[starts]
    return found, least + np.add.reduceat(values - np.repeat(least, counts), starts) / counts


def _blocks(keys: Sequence[IntArray], *within: FloatArray) -> tuple[IntArray, IntArray]:
    """Sort rows by keys, the first one first; the order, and where rows with other keys begin in it."""
    order = np.lexsort((*within, *reversed(keys)))
    begins = np.ones(order.size, np.bool_)
    begins[1:] = np.any([np.diff(key[order]) != 0 for key in keys], axis=0)
    return order, np.flatnonzero(begins)
