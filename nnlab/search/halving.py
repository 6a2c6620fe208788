"""Which trials go on at a rung of successive halving, in the order in which they arrive."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from nnlab.search.errors import SearchError

MAX_FACTOR = 100


@dataclass(frozen=True)
class Halving:
    """Rungs at ``first``, ``first * factor``, ``first * factor**2``, ... steps.

    At each one of ``factor`` goes on: asynchronous successive halving, the variant that stops instead of
    pausing.

    Raises:
        SearchError: for a factor below 2 or a first rung below 1.

    Source: Li et al., A System for Massively Parallel Hyperparameter Tuning, MLSys 2020 (algorithm 2 promotes
    what has proved good; ours, as Ray and Syne Tune do, lets all train and stops what has not). Unlike
    theirs, those that arrive together are judged together, on all their scores.
    """

    first: int
    factor: int = 3

    def __post_init__(self) -> None:
        if not 2 <= self.factor <= MAX_FACTOR:
            raise SearchError(f"expected a factor from 2 to {MAX_FACTOR}, got {self.factor}")
        if not self.first >= 1:
            raise SearchError(f"expected the first rung at step 1 or later, got {self.first}")

    def rungs(self, steps: int) -> Iterator[int]:
        """Count the rungs below the full length of a run; at its end nobody is stopped."""
        rung = self.first
        while rung < steps:
            yield rung
            rung *= self.factor

    def goes_on(self, score: float, scores: Sequence[float]) -> bool:
        """Decide on a trial that has arrived at a rung.

        Args:
            score: its own; smaller is better, infinite the worst.
            scores: of all trials that have arrived there so far, itself among them.

        The best ``1 / factor`` of them go on, rounded down, but one at least; equal scores share their fate.
        One with an infinite score never does.
        """
        places = max(1, len(scores) // self.factor)
        better = sum(other < score for other in scores)
        return better < places and score < float("inf")
