"""Check 3: gradients that shrink on their way back to the first layers."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from nnlab.health.events import Severity
from nnlab.health.results import UNKNOWN, Check, Explanation, Result, Verdict
from nnlab.health.signals import Reading, Signals
from nnlab.health.wording import layer_listing

if TYPE_CHECKING:
    from nnlab.health.thresholds import Limits

CAUSES = {
    "sigmoid": (
        "The derivative of sigmoid is at most 0.25, so each layer shrinks the gradient that it hands down:"
        " after a few layers the first ones hardly learn."
    ),
    "tanh": (
        "The derivative of tanh is close to 0 where its input is large, so each layer shrinks the gradient"
        " that it hands down: the first layers hardly learn."
    ),
}
SMALLEST_SHOWN = 1e-12
OTHER_CAUSE = (
    "Each layer multiplies the gradient by its weights and by the derivative of its activation. Here these"
    " products are far below 1, as with initial weights that are too small: the first layers hardly learn."
)


def judge(signals: Signals, limits: Limits) -> Result:
    """Compare the smallest backward ratio with its thresholds; name every layer that receives little."""
    if _is_too_early(signals, limits) or math.isnan(signals.smallest_ratio):
        return UNKNOWN
    value = signals.smallest_ratio
    if value > limits["clear"]:
        return Result(Verdict.SAFE, value, limits["open"])
    layers = tuple(layer for layer, ratio in enumerate(signals.ratios) if ratio < limits["layer"])
    verdict = Verdict.HIT if value < limits["open"] else Verdict.NEUTRAL
    return Result(verdict, value, limits["open"], layers, _severity(signals, limits))


def explain(signals: Signals, limits: Limits, result: Result) -> Explanation:
    """Name the layers that receive too little, and why their activation does it."""
    names = layer_listing(signals.info, result.layers)
    hidden = signals.info.activations[:-1]
    culprit = next((name for name in CAUSES if name in hidden), "")
    receive, them = ("receives", "it") if len(result.layers) == 1 else ("receive", "them")
    share = f"{1 / limits['layer']:.0f}"
    sample = signals.sample
    return Explanation(
        title=f"Vanishing gradient: {names} {receive} less than 1/{share} of the gradient above {them}",
        cause=f"{_smallest(signals)} {CAUSES.get(culprit, OTHER_CAUSE)}{_collapse(signals, limits)}",
        formula=(
            "R = RMS(delta of the layer) / largest RMS(delta of the layers above);"
            f" smallest R < {limits['open']:g}, delta = gradient of the loss by a layer's pre-activations"
        ),
        numbers={
            "backward_ratios": signals.ratios,
            "delta_rms": [] if sample is None else sample.delta_rms.tolist(),
            "spread": [] if sample is None else sample.spread.tolist(),
        },
    )


def _smallest(signals: Signals) -> str:
    """Say what the layer with the smallest ratio receives, as a fraction."""
    name = signals.info.layer_name(signals.ratios.index(signals.smallest_ratio))
    value = signals.smallest_ratio
    part = f"1/{1 / value:,.0f}" if value > SMALLEST_SHOWN else "nothing"
    return f"{name[0].upper()}{name[1:]} receives {part} of the gradient above it."


def _collapse(signals: Signals, limits: Limits) -> str:
    """Say so where the rows can no longer be told apart on their way forward either."""
    if signals.sample is None or not signals.sample.spread[-1] < limits["severe_spread"]:
        return ""
    last = signals.info.layer_name(signals.info.layers - 2)
    return (
        f" On their way forward the rows become alike as well: {last} gives nearly the same for all of them."
    )


def _is_too_early(signals: Signals, limits: Limits) -> bool:
    """An output layer that starts at exactly 0 passes nothing back at first, and is healthy."""
    return signals.output_starts_at_zero and signals.step <= limits["zero_output_unknown_steps"]


def _severity(signals: Signals, limits: Limits) -> Severity | None:
    """Critical at once where forward and backward signal are both gone, sample after sample."""
    window = signals.recent_collapse
    gone = len(window) == window.maxlen and all(
        ratio < limits["severe"] and spread < limits["severe_spread"] for ratio, spread in window
    )
    return Severity.CRITICAL if gone else None


CHECK = Check(
    id="vanishing",
    readings=frozenset({Reading.SAMPLE}),
    judge=judge,
    explain=explain,
    severity=Severity.WARNING,
    stuck_severity=Severity.CRITICAL,
)
