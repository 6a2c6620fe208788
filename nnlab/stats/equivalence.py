"""Are two groups the same for what matters? Two one-sided tests against a margin."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from scipy import special

from nnlab.stats.differences import Difference, holm
from nnlab.stats.errors import StatsError
from nnlab.stats.intervals import t_factor


@dataclass(frozen=True)
class Equivalence:
    """Whether a difference is shown to be smaller than a margin.

    Args:
        within: the margin to either side.
        low: lower end of the 90 % interval (1 - 2 alpha); it lies within the margin where this is shown.
        high: upper end, likewise.
        p_value: the larger one of the two tests, corrected where many are made.
    """

    within: float
    low: float
    high: float
    p_value: float
    alpha: float

    @property
    def shown(self) -> bool:
        """Whether both tests say that the difference is within the margin."""
        return self.p_value < self.alpha

    def sentence(self, unit: str = "", scale: float = 1.0) -> str:
        """Say it: "equivalent within ±0.5 points", or that this is not shown."""
        margin = f"±{self.within * scale:g}{f' {unit}' if unit else ''}"
        return f"equivalent within {margin}" if self.shown else f"equivalence within {margin} not shown"


def equivalence(found: Difference, within: float, alpha: float = 0.05) -> Equivalence | None:
    """Test whether a difference, paired or Welch's, is smaller than ``within`` to both sides.

    That no difference was found shows nothing: a few noisy seeds find none. This asks the reverse, and needs
    seeds enough to answer it. None where the difference has no interval, or one without width: all seeds
    alike show the grain of the score, and no certainty.

    Raises:
        StatsError: for a margin that is not above 0.

    Source: Schuirmann (1987), the two one-sided tests.
    """
    if not (within > 0 and math.isfinite(within)):
        raise StatsError(f"expected a margin above 0 that the difference may have, got {within:g}")
    if not found.error or found.degrees is None:
        return None
    reach = float(t_factor(found.degrees, 1 - 2 * alpha)) * found.error
    p_value = max(
        _below(-(found.mean + within), found.error, found.degrees),
        _below(found.mean - within, found.error, found.degrees),
    )
    return Equivalence(within, found.mean - reach, found.mean + reach, p_value, alpha)


def equivalences(
    found: Sequence[Difference | None], within: float, alpha: float = 0.05
) -> list[Equivalence | None]:
    """Test a family of differences, each in its place, the p values corrected after Holm for their number.

    Where all of them are shown even so, they are one claim, and nothing is corrected.

    Source: Berger (1982) on claims that need every test of several; the first step of Hochberg (1988).
    """
    made = [equivalence(one, within, alpha) if one else None for one in found]
    if all(one is not None and one.shown for one in made):
        return made
    corrected = iter(holm([one.p_value for one in made if one is not None]))
    return [None if one is None else replace(one, p_value=next(corrected)) for one in made]


def _below(distance: float, error: float, degrees: float) -> float:
    return float(special.stdtr(degrees, distance / error))
