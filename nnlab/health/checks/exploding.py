"""Check 2: gradients or updates that grow out of proportion."""

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
    """Compare the peak gradient norm with its past, and the largest update with the weights it changes."""
    track, update = signals.gradients, signals.largest_update
    if signals.sample is None or (math.isnan(track.recent) and math.isnan(update)):
        return UNKNOWN
    severity = _severity(signals, limits)
    recent, first = _over(track.peak, track.recent), _over(track.peak, track.first)
    # Where training has converged the median is next to 0: a peak below the first gradients is harmless.
    if recent > limits["recent_factor"] and first > 1:
        return Result(Verdict.HIT, recent, limits["recent_factor"], _steepest(signals), severity)
    if first > limits["first_factor"]:
        return Result(Verdict.HIT, first, limits["first_factor"], _steepest(signals), severity)
    if update > limits["update_ratio"] and _updates_harm(signals, limits):
        return Result(Verdict.HIT, update, limits["update_ratio"], _moved(signals, limits), severity)
    calm = not recent >= limits["clear_factor"] and not update >= limits["update_ratio_clear"]
    return Result(Verdict.SAFE if calm else Verdict.NEUTRAL, update, limits["update_ratio"])


def explain(signals: Signals, limits: Limits, result: Result) -> Explanation:
    """Name the quantity that grew, and by how much."""
    names = layer_listing(signals.info, result.layers)
    track = signals.gradients
    numbers = {
        "gradient_norm": track.peak,
        "median_gradient_norm": track.recent,
        "median_first_gradient_norm": track.first,
        "largest_update_ratio": signals.largest_update,
    }
    if result.threshold == limits["update_ratio"]:
        return Explanation(
            title=f"Exploding updates: one step changes the weights of {names} by {result.value:.0%}",
            cause=(
                "Each step moves the weights by a large part of their own size, so the network jumps about"
                " instead of descending. The learning rate is too high for gradients of this size."
            ),
            formula=f"norm(update) / larger of present and initial norm(weights) > {result.threshold:g}",
            numbers=numbers,
        )
    is_recent = result.threshold == limits["recent_factor"]
    name = "recent" if is_recent else "first"
    past = f"the {'last' if is_recent else 'first'} {limits[name]:g} measured steps"
    return Explanation(
        title=f"Exploding gradient: {result.value:,.0f} times the median of {past}",
        cause=(
            "The gradient grows from layer to layer and from step to step. Usually the learning rate is too"
            " high; many layers, large initial weights and unscaled data add to it."
        ),
        formula=f"norm(gradient) / median norm of {past} > {result.threshold:g}",
        numbers=numbers,
    )


def _updates_harm(signals: Signals, limits: Limits) -> bool:
    """Whether large updates mean trouble.

    Adam's first ones are of the size of the learning rate, however small the weights still are; and where
    nothing can be learnt, weights stay near 0 and noise moves them by much of their size.
    """
    return signals.step > limits["warm_up_steps"] and signals.q >= limits["update_q"]


def _over(value: float, reference: float) -> float:
    return value / reference if reference > 0 else math.nan


def _severity(signals: Signals, limits: Limits) -> Severity | None:
    worse = signals.step >= signals.t_min and signals.q >= limits["q_critical"]
    return Severity.CRITICAL if worse else None


def _moved(signals: Signals, limits: Limits) -> tuple[int, ...]:
    return tuple(layer for layer, update in enumerate(signals.updates) if update > limits["update_ratio"])


def _steepest(signals: Signals) -> tuple[int, ...]:
    """The layer with the largest gradient, by root mean square."""
    gradients = [] if signals.sample is None else signals.sample.gradient_rms.tolist()
    finite = [(value, layer) for layer, value in enumerate(gradients) if math.isfinite(value)]
    return (max(finite)[1],) if finite else ()


CHECK = Check(
    id="exploding",
    readings=frozenset({Reading.SAMPLE}),
    judge=judge,
    explain=explain,
    severity=Severity.WARNING,
    stuck_severity=Severity.WARNING,
)
