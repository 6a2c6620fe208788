"""Check 14: the validation loss rises while the training loss goes on falling."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from nnlab.health.events import Severity
from nnlab.health.results import UNKNOWN, Check, Explanation, Result, Verdict
from nnlab.health.signals import Reading, Signals

if TYPE_CHECKING:
    from nnlab.health.thresholds import Limits


def judge(signals: Signals, limits: Limits) -> Result:
    """Hit where the average validation loss has been above its minimum for a while, and training goes on.

    It is shown as soon as it is so, and a warning once it costs something: see ``_severity``. With dropout
    the training loss is larger than without, which makes the gap smaller: it raises no false alarm.
    """
    epochs, info = signals.epochs, signals.info
    if not epochs.count or not info.baseline_loss >= signals.limits["least_baseline_loss"]:
        return UNKNOWN
    value, bound = _relative_rise(signals), limits["rise"]
    is_back = value <= limits["clear"] or epochs.rise <= limits["clear_of_baseline"] * info.baseline_loss
    if epochs.is_restored or is_back:
        return Result(Verdict.SAFE, value, bound)
    is_long = signals.step - epochs.risen_since >= limits["share"] * info.steps
    if epochs.risen >= limits["evaluations"] and is_long:
        return Result(Verdict.HIT, value, bound, severity=_severity(signals, limits))
    return Result(Verdict.NEUTRAL, value, bound)


def _relative_rise(signals: Signals) -> float:
    """The rise over the minimum; of a minimum of 0 over the smallest float, so that it is a number."""
    return signals.epochs.rise / max(signals.epochs.least, sys.float_info.min)


def _severity(signals: Signals, limits: Limits) -> Severity:
    """Warn where the metric has fallen by more than chance, or shows no use of what is learnt by heart.

    People choose networks by their metric. While that is good, a validation loss that rises to a multiple
    only tells that wrong answers are given more surely.
    """
    epochs, score = signals.epochs, signals.epochs.score
    lost = limits["lost_accuracy" if score.is_accuracy else "lost_r2"]
    is_multiple = (
        _relative_rise(signals) >= limits["warn_rise"]
        and epochs.rise >= limits["warn_of_baseline"] * signals.info.baseline_loss
    )
    has_lost = score.best_average - score.average >= max(lost, limits["lost_noise"] * score.noise)
    has_no_use = signals.metric_is_no_better and epochs.validation_loss > signals.info.baseline_loss
    harms = has_lost or has_no_use or (is_multiple and not signals.scores_well)
    return Severity.WARNING if harms else Severity.INFO


def explain(signals: Signals, limits: Limits, result: Result) -> Explanation:
    """Say when the validation loss was smallest, and what the network does since."""
    epochs = signals.epochs
    return Explanation(
        title=(
            f"Overfitting: the validation loss is {result.value:.0%} above its minimum"
            f" of step {epochs.least_step:,}"
        ),
        cause=(
            f"Since then the training loss fell from {epochs.least_training_loss:.3g} to"
            f" {epochs.training_loss:.3g}, and the validation loss rose from {epochs.least:.3g} to"
            f" {epochs.validation_loss:.3g}: the network learns its training examples by"
            " heart, which does not help with new ones. It is large, or trained long, for so few examples."
            " Stopping early keeps the best network; dropout, an L2 penalty, fewer units or more examples"
            " help, too."
        ),
        formula=(
            f"average validation loss / its minimum - 1 >= {limits['rise']:.0%} for at least"
            f" {limits['evaluations']:.0f} {epochs.word}s and {limits['share']:.0%} of the run, with"
            f" (validation - training loss) / training loss > {limits['gap']:g} and a training loss that"
            f" fell by {limits['fall']:.0%} or more meanwhile"
        ),
        numbers={
            "validation_loss": epochs.validation_loss,
            "least_validation_loss": epochs.least,
            "least_at_step": epochs.least_step,
            "training_loss": epochs.training_loss,
            "gap": epochs.gap,
            "score": epochs.score.average,
            "best_score": epochs.score.best_average,
        },
    )


CHECK = Check(
    id="overfitting",
    readings=frozenset({Reading.EVALUATION, Reading.END}),
    judge=judge,
    explain=explain,
    severity=Severity.INFO,
    stuck_severity=Severity.WARNING,
    eases=False,
)
