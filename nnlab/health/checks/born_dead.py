"""Check 8: ReLU layers that are silent before the first step, or are likely to be."""

from __future__ import annotations

from math import expm1, log1p
from typing import TYPE_CHECKING

from nnlab.health.checks.symmetry import CONSTANT, initializers
from nnlab.health.events import Severity
from nnlab.health.results import UNKNOWN, Check, Explanation, Result, Verdict
from nnlab.health.signals import CAN_DIE, Reading, Signals
from nnlab.health.wording import layer_listing

if TYPE_CHECKING:
    from collections.abc import Iterable

    from nnlab.health.thresholds import Limits


def born_dead_bound(widths: Iterable[int]) -> float:
    """Bound the probability that some ReLU layer of these widths is silent for every row at the start.

    1 - prod(1 - 2^-n), for symmetric weights and biases of 0.

    Source: Lu, Shin, Su, Karniadakis, arXiv 1903.06733, theorem 2.
    """
    return -expm1(sum(log1p(-(2.0**-width)) for width in widths))


def judge(signals: Signals, limits: Limits) -> Result:
    """Before step 1 tell how likely it is; from the untrained network's evaluation on, whether it is so."""
    info = signals.info
    layers = [layer for layer in range(info.layers - 1) if info.activations[layer] in CAN_DIE]
    if not layers:
        return UNKNOWN
    if signals.reading is Reading.START:
        risk = born_dead_bound(info.widths[layer] for layer in layers)
        if _is_symmetric(signals) and risk > limits["risk"]:
            return Result(Verdict.HIT, risk, limits["risk"], severity=Severity.INFO)
        return UNKNOWN
    return _judge_silence(signals, limits, layers)


def _is_symmetric(signals: Signals) -> bool:
    """Whether the bound holds: weights drawn around 0, biases of 0, and nothing normalised."""
    weights, biases = initializers(signals, "initializer"), initializers(signals, "bias_initializer")
    is_drawn = not (CONSTANT | {"playground"}) & set(weights[:-1])
    return is_drawn and set(biases[:-1]) <= {"auto", "zeros"} and not signals.config.get("batch_norm")


def _judge_silence(signals: Signals, limits: Limits, layers: list[int]) -> Result:
    """Hit while a layer that the untrained network's evaluation found silent has not fired since."""
    now, first = signals.evaluation, signals.first_evaluation
    if now is None or first is None or first.step != 0:
        return UNKNOWN
    before, dead = first.dead_share.tolist(), now.dead_share.tolist()
    silent = tuple(layer for layer in layers if before[layer] == 1 and dead[layer] == 1)
    worst = max(dead[layer] for layer in layers)
    if not silent:
        return Result(Verdict.SAFE, worst, 1.0)
    if not signals.info.baseline_loss >= signals.limits["least_baseline_loss"]:
        return Result(Verdict.HIT, 1.0, 1.0, silent, Severity.INFO)
    is_sure = now.rows >= limits["rows"] or now.step > 0
    return Result(Verdict.HIT, 1.0, 1.0, silent, Severity.CRITICAL if is_sure else Severity.WARNING)


def explain(signals: Signals, limits: Limits, result: Result) -> Explanation:
    """Say how a layer can be silent from the start, and that it stays so."""
    info = signals.info
    widths = [info.widths[n] for n in range(info.layers - 1) if info.activations[n] in CAN_DIE]
    numbers = {"born_dead_bound": born_dead_bound(widths), "widths": widths}
    if result.threshold == limits["risk"]:
        return Explanation(
            title=f"Narrow ReLU layers: up to {100 * result.value:.3g} % of such networks start dead",
            cause=(
                "Each unit is as likely to start negative as positive. In a narrow layer all units may happen"
                " to be negative for every row: the layer outputs 0, no gradient passes it, and nothing below"
                " it learns. The more layers, the more chances. Wider layers or ELU avoid it."
            ),
            formula=f"1 - product over the ReLU layers of (1 - 2^-units) > {result.threshold:g}",
            numbers=numbers,
        )
    names = layer_listing(info, result.layers)
    return Explanation(
        title=f"Born dead: no unit of {names} fires, and none did before the first step",
        cause=(
            f"The initial weights happen to make every unit of {names} negative for every row. There ReLU"
            " outputs 0 and passes no gradient, so training cannot wake it. Another seed, wider layers or"
            " ELU do."
        ),
        formula="share of a ReLU layer's units that are 0 for all validation rows = 1, before step 1 and now",
        numbers=numbers,
    )


CHECK = Check(
    id="born_dead",
    readings=frozenset({Reading.START, Reading.EVALUATION}),
    judge=judge,
    explain=explain,
    severity=Severity.WARNING,
    stuck_severity=Severity.CRITICAL,
    eases=False,
)
