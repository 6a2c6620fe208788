"""Check 21: a network that answers every row alike."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

from nnlab.health.events import Severity
from nnlab.health.results import UNKNOWN, Check, Explanation, Result, Verdict
from nnlab.health.signals import Reading, Signals

if TYPE_CHECKING:
    from nnlab.health.thresholds import Limits


def judge(signals: Signals, limits: Limits) -> Result:
    """Hit where one class, or one value, is the answer to (nearly) every validation row.

    Small networks may begin like that and learn later: early in the run it is only shown. Where nine of ten
    rows are of one class, it is the answer to expect.
    """
    if signals.step < signals.t_min or signals.evaluation is None:
        return UNKNOWN
    found = _of_classes(signals, limits) or _of_values(signals, limits)
    if found is None or found.verdict is not Verdict.HIT:
        return found or UNKNOWN
    is_early = signals.step < limits["late_share"] * signals.info.steps
    severity = Severity.INFO if is_early else Severity.CRITICAL if signals.is_stuck else Severity.WARNING
    return replace(found, severity=severity)


def _of_classes(signals: Signals, limits: Limits) -> Result | None:
    evaluation = signals.evaluation
    if evaluation is None or evaluation.predicted is None:
        return None
    predicted = evaluation.predicted.tolist()
    if not any(predicted):
        return None
    if not signals.info.baseline_metric < limits["baseline"]:
        return UNKNOWN
    share = max(predicted) / sum(predicted)
    verdict = Verdict.HIT if share >= limits["open"] else Verdict.NEUTRAL
    return Result(Verdict.SAFE if share < limits["clear"] else verdict, share, limits["open"])


def _of_values(signals: Signals, limits: Limits) -> Result | None:
    variance = None if signals.evaluation is None else signals.evaluation.answer_variance
    if variance is None or math.isnan(variance):
        return None
    verdict = Verdict.HIT if variance < limits["variance"] else Verdict.NEUTRAL
    return Result(
        Verdict.SAFE if variance > limits["clear_variance"] else verdict, variance, limits["variance"]
    )


def explain(signals: Signals, limits: Limits, result: Result) -> Explanation:
    """Name the answer that is always given."""
    evaluation = signals.evaluation
    predicted = None if evaluation is None else evaluation.predicted
    if predicted is None:
        title = "Constant answer: the network answers (nearly) the same value for every row"
        formula = f"variance of the answers / variance of the targets < {limits['variance']:g}"
    else:
        title = (
            f"Constant answer: {result.value:.0%} of the rows are said to be of class {predicted.argmax()}"
        )
        formula = (
            f"rows of the commonest answer / validation rows >= {limits['open']:.0%}, where a constant answer"
            f" would be right for less than {limits['baseline']:.0%}"
        )
    return Explanation(
        title=title,
        cause=(
            "Whatever it is shown, the network says the same: it has found the best constant answer and does"
            " not use its inputs. Dead or saturated units, inputs that are not scaled, an output that does"
            " not suit the task, or a learning rate that is too high are the usual reasons."
        ),
        formula=formula,
        numbers={
            "predicted": [] if predicted is None else predicted.tolist(),
            "answer_variance": None if evaluation is None else evaluation.answer_variance,
        },
    )


CHECK = Check(
    id="constant_prediction",
    readings=frozenset({Reading.EVALUATION}),
    judge=judge,
    explain=explain,
    severity=Severity.WARNING,
    stuck_severity=Severity.CRITICAL,
    eases=False,
)
