"""Check 18: a last hidden layer whose units all say the same."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from nnlab.health.events import Severity
from nnlab.health.results import UNKNOWN, Check, Explanation, Result, Verdict
from nnlab.health.signals import Reading, Signals

if TYPE_CHECKING:
    from nnlab.health.thresholds import Limits


def judge(signals: Signals, limits: Limits) -> Result:
    """Hit where the last hidden layer's outputs vary in hardly any direction while there is much to learn.

    Two or three units cannot vary in many directions, and a network that has learnt its task needs no more.
    """
    evaluation, info = signals.evaluation, signals.info
    if evaluation is None or evaluation.effective_rank is None or info.layers < 2:
        return UNKNOWN
    width, rank = info.widths[-2], evaluation.effective_rank
    is_early = signals.step < signals.t_min
    if is_early or width < limits["least_width"] or math.isnan(rank) or math.isnan(signals.q):
        return UNKNOWN
    bound = max(limits["least"], limits["share"] * min(width, 2 * info.widths[-1]))
    if rank >= bound:
        return Result(Verdict.SAFE, rank, bound)
    is_hit = signals.q > limits["q"]
    return Result(Verdict.HIT if is_hit else Verdict.NEUTRAL, rank, bound, (info.layers - 2,))


def explain(signals: Signals, limits: Limits, result: Result) -> Explanation:
    """Say in how many directions the outputs vary."""
    info = signals.info
    name = info.layer_name(info.layers - 2)
    return Explanation(
        title=f"Rank collapse: the {info.widths[-2]} units of {name} act like {max(result.value, 1):.1f}",
        cause=(
            f"The outputs of {name} vary in few directions only, as if most units were copies of one another,"
            " and the output layer has little to tell examples apart by. Too small or identical initial"
            " weights, and saturated or dead units below, do this."
        ),
        formula=(
            "effective rank = exp(entropy of the shares of the singular values of the centred outputs) <"
            f" {result.threshold:.3g}, while loss / baseline loss > {limits['q']:g}"
        ),
        numbers={"effective_rank": result.value, "units": info.widths[-2]},
    )


CHECK = Check(
    id="rank_collapse",
    readings=frozenset({Reading.EVALUATION}),
    judge=judge,
    explain=explain,
    severity=Severity.INFO,
    stuck_severity=Severity.INFO,
)
