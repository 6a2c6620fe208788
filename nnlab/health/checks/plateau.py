"""Check 11: a run that has learnt a little and makes no progress any more."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from nnlab.health.events import Severity
from nnlab.health.results import UNKNOWN, Check, Explanation, Result, Verdict
from nnlab.health.signals import Reading, Signals

if TYPE_CHECKING:
    from nnlab.health.thresholds import Limits


def judge(signals: Signals, limits: Limits) -> Result:
    """Hit where the average loss has not fallen for a fifth of the steps while much is left to learn.

    Much is left where loss and metric are both close to the baseline. Further away the data may be at their
    limit: of healthy runs on noisy or unbalanced data one in eleven stood still at half the baseline's loss.
    A run at the baseline is not judged here (it has learnt nothing, which says more), nor one whose
    validation loss is far above the training loss, nor one whose learning rate was lowered on purpose.
    """
    fall, bound = signals.losses.fall_over(signals.progress_window), limits["open"]
    if math.isnan(fall) or math.isnan(signals.q) or signals.metric_is_no_better:
        return UNKNOWN
    if fall > limits["clear"] or signals.q < limits["q_clear"]:
        return Result(Verdict.SAFE, fall, bound)
    is_stalled = fall < bound and signals.q > limits["q"] and signals.skill < limits["skill"]
    excused = signals.rate_share < limits["rate_share"] or _overfits(signals, limits)
    return Result(Verdict.HIT if is_stalled and not excused else Verdict.NEUTRAL, fall, bound)


def explain(signals: Signals, _limits: Limits, result: Result) -> Explanation:
    """Say since when nothing has changed, and how much is left."""
    window = signals.progress_window
    change = f"rose by {-result.value:.1%}" if result.value < 0 else f"fell by {result.value:.1%}"
    return Explanation(
        title=f"No progress: over the last {window:,} steps the loss {change}",
        cause=(
            f"The average loss is still {signals.q:.0%} of what a constant answer would have, and it does not"
            " get lower. The learning rate may be too low, or too high to settle; the network may be stuck,"
            " or the data may not allow more."
        ),
        formula=(
            f"fall of the average loss over the last 20 % of the steps, at least 200, < {result.threshold:g}"
        ),
        numbers={"window_steps": window, "skill": signals.skill},
    )


def _overfits(signals: Signals, limits: Limits) -> bool:
    validation = (
        math.nan if signals.evaluation is None else signals.evaluation.metrics.get("val_loss", math.nan)
    )
    return validation > limits["overfit_factor"] * signals.losses.average


CHECK = Check(
    id="plateau",
    readings=frozenset({Reading.WINDOW}),
    judge=judge,
    explain=explain,
    severity=Severity.WARNING,
    stuck_severity=Severity.CRITICAL,
)
