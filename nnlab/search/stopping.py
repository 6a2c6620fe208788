"""Rules that stop a run while it trains."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from nnlab.search.errors import SearchError

FEWEST_PEERS = 4  # a median of fewer says little


@dataclass(frozen=True)
class Threshold:
    """Stop a run whose metric is beyond a bound.

    Args:
        above: stop where the metric is larger than this; or
        below: stop where it is smaller.
        after_step: evaluations before and at this step are let pass.

    Raises:
        SearchError: for both bounds, for none, or for one that is not finite.
    """

    metric: str
    above: float | None = None
    below: float | None = None
    after_step: int = 0

    def __post_init__(self) -> None:
        if (self.above is None) == (self.below is None):
            raise SearchError(f"expected above or below, got {'none' if self.above is None else 'both'}")
        bound = self.above if self.above is not None else self.below
        if bound is not None and not math.isfinite(bound):
            raise SearchError(f"expected a finite bound, got {bound}")

    def broken_by(self, step: int, value: float) -> str:
        """Say in words how an evaluation breaks the rule; empty where it does not.

        A metric that is not a number breaks it.
        """
        if step <= self.after_step:
            return ""
        if self.above is not None and not value <= self.above:
            return f"{self.metric} was {value:.4g} at step {step:,}, above the rule's {self.above:g}"
        if self.below is not None and not value >= self.below:
            return f"{self.metric} was {value:.4g} at step {step:,}, below the rule's {self.below:g}"
        return ""


def is_below_median(best: float, averages: Sequence[float]) -> bool:
    """Whether a run is worse than its peers were: median stopping.

    Args:
        best: the run's best value so far; smaller is better.
        averages: of each peer, the mean of its values up to the same step; infinite where it diverged.

    Never where there are fewer than four peers.

    Source: Golovin et al., Google Vizier, KDD 2017, section 3.2.2. Theirs compares with completed trials
    only; ours with all that have come as far, since in a population most end at the same time.
    """
    return len(averages) >= FEWEST_PEERS and not best <= median(averages)
