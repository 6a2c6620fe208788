"""Check 12: a loss that rises and does not come back."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from nnlab.health.events import Severity
from nnlab.health.results import UNKNOWN, Check, Explanation, Result, Verdict
from nnlab.health.signals import Reading, Signals

if TYPE_CHECKING:
    from nnlab.health.thresholds import Limits


def judge(signals: Signals, limits: Limits) -> Result:
    """Hit where the average loss is half above its lowest and rising, or worse than a constant answer.

    Three such windows in a row open the alert, so a spike that comes back does not. A loss above the constant
    answer's is a slow start where it falls or hardly exceeds the untrained network's, and one far below it
    can rise without harm; so can one whose validation loss does not rise as well.
    """
    losses, q = signals.losses, signals.q
    if math.isnan(q) or signals.step < signals.t_min or not losses.lowest < math.inf:
        return UNKNOWN
    rise = losses.average / losses.lowest if losses.lowest > 0 else math.nan
    fall = losses.fall_over(signals.window)
    is_worse = q >= limits["q_above"] and losses.average > limits["rise"] * losses.first
    if is_worse and not fall >= limits["fall"]:
        return Result(Verdict.HIT, q, limits["q_above"])
    if (
        rise > limits["rise"]
        and fall < 0
        and q > limits["q_harmless"]
        and _shows_in_validation(signals, limits)
    ):
        return Result(Verdict.HIT, rise, limits["rise"])
    is_safe = q < limits["q_above"] and (rise < limits["clear"] or q < limits["q_harmless"])
    return Result(Verdict.SAFE if is_safe else Verdict.NEUTRAL, rise, limits["rise"])


def _shows_in_validation(signals: Signals, limits: Limits) -> bool:
    """Whether the last evaluation found a loss as far above its lowest, or there is none yet to ask.

    Of small batches the average loss is that of few rows, and the lowest of many such averages is luck.
    """
    epochs = signals.epochs
    return not epochs.count or epochs.validation_losses[-1] > limits["rise"] * epochs.least


def explain(signals: Signals, limits: Limits, result: Result) -> Explanation:
    """Say what the loss rose above."""
    losses = signals.losses
    is_above = result.threshold == limits["q_above"]
    than = "that of a constant answer" if is_above else "its lowest"
    return Explanation(
        title=f"Divergence: the loss is {result.value:.3g} times {than}",
        cause=(
            f"The average loss is {losses.average:.4g}; it was {losses.lowest:.4g} at its lowest, and a"
            f" constant answer has {signals.info.baseline_loss:.4g}. It has not come down for three windows"
            f" of {signals.window:,} steps. Usually the learning rate is too high: each step overshoots."
        ),
        formula=(
            f"average loss / loss of the best constant answer >= {result.threshold:g}, above the first loss"
            " and not falling"
            if is_above
            else f"average loss / lowest average loss > {result.threshold:g}, and rising"
        ),
        numbers={
            "first_loss": losses.first,
            "lowest_average_loss": losses.lowest,
            "window_steps": signals.window,
        },
    )


CHECK = Check(
    id="divergence",
    readings=frozenset({Reading.WINDOW}),
    judge=judge,
    explain=explain,
    severity=Severity.CRITICAL,
    stuck_severity=Severity.CRITICAL,
)
