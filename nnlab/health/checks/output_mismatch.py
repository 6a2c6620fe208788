"""Check 20: an output layer or loss that cannot express the targets."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nnlab.health.events import Severity
from nnlab.health.results import UNKNOWN, Check, Explanation, Result, Verdict
from nnlab.health.signals import Reading, Signals

if TYPE_CHECKING:
    from collections.abc import Callable

    from nnlab.engine.records import RunInfo
    from nnlab.health.thresholds import Limits

RANGES = {
    "sigmoid": (0.0, 1.0),
    "softmax": (0.0, 1.0),
    "tanh": (-1.0, 1.0),
    "relu": (0.0, math.inf),
    "softplus": (0.0, math.inf),
    "exponential": (0.0, math.inf),
}
# By loss, the outputs that are probabilities, or become some when they are divided by their sum.
PROBABLE = {
    "clipped_binary_cross_entropy": ("sigmoid", "softmax"),
    "cross_entropy": ("sigmoid", "softmax", "softplus", "exponential"),
}
ERROR_LOSSES = ("mse", "half_mse", "mae", "huber")


@dataclass(frozen=True)
class Mismatch:
    """One reason why output and targets do not go together.

    Args:
        severity: how bad it is.
        value: what was found, by ``formula``.
        threshold: what it was compared with.
    """

    severity: Severity
    value: float
    threshold: float
    title: str
    cause: str
    formula: str


def judge(signals: Signals, limits: Limits) -> Result:
    """Hit by the gravest reason why the output layer cannot give, or hardly gives, the targets."""
    found = _found(signals, limits)
    if found is None:
        return UNKNOWN
    output = (signals.info.layers - 1,)
    return Result(Verdict.HIT, found.value, found.threshold, output, found.severity)


def explain(signals: Signals, limits: Limits, _result: Result) -> Explanation:
    """Say what the output layer can give and what the targets ask for."""
    found = _found(signals, limits)
    if found is None:
        raise ValueError("expected an output that does not fit its targets to explain, got none")
    info, targets = signals.info, None if signals.facts is None else signals.facts.targets
    return Explanation(
        title=found.title,
        cause=found.cause,
        formula=found.formula,
        numbers={
            "output_activation": info.activations[-1],
            "loss": info.loss,
            "outputs": info.widths[-1],
            "target_low": None if targets is None else targets.low,
            "target_high": None if targets is None else targets.high,
        },
    )


def _found(signals: Signals, limits: Limits) -> Mismatch | None:
    """The first reason that holds; they are ordered by their gravity."""
    return next((found for reason in REASONS if (found := reason(signals, limits)) is not None), None)


def _single_output(signals: Signals, _limits: Limits) -> Mismatch | None:
    info = signals.info
    if info.widths[-1] != 1 or not (info.activations[-1] == "softmax" or info.loss == "cross_entropy"):
        return None
    return Mismatch(
        Severity.CRITICAL,
        value=1.0,
        threshold=2.0,
        title="Output does not fit: one output divided by itself is always 1",
        cause=(
            "Softmax, and cross-entropy of shares, divide each output by the sum of all outputs. With a"
            " single output that is 1 for every row: the answer never changes and its gradient is 0. For two"
            " classes use one sigmoid output with binary cross-entropy."
        ),
        formula="outputs that are divided by their sum < 2",
    )


def _out_of_range(signals: Signals, limits: Limits) -> Mismatch | None:
    activation = signals.info.activations[-1]
    if signals.facts is None or signals.facts.targets is None or activation not in RANGES:
        return None
    targets, (low, high) = signals.facts.targets, RANGES[activation]
    below = targets.below_zero if low == 0 else targets.below_minus_one
    share = below + (targets.above_one if high == 1 else 0.0)
    if not share > 0:
        return None
    reach = "0 and more" if math.isinf(high) else f"{low:g} to {high:g}"
    return Mismatch(
        Severity.CRITICAL if share > limits["critical_share"] else Severity.WARNING,
        value=share,
        threshold=0.0,
        title=f"Output does not fit: {activation} gives {reach}, the target goes from"
        f" {targets.low:.4g} to {targets.high:.4g}",
        cause=(
            f"{100 * share:.3g} % of the training targets lie where the output can never get, however long"
            " the network learns. Use a linear output for regression, or scale the target into the output's"
            " range."
        ),
        formula=f"share of the training targets outside of {reach} > 0",
    )


def _sums(signals: Signals, _limits: Limits) -> Mismatch | None:
    targets = None if signals.facts is None else signals.facts.targets
    if signals.info.activations[-1] != "softmax" or targets is None or targets.sum_to_one == 1:
        return None
    return Mismatch(
        Severity.WARNING,
        value=targets.sum_to_one,
        threshold=1.0,
        title="Output does not fit: softmax answers sum to 1, the targets do not",
        cause=(
            "Softmax shares 1 among the outputs, so it can only choose between them. Here several outputs may"
            " be right at once, or none. Give each its own sigmoid with binary cross-entropy; for numbers use"
            " a linear output."
        ),
        formula="share of the training rows whose targets sum to 1 < 1",
    )


def _no_probability(signals: Signals, _limits: Limits) -> Mismatch | None:
    activation, loss = signals.info.activations[-1], signals.info.loss
    if activation in PROBABLE.get(loss, (activation,)):
        return None
    return Mismatch(
        Severity.WARNING,
        value=0.0,
        threshold=1.0,
        title=f"Output does not fit: {activation} gives no probabilities, as {loss} needs",
        cause=(
            "A cross-entropy takes the logarithm of a probability. Outputs below 0 or above 1 are cut off or"
            " have no logarithm, and there the gradient is 0: those rows teach nothing. Use a sigmoid output,"
            " or softmax for several classes."
        ),
        formula="outputs that are probabilities (1 for yes, 0 for no) < 1",
    )


def _uncommon(signals: Signals, _limits: Limits) -> Mismatch | None:
    """Pairs that learn, though others learn faster."""
    info = signals.info
    activation, classes = info.activations[-1], info.widths[-1]
    if activation == "softmax" and info.loss in ERROR_LOSSES:
        title = f"Softmax with {info.loss}: cross-entropy would learn faster"
        cause = (
            "Where softmax is sure of a wrong class its derivative is almost 0, and an error loss then learns"
            " hardly anything from the worst mistakes. Cross-entropy cancels that derivative."
        )
    elif activation == "sigmoid" and classes > 2 and _is_exclusive(info):
        title = f"Sigmoid outputs for {classes} classes: softmax would fit better"
        cause = (
            "Exactly one class is right in each row, but sigmoid outputs do not know of each other. It works;"
            " softmax makes them one distribution and usually learns faster."
        )
    else:
        return None
    return Mismatch(Severity.INFO, classes, 2.0, title, cause, "output activation and loss, by the task")


def _is_exclusive(info: RunInfo) -> bool:
    return info.task == "multiclass" and info.loss.endswith("cross_entropy")


REASONS: tuple[Callable[[Signals, Limits], Mismatch | None], ...] = (
    _single_output,
    _out_of_range,
    _sums,
    _no_probability,
    _uncommon,
)

CHECK = Check(
    id="output_mismatch",
    readings=frozenset({Reading.START}),
    judge=judge,
    explain=explain,
    severity=Severity.WARNING,
    stuck_severity=Severity.CRITICAL,
    eases=False,
)
