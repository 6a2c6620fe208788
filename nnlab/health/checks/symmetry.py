"""Check 19: units of a layer that start alike and therefore stay alike."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nnlab.health.checks.dropout import dropout_rates
from nnlab.health.events import Severity
from nnlab.health.results import UNKNOWN, Check, Explanation, Result, Verdict
from nnlab.health.signals import Reading, Signals
from nnlab.health.wording import layer_listing

if TYPE_CHECKING:
    from nnlab.health.thresholds import Limits

CONSTANT = frozenset({"zeros", "ones", "constant"})


def initializers(signals: Signals, field: str) -> list[str]:
    """Read a config's initializers layer by layer, the output layer's last."""
    value = signals.config.get(field, "auto")
    if isinstance(value, list | tuple):
        return [str(name) for name in value]
    return [str(value)] * signals.info.layers


def judge(signals: Signals, limits: Limits) -> Result:
    """Hit where the units of a hidden layer start with one and the same weight, on both of their sides.

    Drawn weights above, or drawn biases, give equal units different gradients, which tell them apart.

    Dropout silences other units in each step, which tells equal ones apart: then it is only shown.
    """
    info = signals.info
    weights, biases = initializers(signals, "initializer"), initializers(signals, "bias_initializer")
    layers = tuple(
        layer
        for layer in range(info.layers - 1)
        if info.widths[layer] > 1
        and {weights[layer], weights[layer + 1]} <= CONSTANT
        and biases[layer] in CONSTANT | {"auto"}
    )
    if not layers:
        return UNKNOWN
    rates = dropout_rates(signals)
    is_broken_up = all(weights[layer] != "zeros" and rates[layer] > 0 for layer in layers)
    severity = Severity.INFO if is_broken_up else None
    return Result(Verdict.HIT, 1.0, limits["different_units"], layers, severity)


def explain(signals: Signals, limits: Limits, result: Result) -> Explanation:
    """Say why equal units cannot become different ones."""
    info, layer = signals.info, result.layers[0]
    initializer = initializers(signals, "initializer")[layer]
    names = layer_listing(info, result.layers)
    rest = "" if result.severity is not Severity.INFO else " Here dropout does so, too, after some steps."
    return Explanation(
        title=f"Symmetric start: all units of {names} begin with the same weights",
        cause=(
            f"The initializer {initializer} gives every weight the same value. The {info.widths[layer]} units"
            f" of {info.layer_name(layer)} then compute the same number, get the same gradient and stay the"
            " same: together they can do what one unit can. Random initial weights tell them apart."
            f"{rest}"
        ),
        formula=f"different units of a layer before step 1 < {limits['different_units']:g}",
        numbers={"initializer": initializer, "units": [info.widths[layer] for layer in result.layers]},
    )


CHECK = Check(
    id="symmetry",
    readings=frozenset({Reading.START}),
    judge=judge,
    explain=explain,
    severity=Severity.CRITICAL,
    stuck_severity=Severity.CRITICAL,
)
