"""Check 6: many units of a ReLU layer that no validation row activates."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from nnlab.health.events import Severity
from nnlab.health.results import UNKNOWN, Check, Explanation, Result, Verdict
from nnlab.health.signals import CAN_DIE, Reading, Signals
from nnlab.health.wording import layer_listing

if TYPE_CHECKING:
    from nnlab.health.thresholds import Limits


def judge(signals: Signals, limits: Limits) -> Result:
    """Hit where most units of a layer are dead, or ever more, while there is still much to learn.

    In a narrow layer chance alone silences half of the units, so it takes three quarters there, and growth
    says nothing. A network that has learnt its task can spare its dead units, one that learns fast is not
    held back by them, and one in its first steps may revive them.
    """
    evaluation, info = signals.evaluation, signals.info
    can_die = tuple(layer for layer in range(info.layers - 1) if info.activations[layer] in CAN_DIE)
    if evaluation is None or not can_die or math.isnan(signals.q):
        return UNKNOWN
    growth, dead = signals.epochs.dead_growth.tolist(), evaluation.dead_share.tolist()
    worst = max(dead[layer] for layer in can_die)
    dying = tuple(
        layer for layer in can_die if _is_dying(info.widths[layer], dead[layer], growth[layer], limits)
    )
    if dying and signals.q > limits["q"] and signals.step >= signals.t_min:
        share = max(dead[layer] for layer in dying)
        crossed = limits["open"] if share >= limits["open"] else limits["least"]
        return Result(Verdict.HIT, share, crossed, dying, _severity(signals, limits))
    verdict = Verdict.SAFE if worst < limits["clear"] else Verdict.NEUTRAL
    return Result(verdict, worst, limits["open"], dying)


def _is_dying(width: int, share: float, growth: float, limits: Limits) -> bool:
    if width < limits["narrow"]:
        return share >= limits["open_narrow"]
    return share >= limits["open"] or (share >= limits["least"] and growth >= limits["growth"])


def _severity(signals: Signals, limits: Limits) -> Severity:
    """Only show it while the loss falls fast and the score is better than a constant answer's."""
    if signals.is_stuck:
        return Severity.CRITICAL
    fall = signals.losses.fall_over(signals.progress_window)
    learns = fall >= limits["fall"] and not signals.metric_is_no_better
    return Severity.INFO if learns else Severity.WARNING


def explain(signals: Signals, limits: Limits, result: Result) -> Explanation:
    """Say how many units are dead, and that they cannot learn."""
    names = layer_listing(signals.info, result.layers)
    evaluation = signals.evaluation
    shares = [] if evaluation is None else evaluation.dead_share.tolist()
    return Explanation(
        title=f"Dying units: {result.value:.0%} of the units of {names} never fire",
        cause=(
            "These units output 0 for every validation row. There the derivative of ReLU is 0, so they get no"
            " gradient and hardly ever recover: the layer is narrower than it looks. Usually large updates"
            " pushed them below 0, because the learning rate is too high or the inputs are not scaled."
        ),
        formula=(
            f"dead share = units that are 0 for every validation row / units >= {limits['open']:.0%}"
            f" ({limits['open_narrow']:.0%} in layers of fewer than {limits['narrow']:.0f} units), or"
            f" {limits['growth']:.0%} more than five evaluations ago; loss / baseline loss > {limits['q']:g}"
        ),
        numbers={
            "dead_share": shares,
            "growth_over_5_evaluations": signals.epochs.dead_growth.tolist(),
            "rows": None if evaluation is None else evaluation.rows,
        },
    )


CHECK = Check(
    id="dying_units",
    readings=frozenset({Reading.EVALUATION}),
    judge=judge,
    explain=explain,
    severity=Severity.WARNING,
    stuck_severity=Severity.CRITICAL,
)
