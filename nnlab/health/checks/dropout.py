"""Check 16: dropout that is too strong to learn through, or too weak to matter."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from nnlab.health.events import Severity
from nnlab.health.results import UNKNOWN, Check, Explanation, Result, Verdict
from nnlab.health.signals import Reading, Signals
from nnlab.health.wording import layer_listing

if TYPE_CHECKING:
    from nnlab.health.thresholds import Limits


def dropout_rates(signals: Signals) -> list[float]:
    """Read the drop probability of each hidden layer from the config."""
    value, hidden = signals.config.get("dropout", 0.0), signals.info.layers - 1
    if isinstance(value, list | tuple):
        return [float(rate) for rate in value]
    return [float(value) if isinstance(value, int | float) else 0.0] * hidden


def judge(signals: Signals, limits: Limits) -> Result:
    """Compare the rates with what is usual; then, while training, the loss with and without dropout."""
    rates = dropout_rates(signals)
    used = [rate for rate in rates if rate > 0]
    if not used:
        return UNKNOWN
    strong = tuple(layer for layer, rate in enumerate(rates) if rate > limits["strong"])
    if strong:
        return Result(Verdict.HIT, max(used), limits["strong"], strong)
    if signals.reading is not Reading.START:
        return _judge_losses(signals, limits, rates)
    if min(used) < limits["weak"]:
        weak = tuple(layer for layer, rate in enumerate(rates) if 0 < rate < limits["weak"])
        return Result(Verdict.HIT, min(used), limits["weak"], weak, Severity.INFO)
    return UNKNOWN


def _judge_losses(signals: Signals, limits: Limits, rates: list[float]) -> Result:
    """Hit where training, with dropout, costs more than validation, without, while both are still high."""
    held_out = [found.metrics["val_loss"] for found in signals.evaluations]
    baseline = signals.info.baseline_loss
    enough = len(held_out) >= limits["evaluations"] and signals.step >= signals.t_min
    if not enough or min(rates) < limits["weak"] or not baseline >= signals.limits["least_baseline_loss"]:
        return UNKNOWN
    ratio = signals.losses.average / max(held_out[-int(limits["evaluations"]) :])
    if math.isnan(ratio):
        return UNKNOWN
    layers = tuple(layer for layer, rate in enumerate(rates) if rate > 0)
    if ratio > limits["loss_ratio"] and held_out[-1] / baseline > limits["q"]:
        return Result(Verdict.HIT, ratio, limits["loss_ratio"], layers)
    is_safe = ratio < limits["loss_ratio_clear"]
    return Result(Verdict.SAFE if is_safe else Verdict.NEUTRAL, ratio, limits["loss_ratio"])


def explain(signals: Signals, limits: Limits, result: Result) -> Explanation:
    """Say how much is dropped, and what that does."""
    rates = dropout_rates(signals)
    names = layer_listing(signals.info, result.layers)
    numbers = {"dropout": rates, "average_loss_with_dropout": signals.losses.average}
    if result.threshold == limits["loss_ratio"]:
        return Explanation(
            title=f"Dropout costs too much: the loss with it is {result.value:.2g} times that without",
            cause=(
                "Without dropout, as in validation, the network does clearly better than in training, and"
                " both are still high. It has too few units left in each step to learn with: drop fewer, or"
                " use wider layers."
            ),
            formula=(
                f"average training loss / largest of the last {limits['evaluations']:g} validation losses >"
                f" {result.threshold:g}, and validation loss / baseline loss > {limits['q']:g}"
            ),
            numbers=numbers,
        )
    if result.threshold == limits["strong"]:
        return Explanation(
            title=f"Strong dropout: {result.value:.0%} of the outputs of {names} are dropped",
            cause=(
                "In each step most of what a layer has found out is thrown away, so the network learns slowly"
                " or not enough. Rates of 0.2 to 0.5 are usual for hidden layers."
            ),
            formula=f"drop probability > {result.threshold:g}",
            numbers=numbers,
        )
    return Explanation(
        title=f"Weak dropout: only {result.value:.0%} of the outputs of {names} are dropped",
        cause="So little dropout hardly keeps a network from overfitting. Rates of 0.2 to 0.5 are usual.",
        formula=f"0 < drop probability < {result.threshold:g}",
        numbers=numbers,
    )


CHECK = Check(
    id="dropout",
    readings=frozenset({Reading.START, Reading.EVALUATION}),
    judge=judge,
    explain=explain,
    severity=Severity.WARNING,
    stuck_severity=Severity.WARNING,
)
