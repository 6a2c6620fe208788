"""How many more seeds a comparison needs, from the spread of those that it has."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from scipy import special

from nnlab.stats.differences import ROUNDING, Seed, finished
from nnlab.stats.errors import StatsError
from nnlab.stats.intervals import mean_interval, t_factor

POWER = 0.8
MAX_SEEDS = 1000
_SURE = 0.8  # that the true spread is below the limit


@dataclass(frozen=True)
class MoreSeeds:
    """What it takes to resolve a difference.

    Args:
        resolve: the difference that is to be found with a probability of 0.8.
        have: seeds a group has now; of the smaller group where they differ.
        likely: seeds a group needs if the spread is what was seen; None for more than 1,000.
        cautious: likewise if it is as large as these few seeds leave open.
    """

    resolve: float
    have: int
    likely: int | None
    cautious: int | None

    @property
    def more(self) -> int | None:
        """Seeds to add to every group, if the spread stays as it is; None for very many."""
        return None if self.likely is None else max(0, self.likely - self.have)

    @property
    def at_most(self) -> int | None:
        """Seeds to add to be on the safe side; None for very many."""
        return None if self.cautious is None else max(0, self.cautious - self.have)

    @property
    def short(self) -> str:
        """The number of seeds to add: "6", "6 to 14", "0"."""
        if self.more is None:
            return f"over {MAX_SEEDS:,}"
        if self.more == self.at_most:
            return f"{self.more:,}"
        return f"{self.more:,} to {'many' if self.at_most is None else f'{self.at_most:,}'}"

    def sentence(self, unit: str = "", scale: float = 1.0) -> str:
        """Say it, such as "6 more seeds would resolve 0.5 points"; "6 to 9 more" from few seeds."""
        size = f"{self.resolve * scale:.3g}{f' {unit}' if unit else ''}"
        if self.more is None:
            return f"resolving {size} would take more than {MAX_SEEDS:,} seeds"
        if self.more == self.at_most == 0:
            return f"{self.have} seeds resolve {size}"
        if self.more == self.at_most:
            return f"{self.more} more {'seed' if self.more == 1 else 'seeds'} would resolve {size}"
        if self.more == 0:
            most = "many" if self.at_most is None else f"{self.at_most:,}"
            return f"up to {most} more {'seed' if self.at_most == 1 else 'seeds'} would resolve {size}"
        return f"{self.short} more seeds would resolve {size}"


def power(resolve: float, sd: float, seeds: int, freedom: float = 1.0, alpha: float = 0.05) -> float:
    """Return the probability that the two-sided t test finds a true difference of ``resolve``.

    Args:
        sd: of the differences of single seeds: of the pairs, or the root of the sum of both variances.
        seeds: in each group, 2 or more.
        freedom: degrees of freedom that each seed after the first adds: 1 for pairs, up to 2 for Welch's.
    """
    if not seeds >= 2:
        raise StatsError(f"expected at least 2 seeds, got {seeds}")
    if sd == 0:
        return 1.0
    degrees = freedom * (seeds - 1)
    bound = float(t_factor(degrees, 1 - alpha))
    centre = abs(resolve) * math.sqrt(seeds) / sd
    tails = (float(special.nctdtr(degrees, centre, end)) for end in (bound, -bound))
    missed, wrong_side = (0.0 if math.isnan(tail) else tail for tail in tails)  # NaN: too small for SciPy
    return 1.0 - missed + wrong_side


def seeds_needed(resolve: float, sd: float, freedom: float = 1.0, alpha: float = 0.05) -> int | None:
    """Return the fewest seeds a group with which a difference is found with a probability of 0.8.

    At least 2, without which there is no interval; None for more than 1,000.

    Raises:
        StatsError: for a difference that is not above 0.
    """
    if not (resolve > 0 and math.isfinite(resolve)):
        raise StatsError(f"expected a difference above 0 to resolve, got {resolve:g}")
    low, high = 1, MAX_SEEDS
    if power(resolve, sd, high, freedom, alpha) < POWER:
        return None
    while high - low > 1:  # power grows with the seeds
        middle = (low + high) // 2
        if power(resolve, sd, middle, freedom, alpha) >= POWER:
            high = middle
        else:
            low = middle
    return high


def sd_limit(sd: float, degrees: float, sure: float = _SURE) -> float:
    """Return how large the true standard deviation may be: the upper end of its one-sided interval.

    Source: Browne (1995), on planning from the upper limit of a pilot's standard deviation.
    """
    return sd * math.sqrt(degrees / float(special.chdtri(degrees, sure)))


def more_seeds(
    before: Mapping[Seed, float | None], after: Mapping[Seed, float | None], resolve: float
) -> MoreSeeds | None:
    """Plan how many seeds would resolve a difference, compared as ``difference`` does it.

    None where a group has too few seeds to tell how much they vary, or all seeds differ alike: that is the
    grain of a score with few steps, and further seeds may well differ.

    Raises:
        StatsError: for a difference that is not above 0.
    """
    old, new = finished(before), finished(after)
    shared = [seed for seed in old if seed in new]
    if len(shared) >= 2:
        spread = mean_interval([new[seed] - old[seed] for seed in shared])
        sd = spread.sd or 0.0
        return (
            None
            if sd <= ROUNDING * abs(spread.mean)
            else _planned(resolve, len(shared), sd, len(shared) - 1, 1.0)
        )
    if min(len(old), len(new)) < 2:
        return None
    first, second = (mean_interval(list(side.values())) for side in (old, new))
    one, two = first.sd or 0.0, second.sd or 0.0
    sd = math.hypot(one, two)
    if sd <= ROUNDING * abs(second.mean - first.mean):
        return None
    freedom = 1 / ((one / sd) ** 4 + (two / sd) ** 4)  # of shares: powers of tiny numbers vanish
    smaller = min(len(old), len(new))
    return _planned(resolve, smaller, sd, freedom * (smaller - 1), freedom)


def _planned(resolve: float, have: int, sd: float, degrees: float, freedom: float) -> MoreSeeds:
    sds = sd, sd_limit(sd, degrees)
    likely, cautious = (seeds_needed(resolve, one, freedom) for one in sds)
    return MoreSeeds(resolve, have, likely, cautious)
