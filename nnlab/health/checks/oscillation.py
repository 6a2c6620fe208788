"""Check 13: a network that jumps back and forth instead of settling."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from nnlab.health.epochs import swings
from nnlab.health.events import Severity
from nnlab.health.results import UNKNOWN, Check, Explanation, Result, Verdict
from nnlab.health.signals import Reading, Signals

if TYPE_CHECKING:
    from nnlab.health.thresholds import Limits


def judge(signals: Signals, limits: Limits) -> Result:
    """Hit where the validation loss swings widely, and the score has lost what it reached some time ago.

    Losses of a network that has learnt its task swing widely compared with themselves, and that is healthy:
    swings are measured against the loss of a constant answer, and count while there is much left to learn.
    The best of many scores is partly luck, the more so the fewer rows they are of.
    """
    epochs, info = signals.epochs, signals.info
    window = epochs.validation_losses
    if len(window) < limits["evaluations"] + 1 or signals.step < signals.t_min or math.isnan(signals.q):
        return UNKNOWN
    count = swings(window, limits["swing"] * info.baseline_loss)
    value, bound = float(count), limits["open"]
    score = epochs.score
    lost = score.earlier_best - score.usual
    least = _least_lost(signals, limits)
    if count <= limits["clear"] or signals.q < limits["clear_q"] or lost < least / 2:
        return Result(Verdict.SAFE, value, bound)
    is_hit = count >= bound and signals.q > limits["q"] and lost >= least
    return Result(Verdict.HIT if is_hit else Verdict.NEUTRAL, value, bound)


def _least_lost(signals: Signals, limits: Limits) -> float:
    return max(limits["lost"], limits["lost_noise"] * signals.epochs.score.noise)


def explain(signals: Signals, limits: Limits, result: Result) -> Explanation:
    """Count the swings, and say what they cost."""
    epochs = signals.epochs
    least = limits["swing"] * signals.info.baseline_loss
    times = f"{limits['evaluations']:.0f} {epochs.word}s"
    score = "accuracy" if epochs.score.is_accuracy else "R squared"
    return Explanation(
        title=f"Oscillation: the validation loss swung up and down {result.value:.0f} times in {times}",
        cause=(
            f"Each swing was {least:.2g} or more, and one step undoes the other: {score} was"
            f" {epochs.score.earlier_best:.2f} at its best and is about {epochs.score.usual:.2f} now. The"
            " updates jump over the minimum: the learning rate or the momentum is too high, or each batch is"
            " so small that its gradient is mostly noise."
        ),
        formula=(
            f"moves of the validation loss by >= {limits['swing']:g} x loss of the best constant answer, up"
            f" and down, in {times}: >= {limits['open']:.0f}; median {score} of the last"
            f" {epochs.score.last.maxlen} {epochs.word}s at least {_least_lost(signals, limits):.2g} below"
            " the best of before"
        ),
        numbers={
            "validation_losses": list(epochs.validation_losses),
            "best_score": epochs.score.earlier_best,
            "median_score": epochs.score.usual,
        },
    )


CHECK = Check(
    id="oscillation",
    readings=frozenset({Reading.EVALUATION}),
    judge=judge,
    explain=explain,
    severity=Severity.WARNING,
    stuck_severity=Severity.WARNING,
    eases=False,
)
