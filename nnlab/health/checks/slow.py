"""Check 26: a run that will end, or has ended, before it has learnt much of what it could."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from nnlab.health.events import Severity
from nnlab.health.progress import LATE, LONGER, gain_of_more, grasp, loss_at_end
from nnlab.health.results import UNKNOWN, Check, Explanation, Result, Verdict
from nnlab.health.signals import Reading, Signals

if TYPE_CHECKING:
    from collections.abc import Mapping

    from nnlab.health.thresholds import Limits


def judge(signals: Signals, limits: Limits) -> Result:
    """Hit where the weights will hardly move within the budget, or where the losses still fall at its end.

    The first is told as soon as the steps have settled. A network whose weights hardly move is nearly linear
    in them: its loss falls ever more slowly, so that a straight line does it a favour. Where even that leaves
    much to learn, the run is too slow. Before two evaluations give a line, the path has to be half as long.
    The second is told at the end only, since many healthy networks learn late. A run whose answers are good
    is left alone, and so is one that warms up.
    """
    if not _is_due(signals, limits) or math.isnan(signals.q):
        return UNKNOWN
    reach, learnt = signals.progress.reach(signals.usual_updates), grasp(signals)
    if math.isnan(reach):
        return UNKNOWN
    if learnt > limits["grasp_clear"] or (reach > limits["reach_clear"] and not _is_over(signals)):
        return Result(Verdict.SAFE, reach, limits["reach"])
    left = loss_at_end(signals)
    if learnt < limits["grasp"]:
        if reach < limits["reach"] / (2 if math.isnan(left) else 1) and not left <= limits["left"]:
            return Result(Verdict.HIT, reach, limits["reach"])
        gain = gain_of_more(signals) if left > limits["left"] and _is_over(signals) else 0.0
        if gain >= limits["gain"]:
            return Result(Verdict.HIT, gain, limits["gain"])
    is_safe = reach > limits["reach_clear"] or left < limits["left_clear"]
    return Result(Verdict.SAFE if is_safe else Verdict.NEUTRAL, reach, limits["reach"])


def _is_over(signals: Signals) -> bool:
    return signals.reading is Reading.END and signals.step >= signals.info.steps


def _is_due(signals: Signals, limits: Limits) -> bool:
    """Whether the steps have settled; samples are only asked as long as there is nothing else."""
    if signals.nonfinite is not None:
        return False
    if _is_over(signals):
        return True
    if signals.reading is Reading.SAMPLE and signals.step >= signals.window:
        return False
    warm_up = signals.config.get("warmup_steps")
    return signals.step >= max(limits["least_steps"], warm_up if isinstance(warm_up, int) else 0)


def explain(signals: Signals, limits: Limits, result: Result) -> Explanation:
    """Say how little moves, or what is still to come."""
    numbers = {
        "path": signals.progress.reach(signals.usual_updates),
        "loss_at_end": loss_at_end(signals),
        "gain_of_more": gain_of_more(signals),
        "grasp": grasp(signals),
    }
    if result.threshold == limits["gain"]:
        return _explain_gain(signals, result, numbers)
    return _explain_path(signals, limits, result, numbers)


def _explain_path(
    signals: Signals, limits: Limits, result: Result, numbers: Mapping[str, object]
) -> Explanation:
    steps = signals.info.steps
    return Explanation(
        title=(
            f"Too slow for its budget: all {steps:,} steps move no layer's weights by more than"
            f" {result.value:.1%} of their size"
        ),
        cause=(
            "A network that learns moves its weights by about their own size, and often further. At this pace"
            f" the run ends long before: the loss is {signals.q:.0%} of what a constant answer has. Longer"
            " steps, by a higher learning rate or another optimizer, or more of them, by smaller batches or"
            " more epochs, bring it further."
        ),
        formula=(
            "longest path of a layer = sum over all steps of norm(update) / norm(weights), projected to the"
            f" end, < {result.threshold:g}, and validation loss / loss of the best constant answer, its root"
            f" projected along a straight line, > {limits['left']:g} there"
        ),
        numbers=numbers,
    )


def _explain_gain(signals: Signals, result: Result, numbers: Mapping[str, object]) -> Explanation:
    return Explanation(
        title="Ended too early: the loss was still falling, with much left to learn",
        cause=(
            f"In the last {1 - LATE:.0%} of the run both losses fell steadily, and the loss is still"
            f" {signals.q:.0%} of what a constant answer has. As it went, {LONGER} times as many steps would"
            f" bring it down by another {result.value:.0%} of that. Train longer, take smaller batches, or"
            " raise the learning rate."
        ),
        formula=(
            f"(validation loss now - after {LONGER} times the steps, by the power law of the last"
            f" {1 - LATE:.0%}) / loss of the best constant answer >= {result.threshold:g}"
        ),
        numbers=numbers,
    )


CHECK = Check(
    id="slow",
    readings=frozenset({Reading.SAMPLE, Reading.WINDOW, Reading.EVALUATION, Reading.END}),
    judge=judge,
    explain=explain,
    severity=Severity.WARNING,
    stuck_severity=Severity.WARNING,
    eases=False,
)
