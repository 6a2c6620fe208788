"""Check 10: updates out of proportion to the weights that they change."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from nnlab.health.events import Severity
from nnlab.health.results import UNKNOWN, Check, Explanation, Result, Verdict
from nnlab.health.signals import Reading, Signals
from nnlab.health.wording import layer_listing

if TYPE_CHECKING:
    from nnlab.health.thresholds import Limits


def judge(signals: Signals, limits: Limits) -> Result:
    """Judge the median of each layer's last updates; off where a schedule has taken the rate to nearly 0.

    Too small means that no layer moves: in deep healthy networks single layers move little. Too large counts
    after the first steps only, when Adam's are of the size of the learning rate.
    """
    known = [update for update in signals.usual_updates if not math.isnan(update)]
    if not known or signals.sample is None or signals.rate_share < limits["rate_share"]:
        return UNKNOWN
    value, is_unlearnt = max(known), signals.q > limits["q_low"]
    frozen = _frozen(signals)
    if frozen:
        return Result(Verdict.HIT, 0.0, 0.0, frozen)
    if value > limits["high"] and signals.step > limits["warm_up_steps"]:
        return Result(Verdict.HIT, value, limits["high"], _above(signals, limits["high"]))
    if value < limits["low"] and is_unlearnt:
        return Result(Verdict.HIT, value, limits["low"])
    is_safe = value <= limits["high_clear"] and (value >= limits["low_clear"] or not is_unlearnt)
    return Result(Verdict.SAFE if is_safe else Verdict.NEUTRAL, value, limits["high"])


def explain(signals: Signals, _limits: Limits, result: Result) -> Explanation:
    """Say whether the steps are too long, too short, or none at all."""
    names = layer_listing(signals.info, result.layers) if result.layers else "every layer"
    if result.threshold == 0:
        title = f"Frozen: {names} gets a gradient but no update"
        cause = "The optimizer leaves these weights exactly as they are: they cannot learn."
    elif result.layers:
        title = f"Large updates: each step changes the weights of {names} by {result.value:.1%} of their size"
        cause = (
            "Steps of about 0.1 % of the weights' size are usual. Much longer ones jump about instead of"
            " descending: the learning rate is on the high side."
        )
    elif result.value == 0:
        title = "No updates: no step changes the weights of any layer"
        cause = "No gradient reaches the weights, so they stay as they are, whatever the learning rate."
    else:
        title = (
            f"Tiny updates: no step changes a layer's weights by more than {result.value:.1g} of their size"
        )
        cause = (
            "Steps of about 0.1 % of the weights' size are usual. With so short ones training hardly moves:"
            " the learning rate is too low."
        )
    relation = (
        "= 0 while its gradient is not"
        if result.threshold == 0
        else (f"{'>' if result.layers else '<'} {result.threshold:g}")
    )
    return Explanation(
        title=title,
        cause=cause,
        formula=f"median of the last 5 samples of norm(update) / norm(weights) {relation}",
        numbers={"update_ratios": signals.usual_updates, "learning_rate_share": signals.rate_share},
    )


def _above(signals: Signals, limit: float) -> tuple[int, ...]:
    return tuple(layer for layer, update in enumerate(signals.usual_updates) if update > limit)


def _frozen(signals: Signals) -> tuple[int, ...]:
    """Layers whose weights got a gradient in the last sample, and have not moved in any of the last."""
    gradients = [] if signals.sample is None else signals.sample.gradient_rms.tolist()
    return tuple(
        layer
        for layer, (gradient, update) in enumerate(zip(gradients, signals.usual_updates, strict=True))
        if gradient > 0 and update == 0
    )


CHECK = Check(
    id="update_ratio",
    readings=frozenset({Reading.SAMPLE}),
    judge=judge,
    explain=explain,
    severity=Severity.INFO,
    stuck_severity=Severity.WARNING,
)
