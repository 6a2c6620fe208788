"""Check 22: a run that is no better than a constant answer."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from nnlab.health.events import Severity
from nnlab.health.results import UNKNOWN, Check, Explanation, Result, Verdict
from nnlab.health.signals import Reading, Signals

if TYPE_CHECKING:
    from nnlab.health.thresholds import Limits


def judge(signals: Signals, limits: Limits) -> Result:
    """Hit where loss and metric are at the baseline after an epoch, 200 steps and 5 % of the budget.

    Up to 30 % of the budget it is only shown: small networks may stand still for hundreds of steps, then
    learn; from there on it is critical.
    A run too short to be judged is warned at its end: more epochs may be all it needs. One of a few steps has
    had no chance at all and is left alone.
    """
    q, bound = signals.q, signals.limits["q_no_better"]
    if math.isnan(q) or signals.nonfinite is not None:
        return UNKNOWN
    if q < limits["clear"]:
        return Result(Verdict.SAFE, q, bound)
    is_due = signals.step >= limits["budget_share"] * signals.info.steps
    if signals.is_stuck and is_due:
        is_late = signals.step >= limits["critical_share"] * signals.info.steps
        return Result(Verdict.HIT, q, bound, severity=Severity.CRITICAL if is_late else Severity.INFO)
    if signals.reading is Reading.END and _was_short(signals, limits) and signals.looks_stuck:
        return Result(Verdict.HIT, q, bound, severity=Severity.WARNING)
    return Result(Verdict.NEUTRAL, q, bound)


def _was_short(signals: Signals, limits: Limits) -> bool:
    """Whether the run is over, took some steps, and was too short for a verdict on its way."""
    return limits["least_steps"] <= signals.info.steps <= signals.step < signals.t_min


def explain(signals: Signals, _limits: Limits, result: Result) -> Explanation:
    """Say what the network is not better than."""
    info = signals.info
    answer = "the mean of the targets" if info.task == "regression" else "the class frequencies"
    is_short = info.steps < signals.t_min
    return Explanation(
        title=f"Not learning: after {signals.step:,} steps no better than a constant answer",
        cause=(
            f"A model that ignores its inputs and always answers {answer} has a loss of"
            f" {info.baseline_loss:.4g}; this network's is {signals.losses.average:.4g}. "
            + (
                "The run may simply be too short."
                if is_short
                else "Something keeps it from learning: learning rate, optimizer, activation or data."
            )
        ),
        formula=(
            f"q = average loss / loss of the best constant answer >= {result.threshold:g},"
            " and the metric is no better either"
        ),
        numbers={"metric": signals.metric, "baseline_metric": info.baseline_metric},
    )


CHECK = Check(
    id="not_learning",
    readings=frozenset({Reading.SAMPLE, Reading.EVALUATION, Reading.END}),
    judge=judge,
    explain=explain,
    severity=Severity.INFO,
    stuck_severity=Severity.CRITICAL,
)
