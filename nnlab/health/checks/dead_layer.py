"""Check 5: a ReLU layer in which no unit fires any more."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nnlab.health.events import Severity
from nnlab.health.results import UNKNOWN, Check, Explanation, Result, Verdict
from nnlab.health.signals import CAN_DIE, Reading, Signals
from nnlab.health.wording import layer_listing

if TYPE_CHECKING:
    from nnlab.health.thresholds import Limits


def judge(signals: Signals, limits: Limits) -> Result:
    """Hit where a whole layer was silent in training, and then for every validation row, 300 rows in all.

    A second evaluation makes it critical: on unscaled data a rare row may still wake a layer that was
    silent for one. Evaluations decide on safety, because they see many rows without dropout.
    """
    evaluation, info = signals.evaluation, signals.info
    if evaluation is None:
        return UNKNOWN
    layers = [layer for layer in range(info.layers - 1) if info.activations[layer] in CAN_DIE]
    if not layers:
        return UNKNOWN
    silent = tuple(
        layer
        for layer in layers
        if signals.silent_evaluations[layer]
        and signals.silent_rows[layer] + evaluation.rows >= limits["rows"]
    )
    # With one class in the labels there is nothing to learn, dead or alive.
    has_baseline = info.baseline_loss >= signals.limits["least_baseline_loss"]
    dead = evaluation.dead_share.tolist()
    worst = max(dead[layer] for layer in layers)
    if silent:
        lasts = max(signals.silent_evaluations[layer] for layer in silent) >= limits["critical_evaluations"]
        severity = Severity.CRITICAL if lasts else Severity.WARNING
        return Result(Verdict.HIT, 1.0, 1.0, silent, severity if has_baseline else Severity.INFO)
    is_safe = signals.reading is Reading.EVALUATION and worst < 1
    return Result(Verdict.SAFE if is_safe else Verdict.UNKNOWN, worst, 1.0)


def explain(signals: Signals, limits: Limits, result: Result) -> Explanation:
    """Name the silent layers and what silence does to the layers below."""
    names = layer_listing(signals.info, result.layers)
    one = len(result.layers) == 1
    evaluation = signals.evaluation
    return Explanation(
        title=f"Dead layer: no unit of {names} fires any more",
        cause=(
            f"Every unit of {names} outputs 0 for every row. There the derivative of ReLU is 0: no gradient"
            f" passes, so {'this layer' if one else 'these layers'} and all layers below cannot recover."
            f" {_origin(signals)}"
        ),
        formula=f"rows with an active unit = 0, of at least {limits['rows']:g} training and validation rows",
        numbers={
            "silent_training_rows": [signals.silent_rows[layer] for layer in result.layers],
            "silent_since_step": [signals.silent_since[layer] for layer in result.layers],
            "dead_share": [] if evaluation is None else evaluation.dead_share.tolist(),
        },
    )


def _origin(signals: Signals) -> str:
    if signals.is_born_dead:
        return "They were silent from the first step on: deep, narrow ReLU networks can start dead by chance."
    return "Usually one too large update pushed the units below 0: the learning rate is too high."


CHECK = Check(
    id="dead_layer",
    readings=frozenset({Reading.SAMPLE, Reading.EVALUATION}),
    judge=judge,
    explain=explain,
    severity=Severity.WARNING,
    stuck_severity=Severity.CRITICAL,
    eases=False,
)
