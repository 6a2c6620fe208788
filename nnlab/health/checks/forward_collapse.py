"""Check 4: a network whose last hidden layer answers all rows alike."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from nnlab.health.events import Severity
from nnlab.health.results import UNKNOWN, Check, Explanation, Result, Verdict
from nnlab.health.signals import Reading, Signals

if TYPE_CHECKING:
    from nnlab.health.thresholds import Limits


def judge(signals: Signals, limits: Limits) -> Result:
    """Compare the spread of the last hidden layer's outputs over the rows with their size.

    Unknown while the gradient vanishes as well: that is one illness, and the other check tells of it.
    """
    sample = signals.sample
    if sample is None or signals.info.layers == 1 or signals.smallest_ratio < limits["vanishing"]:
        return UNKNOWN
    spread = float(sample.spread[-1])
    if math.isnan(spread) or signals.silent_rows[-1]:
        return UNKNOWN  # a layer that is silent has no size to compare with
    if spread > limits["clear"]:
        return Result(Verdict.SAFE, spread, limits["open"])
    layers = tuple(layer for layer, value in enumerate(sample.spread.tolist()) if value < limits["open"])
    return Result(
        Verdict.HIT if layers[-1:] == _last(signals) else Verdict.NEUTRAL, spread, limits["open"], layers
    )


def explain(signals: Signals, limits: Limits, result: Result) -> Explanation:
    """Say how alike the rows have become."""
    name = signals.info.layer_name(signals.info.layers - 2)
    return Explanation(
        title=f"Collapsed signal: {name} gives nearly the same output for every row",
        cause=(
            f"The outputs of {name} differ between rows by only {result.value:.1g} of their size, so the"
            " output layer cannot tell the rows apart. Layers that shrink differences do this, such as"
            " sigmoid in depth or small initial weights, and inputs with a large mean and a small spread."
        ),
        formula=(
            "F = sqrt(mean over units of the variance over rows) / RMS(outputs) of the last hidden layer"
            f" < {limits['open']:g}"
        ),
        numbers={"spread": [] if signals.sample is None else signals.sample.spread.tolist()},
    )


def _last(signals: Signals) -> tuple[int]:
    return (signals.info.layers - 2,)


CHECK = Check(
    id="forward_collapse",
    readings=frozenset({Reading.SAMPLE}),
    judge=judge,
    explain=explain,
    severity=Severity.WARNING,
    stuck_severity=Severity.CRITICAL,
)
