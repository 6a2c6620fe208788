"""Check 17: layers in a row that together are no more than one linear layer."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from nnlab.health.events import Severity
from nnlab.health.results import UNKNOWN, Check, Explanation, Result, Verdict
from nnlab.health.signals import Reading, Signals
from nnlab.health.wording import layer_listing

if TYPE_CHECKING:
    from nnlab.health.thresholds import Limits

# Linear on either side of 0, so that a unit whose input never changes sign is linear for all rows.
BENT_AT_ZERO = ("relu", "leaky_relu", "prelu")


def judge(signals: Signals, limits: Limits) -> Result:
    """Hit by activations that are linear; then, while training, by units that act as if they were."""
    layers = _linear_stretch(signals.info.activations)
    if layers:
        return Result(Verdict.HIT, len(layers) + 1, limits["layers"], layers)
    return UNKNOWN if signals.reading is Reading.START else _judge_signs(signals, limits)


@cache
def _linear_stretch(activations: tuple[str, ...]) -> tuple[int, ...]:
    """The longest row of linear hidden layers that collapses: with its like, the output, or everything.

    A single linear layer between others that are not only narrows the network, as a bottleneck may.
    """
    hidden = activations[:-1]
    if hidden and all(name == "linear" for name in hidden):
        return tuple(range(len(hidden)))
    longest: tuple[int, ...] = ()
    stretch: tuple[int, ...] = ()
    for layer, name in enumerate(activations):
        stretch = (*stretch, layer) if name == "linear" else ()
        if len(stretch) >= 2 and len(stretch) > len(longest):
            longest = stretch
    return tuple(layer for layer in longest if layer < len(hidden))


def _judge_signs(signals: Signals, limits: Limits) -> Result:
    """Hit where in two evaluations running hardly a unit of any hidden layer was on for some rows only."""
    seen, hidden = signals.evaluations, signals.info.activations[:-1]
    if len(seen) < 2 or signals.step < signals.t_min or seen[-1].rows < limits["rows"]:
        return UNKNOWN
    if not hidden or not all(name in BENT_AT_ZERO for name in hidden):
        return UNKNOWN
    now, before = seen[-1].mixed_share, seen[-2].mixed_share
    if now is None or before is None or 1.0 in seen[-1].dead_share.tolist():
        return UNKNOWN
    most: float = max(now.tolist() + before.tolist())
    if most < limits["mixed"]:
        return Result(Verdict.HIT, most, limits["mixed"], tuple(range(len(hidden))))
    return Result(Verdict.SAFE if most > limits["mixed_clear"] else Verdict.NEUTRAL, most, limits["mixed"])


def explain(signals: Signals, limits: Limits, result: Result) -> Explanation:
    """Say which layers collapse, and into what."""
    info = signals.info
    names = layer_listing(info, result.layers)
    if result.threshold == limits["mixed"]:
        return Explanation(
            title="Linear in effect: hardly any unit is on for some rows and off for others",
            cause=(
                "ReLU bends only where its input changes sign. Here units are either on for every row or off"
                " for every row, so the whole network computes one linear function and cannot learn a curve."
            ),
            formula=(
                "largest share of a hidden layer's units whose input takes both signs, in two evaluations"
                f" running < {result.threshold:g}"
            ),
            numbers={"mixed_share": _shares(signals)},
        )
    count = len(result.layers) + 1
    is_all = len(result.layers) == info.layers - 1
    what = "the whole network is a linear model" if is_all else f"{count} layers count as one"
    return Explanation(
        title=f"Linear layers in a row: {what}",
        cause=(
            f"{names[0].upper()}{names[1:]} {'has' if len(result.layers) == 1 else 'have'} no activation that"
            " bends. A linear function of a linear function is linear again: these layers together can do no"
            " more than one, however many weights they have. Put ReLU between them."
        ),
        formula=f"linear maps in a row without a bend between them >= {result.threshold:g}",
        numbers={"activations": list(info.activations)},
    )


def _shares(signals: Signals) -> list[float]:
    shares = signals.evaluations[-1].mixed_share if signals.evaluations else None
    return [] if shares is None else shares.tolist()


CHECK = Check(
    id="linear_collapse",
    readings=frozenset({Reading.START, Reading.EVALUATION}),
    judge=judge,
    explain=explain,
    severity=Severity.WARNING,
    stuck_severity=Severity.CRITICAL,
)
