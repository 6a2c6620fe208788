"""95 % intervals of shares: whole configurations are drawn again, since the runs of one are alike."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

DRAWS = 2000
Share = tuple[float, float, float]
"""The share, and the ends of its interval; NaN where there is nothing to divide by."""


def clustered(groups: Sequence[str], statistic: Callable[[NDArray[np.int64]], float]) -> Share:
    """Compute a statistic of run indices and its interval over draws of configurations.

    Args:
        groups: configuration of each run.
    """
    names = sorted(set(groups))
    members = {name: np.array([i for i, group in enumerate(groups) if group == name]) for name in names}
    everything = np.arange(len(groups))
    if not names:
        return (float("nan"),) * 3
    rng = np.random.default_rng(0)
    found = []
    for _ in range(DRAWS):
        drawn = rng.integers(len(names), size=len(names))
        found.append(statistic(np.concatenate([members[names[i]] for i in drawn])))
    low, high = np.nanpercentile(found, [2.5, 97.5]) if not np.isnan(found).all() else (np.nan, np.nan)
    return statistic(everything), float(low), float(high)


def share(groups: Sequence[str], hits: NDArray[np.bool_], of: NDArray[np.bool_]) -> Share:
    """Compute which share of some runs are hits, with its interval.

    Where all configurations are alike, drawing them again tells nothing, and the score interval of as many
    independent ones stands in.

    Args:
        groups: configuration of each run.
        of: whether a run counts.
    """

    def statistic(rows: NDArray[np.int64]) -> float:
        count = np.count_nonzero(of[rows])
        return np.count_nonzero((hits & of)[rows]) / count if count else float("nan")

    middle, low, high = clustered(groups, statistic)
    if low == high:
        count = len({group for group, counts in zip(groups, of, strict=True) if counts})
        low, high = wilson(middle * count, count)
    return middle, low, high


def wilson(hits: float, runs: float, z: float = 1.96) -> tuple[float, float]:
    """Give the score interval of a share, which is honest for 0 of n as well.

    Source: Wilson 1927.
    """
    if not runs:
        return 0.0, 1.0
    share, square = hits / runs, z * z / runs
    centre = (share + square / 2) / (1 + square)
    half = z * np.sqrt(share * (1 - share) / runs + square / (4 * runs)) / (1 + square)
    return max(0.0, float(centre - half)), min(1.0, float(centre + half))
