"""Check 9: layers whose units sit where their activation is flat."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nnlab.engine.config import ERROR_LOSSES
from nnlab.health.events import Severity
from nnlab.health.results import UNKNOWN, Check, Explanation, Result, Verdict
from nnlab.health.signals import Reading, Signals
from nnlab.health.wording import layer_listing

if TYPE_CHECKING:
    from nnlab.health.thresholds import Limits


def judge(signals: Signals, limits: Limits) -> Result:
    """Hit where at least half of a layer's units are saturated for nearly every row.

    An output layer counts under a loss of errors only: cross-entropy has a gradient however sure it is.
    """
    sample = signals.sample
    if sample is None:
        return UNKNOWN
    shares = sample.saturated_share.tolist()
    counted = shares if _output_counts(signals) else shares[:-1]
    worst = max(counted, default=0.0)
    if worst < limits["clear"]:
        return Result(Verdict.SAFE, worst, limits["open"])
    layers = tuple(layer for layer, share in enumerate(counted) if share >= limits["open"])
    return Result(Verdict.HIT if layers else Verdict.NEUTRAL, worst, limits["open"], layers)


def explain(signals: Signals, limits: Limits, result: Result) -> Explanation:
    """Name the saturated layers and why they hardly learn."""
    info = signals.info
    names = layer_listing(info, result.layers)
    is_output = result.layers == (info.layers - 1,)
    flat = info.activations[result.layers[0]]
    if is_output:
        title = f"Saturated output: {result.value:.0%} of its {flat} units are stuck at their ends"
    else:
        title = f"Saturated units: {result.value:.0%} of those of {names} are stuck where {flat} is flat"
    return Explanation(
        title=title,
        cause=(
            "For at least 95 % of the rows these units get inputs so large that the derivative of"
            f" {flat} is below 5 % of its maximum, so hardly any gradient passes. {_origin(is_output)}"
        ),
        formula=(
            "share of units with f'(z) < 0.05 max f' for at least 95 % of the rows of a sample"
            f" >= {limits['open']:g}"
        ),
        numbers={
            "saturated_share": [] if signals.sample is None else signals.sample.saturated_share.tolist()
        },
    )


def _origin(is_output: bool) -> str:
    if not is_output:
        return "Usually the inputs are not scaled, or the initial weights or the learning rate are too large."
    return (
        "Under a loss of errors nothing then pulls the output back: the targets may lie outside of its range,"
        " or the learning rate or the inputs are too large."
    )


def _output_counts(signals: Signals) -> bool:
    output = signals.info.activations[-1]
    is_error = signals.config.get("loss") in ERROR_LOSSES or signals.info.task == "regression"
    return output == "tanh" or (output == "sigmoid" and is_error)


CHECK = Check(
    id="saturated",
    readings=frozenset({Reading.SAMPLE}),
    judge=judge,
    explain=explain,
    severity=Severity.WARNING,
    stuck_severity=Severity.CRITICAL,
)
