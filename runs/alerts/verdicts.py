"""Did a fix help? Runs that differ by the fix alone, compared seed by seed.

Judged is the metric at the end of training, by its paired difference with a 95 % t interval over the pairs:

- helped: the whole interval is on the better side of 0, the mean gains at least 1 point of an accuracy
  (0.01 of R²) or 2 % of an error, and in most pairs the check is not open at the end of the fixed run;
- made it worse: the whole interval is on the worse side of 0, and the mean loses at least as much;
- did not help: the interval rules such a gain out, or the check is open at the end of half the fixed runs or
  more, as warning or critical;
- not decided: the interval is too wide for any of these; about how many more seeds would do is estimated
  from the spread of the pairs.

A run that diverged counts as the constant guess. A pair with a run that failed otherwise, was stopped or is
in the trash does not count, nor one whose runs had different data.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

import numpy as np

from nnlab.stats.intervals import Interval, mean_interval, t_factor
from runs.models import OVER, Status
from runs.reading.metrics import higher_is_better

LEAST_GAIN = 0.01  # of an accuracy, or of R²
LEAST_SHARE = 0.02  # of an error or a loss
MOST_SEEDS = 50  # of a fix


class Outcome(StrEnum):
    """What a fix came to."""

    WAITING = "waiting"
    HELPED = "helped"
    WORSE = "made it worse"
    NO_HELP = "did not help"
    UNDECIDED = "not decided"


DECIDED = (Outcome.HELPED, Outcome.WORSE, Outcome.NO_HELP)


@dataclass(frozen=True)
class RunEnd:
    """How one run of a pair stands.

    Args:
        score: last finite value of the headline metric.
        baseline: score of the best constant guess.
        in_trash: whether it was deleted; it does not count then.
        data: names the content of its data; None where that was not kept.
    """

    run: int
    status: str
    stop_reason: str
    score: float | None
    baseline: float | None
    in_trash: bool = False
    data: str | None = None

    @property
    def is_over(self) -> bool:
        """Whether nothing more is to be expected of it."""
        return self.in_trash or self.status in OVER

    @property
    def diverged(self) -> bool:
        """Whether its numbers stopped being finite, or never were."""
        is_finished = self.status == Status.FINISHED
        return self.stop_reason == "diverged" or (is_finished and self.score is None)

    @property
    def value(self) -> float | None:
        """What it counts with; None where it does not count."""
        if self.in_trash:
            return None
        if self.diverged:
            return self.baseline
        return self.score if self.status == Status.FINISHED else None


@dataclass(frozen=True)
class Pair:
    """The two runs of a seed; ``still_open`` says whether the check is open in the fixed one."""

    seed: int
    before: RunEnd
    after: RunEnd
    still_open: bool

    @property
    def is_over(self) -> bool:
        """Whether both runs are over."""
        return self.before.is_over and self.after.is_over

    @property
    def has_other_data(self) -> bool:
        """Whether the data changed between its runs: a file was replaced."""
        return bool(self.before.data and self.after.data) and self.before.data != self.after.data

    @property
    def values(self) -> tuple[float, float] | None:
        """The metric before and after; None where the pair does not count."""
        before, after = self.before.value, self.after.value
        if before is None or after is None or self.has_other_data:
            return None
        # The same guess, which a change of the data may have rounded otherwise.
        return before, before if self.before.diverged and self.after.diverged else after

    @property
    def difference(self) -> float | None:
        """How much higher the metric is with the fix."""
        return None if self.values is None else self.values[1] - self.values[0]


@dataclass(frozen=True)
class Verdict:
    """What the pairs of a fix say so far.

    Args:
        total: pairs that were asked for; ``done`` of them are over and ``counted`` count.
        before: mean of the metric over the pairs that count; None where none does. Likewise ``after``.
        difference: of the metric, after less before, over the pairs that count.
        still_open: fixed runs at whose end the check is open, of those that count.
        diverged: runs that count with the constant guess.
        more_seeds: about how many more would decide; None where that is not the question, 0 for too many.
    """

    outcome: Outcome
    reason: str
    total: int
    done: int
    counted: int
    before: float | None
    after: float | None
    difference: Interval | None
    still_open: int
    diverged: int
    more_seeds: int | None = None

    @property
    def left_out(self) -> int:
        """Pairs that are over and do not count."""
        return self.done - self.counted


_Judged: TypeAlias = tuple[Outcome, str, int | None]


def judge(pairs: Sequence[Pair], metric: str) -> Verdict:
    """Judge a fix by the rules of this module; before all pairs are over it is only told how they stand."""
    over = [pair for pair in pairs if pair.is_over]
    counting = [(pair, pair.values) for pair in over]
    counted = [(pair, values) for pair, values in counting if values is not None]
    still_open = sum(pair.still_open for pair, _ in counted)
    interval = mean_interval([after - before for _, (before, after) in counted]) if counted else None
    before = _mean([values[0] for _, values in counted])
    outcome, reason, more = _judged(interval, before, metric, still_open)
    if len(over) < len(pairs):
        outcome, reason, more = Outcome.WAITING, f"{len(over)} of {len(pairs)} pairs done.", None
    return Verdict(
        outcome,
        reason,
        total=len(pairs),
        done=len(over),
        counted=len(counted),
        before=before,
        after=_mean([values[1] for _, values in counted]),
        difference=interval,
        still_open=still_open,
        diverged=sum(pair.before.diverged + pair.after.diverged for pair, _ in counted),
        more_seeds=more,
    )


def _judged(interval: Interval | None, before: float | None, metric: str, still_open: int) -> _Judged:
    """Apply the rules to the improvement: the difference with the sign that makes better positive."""
    if interval is None or before is None:
        return Outcome.UNDECIDED, "No pair ended with two runs that can be compared.", None
    if interval.sd is None or interval.low is None or interval.high is None:
        return Outcome.UNDECIDED, "One pair gives no interval; add a few seeds.", None
    sign = 1.0 if higher_is_better(metric) else -1.0
    gain, least = sign * interval.mean, _least(metric, before)
    low, high = sorted((sign * interval.low, sign * interval.high))
    if low > 0 and gain >= least:
        return *_gained(still_open, interval.n), None
    if high < 0 and gain <= -least:
        return Outcome.WORSE, "The loss is more than chance explains.", None
    if high < least:
        return Outcome.NO_HELP, "The interval rules out a gain that would matter.", None
    more = _more_seeds(gain, least, interval.sd, interval.n)
    return Outcome.UNDECIDED, _more_words(more), more


def _least(metric: str, before: float) -> float:
    """Return the smallest improvement that matters."""
    return LEAST_GAIN if higher_is_better(metric) else LEAST_SHARE * abs(before)


def _more_seeds(gain: float, least: float, sd: float, n: int) -> int:
    """Estimate how many more pairs decide, if mean and spread stay as they are; 0 where it is too many.

    Decided is where the interval about the mean ends above 0, for a gain that matters, or below the least
    gain that does, for a smaller one.
    """
    reach = gain if gain >= least else least - gain
    totals = np.arange(n + 1, MOST_SEEDS + 1)
    enough = totals[t_factor(totals - 1) * sd / np.sqrt(totals) < reach]
    return int(enough[0]) - n if enough.size else 0


def _more_words(more: int) -> str:
    if more == 0:
        return f"The pairs differ so much that more than {MOST_SEEDS} seeds would be needed, too many."
    return f"About {more} more seed{'' if more == 1 else 's'} needed."


def _gained(still_open: int, n: int) -> tuple[Outcome, str]:
    """Judge a gain by whether the cause is gone too."""
    if 2 * still_open < n:
        return Outcome.HELPED, f"The check is not open at the end of {n - still_open} of {n} fixed runs."
    reason = f"The metric is better, but the check is open at the end of {still_open} of {n} fixed runs."
    return Outcome.NO_HELP, reason


def _mean(values: Sequence[float]) -> float | None:
    return math.fsum(values) / len(values) if values else None
