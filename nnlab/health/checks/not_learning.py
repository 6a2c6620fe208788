"""Check 22: a run that is no better than a constant answer."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from nnlab.health.events import Severity
from nnlab.health.progress import grasp
from nnlab.health.results import UNKNOWN, Check, Explanation, Result, Verdict
from nnlab.health.signals import Reading, Signals

if TYPE_CHECKING:
    from nnlab.health.thresholds import Limits


def judge(signals: Signals, limits: Limits) -> Result:
    """Hit where loss and metric are at the baseline after an epoch, 200 steps and 5 % of the budget.

    Up to 40 % of the budget it is only shown: small networks may stand still for hundreds of steps, then
    learn; from there on it is critical, unless the loss is falling, as from a start far above the baseline.
    At its end a run is warned that has learnt little, or that was too short to be judged on its way: more
    epochs may be all it needs. A run of a few steps has had no chance at all and is left alone.
    """
    q, bound = signals.q, signals.limits["q_no_better"]
    if math.isnan(q) or signals.nonfinite is not None:
        return UNKNOWN
    if signals.is_stuck and signals.step >= limits["budget_share"] * signals.info.steps:
        is_due = signals.step >= limits["critical_share"] * signals.info.steps and not _falls(signals, limits)
        return Result(Verdict.HIT, q, bound, severity=Severity.CRITICAL if is_due else Severity.INFO)
    if signals.reading is Reading.END and limits["least_steps"] <= signals.info.steps <= signals.step:
        is_short = signals.step < signals.t_min
        if is_short and signals.looks_stuck:
            return Result(Verdict.HIT, q, bound, severity=Severity.WARNING)
        if _learnt_little(signals, limits):
            return Result(Verdict.HIT, q, limits["little_q"], severity=Severity.WARNING)
    is_safe = q < limits["clear"] or grasp(signals) > limits["clear_grasp"]
    return Result(Verdict.SAFE if is_safe else Verdict.NEUTRAL, q, bound)


def _learnt_little(signals: Signals, limits: Limits) -> bool:
    """Whether the answers are close to a constant's, for classes balanced enough to tell.

    Where the loss is nearly a constant's as well, the answers may be a little better than elsewhere.
    """
    info, learnt = signals.info, grasp(signals)
    if info.headline.endswith("accuracy") and info.baseline_metric > limits["largest_class"]:
        return False
    is_little = signals.q > limits["little_q"] and learnt < limits["little"]
    return is_little or (signals.q > limits["hardly_q"] and learnt < limits["hardly"])


def _falls(signals: Signals, limits: Limits) -> bool:
    return signals.losses.fall_over(signals.progress_window) >= limits["falling"]


def explain(signals: Signals, limits: Limits, result: Result) -> Explanation:
    """Say what the network is not better than, or not much."""
    info = signals.info
    answer = "the mean of the targets" if info.task == "regression" else "the class frequencies"
    is_little = result.threshold == limits["little_q"]
    if is_little:
        title = (
            f"Learnt little: the run ended {max(signals.skill, 0.0):.0%} of the way from a constant answer"
            " to perfect"
        )
        cause = (
            "It may need more epochs, a higher learning rate or another optimizer; or the data allow no more."
        )
    else:
        title = f"Not learning: after {signals.step:,} steps no better than a constant answer"
        cause = "Something keeps it from learning: learning rate, optimizer, activation or data."
        if info.steps < signals.t_min:
            cause = "The run may simply be too short."
    return Explanation(
        title=title,
        cause=(
            f"A model that ignores its inputs and always answers {answer} has a loss of"
            f" {info.baseline_loss:.4g}; this network's is {signals.losses.average:.4g}. {cause}"
        ),
        formula=(
            f"q = average loss / loss of the best constant answer {'>' if is_little else '>='}"
            f" {result.threshold:g}, and the metric is {'little' if is_little else 'no'} better either"
        ),
        numbers={
            "metric": signals.metric,
            "baseline_metric": info.baseline_metric,
            "skill": signals.skill,
        },
    )


CHECK = Check(
    id="not_learning",
    readings=frozenset({Reading.SAMPLE, Reading.EVALUATION, Reading.END}),
    judge=judge,
    explain=explain,
    severity=Severity.INFO,
    stuck_severity=Severity.CRITICAL,
    eases=False,
)
