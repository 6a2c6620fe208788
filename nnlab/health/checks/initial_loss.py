"""Check 24: an untrained network that is not undecided."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from nnlab.health.events import Severity
from nnlab.health.results import UNKNOWN, Check, Explanation, Result, Verdict
from nnlab.health.signals import Reading, Signals

if TYPE_CHECKING:
    from nnlab.health.thresholds import Limits


def judge(signals: Signals, limits: Limits) -> Result:
    """Compare the untrained network's loss with that of an undecided answer, once.

    He's initial weights put healthy networks of few inputs anywhere from 0.4 to 4 times that loss.
    """
    evaluation = signals.evaluation
    if evaluation is None or evaluation.step != 0:
        return UNKNOWN
    undecided = _undecided_loss(signals)
    if not undecided >= signals.limits["least_baseline_loss"]:
        return UNKNOWN
    ratio = evaluation.metrics["val_loss"] / undecided
    if ratio > limits["high"]:
        return Result(Verdict.HIT, ratio, limits["high"])
    if ratio < limits["low"]:
        return Result(Verdict.HIT, ratio, limits["low"])
    return UNKNOWN


def _undecided_loss(signals: Signals) -> float:
    """The loss of equal probabilities, or of the answer 0; NaN for pairs of loss and output without one."""
    info, facts = signals.info, signals.facts
    if signals.config.get("class_weights"):
        return math.nan
    if info.task == "regression":
        targets = None if facts is None or info.activations[-1] != "linear" else facts.targets
        return math.nan if targets is None else targets.zero_losses[info.loss]
    if info.loss == "binary_cross_entropy":
        return math.log(2)
    if info.loss in ("softmax_cross_entropy", "cross_entropy") and info.widths[-1] > 1:
        return math.log(info.widths[-1])
    return math.nan


def explain(signals: Signals, limits: Limits, result: Result) -> Explanation:
    """Say what an untrained network should lose, and what moves it away from that."""
    is_regression = signals.info.task == "regression"
    answer = "that always answers 0" if is_regression else "that gives all classes the same probability"
    start = math.nan if signals.evaluation is None else signals.evaluation.metrics["val_loss"]
    undecided = _undecided_loss(signals)
    cause = (
        "Large inputs or large initial weights make its answers large before it has learned anything; it"
        " first has to unlearn them."
        if result.value > limits["high"]
        else "It is better than undecided without any training: does an input hold the answer?"
    )
    return Explanation(
        title=f"Initial loss: {start:.3g}, where an undecided network has {undecided:.3g}",
        cause=f"One {answer} would lose {undecided:.4g}; this one, untrained, loses {start:.4g}. {cause}",
        formula=(
            f"validation loss before step 1 / loss of an undecided answer outside of {limits['low']:g} to"
            f" {limits['high']:g}"
        ),
        numbers={"initial_loss": start, "undecided_loss": undecided},
    )


CHECK = Check(
    id="initial_loss",
    readings=frozenset({Reading.EVALUATION}),
    judge=judge,
    explain=explain,
    severity=Severity.INFO,
    stuck_severity=Severity.INFO,
)
