"""Check 1: numbers that are not finite any more."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nnlab.health.events import Severity
from nnlab.health.results import UNKNOWN, Check, Explanation, Result, Verdict
from nnlab.health.signals import Reading, Signals

if TYPE_CHECKING:
    from nnlab.health.thresholds import Limits


def judge(signals: Signals, _limits: Limits) -> Result:
    """Hit from the first NaN or infinity on; never safe, because the run stops."""
    found = signals.nonfinite
    if found is None:
        return UNKNOWN
    layers = () if found.layer is None else (found.layer,)
    return Result(Verdict.HIT, float("nan"), float("inf"), layers)


def explain(signals: Signals, _limits: Limits, _result: Result) -> Explanation:
    """Say where numbers stopped being finite first, in forward order."""
    found = signals.nonfinite
    if found is None:
        raise ValueError("expected a finding of NaN or infinity to explain, got none")
    where = f"the {found.quantity}"
    if found.layer is not None:
        where += f" of {signals.info.layer_name(found.layer)}"
    return Explanation(
        title=f"Not finite: {where} became NaN or infinity at step {found.step}",
        cause=(
            "The numbers grew beyond what a float can hold: each update was larger than the one before."
            " Usually the learning rate is too high for this network, or the inputs are not scaled."
        ),
        formula="any of loss, gradient, activation or weight is NaN or infinite",
        numbers={
            "quantity": found.quantity,
            "nonfinite_step": found.step,
            "last_finite_loss": found.last_finite_loss,
        },
    )


CHECK = Check(
    id="nonfinite",
    readings=frozenset(Reading),
    judge=judge,
    explain=explain,
    severity=Severity.CRITICAL,
    stuck_severity=Severity.CRITICAL,
    eases=False,
)
