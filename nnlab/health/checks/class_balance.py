"""Check 23: classes that are missing, rare, or not recognised."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from nnlab.health.events import Severity
from nnlab.health.results import UNKNOWN, Check, Explanation, Result, Verdict
from nnlab.health.signals import Reading, Signals

if TYPE_CHECKING:
    from nnlab.health.facts import DataFacts, IntArray
    from nnlab.health.thresholds import Limits


def judge(signals: Signals, limits: Limits) -> Result:
    """Hit where there is nothing to tell apart; then by unequal classes; then by those not recognised."""
    facts = signals.facts
    if facts is None:
        return UNKNOWN
    if signals.reading is not Reading.START:
        return _judge_recall(signals, facts, limits)
    if _is_single(facts):
        return Result(Verdict.HIT, 1.0, limits["classes"])
    ratio = _ratio(facts)
    if ratio > limits["ratio"]:
        return Result(Verdict.HIT, ratio, limits["ratio"], severity=Severity.INFO)
    return UNKNOWN


def _is_single(facts: DataFacts) -> bool:
    """Whether all training rows have the same target."""
    if facts.targets is not None:
        return facts.targets.variance == 0
    return facts.train_counts is not None and int(np.count_nonzero(facts.train_counts)) < 2


def _ratio(facts: DataFacts) -> float:
    """Rows of the commonest class over those of the rarest: infinite where it has none; 1 without classes."""
    counts = facts.train_counts
    if counts is None:
        return 1.0
    least = int(counts.min())
    return float(counts.max()) / least if least else math.inf


def _judge_recall(signals: Signals, facts: DataFacts, limits: Limits) -> Result:
    """Hit where a class of some size is hardly recognised though the network has learned the others.

    A warning where that class is rare in training, which explains it; else it is only shown.
    """
    is_early = signals.step < max(signals.t_min, limits["budget_share"] * signals.info.steps)
    if is_early or signals.metric_is_no_better:
        return UNKNOWN
    recalls = _lasting_recalls(signals, facts, limits)
    if not recalls:
        return UNKNOWN
    worst = min(recalls.values())
    if worst > limits["recall_clear"]:
        return Result(Verdict.SAFE, worst, limits["recall"])
    if worst >= limits["recall"]:
        return Result(Verdict.NEUTRAL, worst, limits["recall"])
    missed = [label for label, recall in recalls.items() if recall < limits["recall"]]
    severity = Severity.WARNING if _is_one_rare(missed, facts, limits) else Severity.INFO
    return Result(Verdict.HIT, worst, limits["recall"], severity=severity)


def _lasting_recalls(signals: Signals, facts: DataFacts, limits: Limits) -> dict[int, float]:
    """The better recall in the last two evaluations, of each class with enough validation rows."""
    last = [found.recall for found in signals.evaluations][-2:]
    if len(last) < 2 or last[0] is None or last[1] is None or facts.validation_counts is None:
        return {}
    by_class = zip(facts.validation_counts.tolist(), last[0].tolist(), last[1].tolist(), strict=True)
    return {
        label: max(before, now)
        for label, (rows, before, now) in enumerate(by_class)
        if rows >= limits["rows"]
    }


def _is_one_rare(labels: list[int], facts: DataFacts, limits: Limits) -> bool:
    if facts.train_counts is None:
        return False
    return int(facts.train_counts[labels].min()) < limits["rare"] * float(facts.train_counts.mean())


def explain(signals: Signals, limits: Limits, result: Result) -> Explanation:
    """Say which class is missing, rare or not recognised, and why accuracy hides it."""
    facts = signals.facts
    if facts is None:
        raise ValueError("expected facts of the data to explain, got none")
    numbers: dict[str, object] = {
        "training_rows": _listed(facts.train_counts),
        "validation_rows": _listed(facts.validation_counts),
        "recall": [] if signals.evaluation is None else _listed(signals.evaluation.recall),
    }
    if result.threshold == limits["classes"]:
        return _explain_single(facts, limits, numbers)
    if result.threshold == limits["ratio"]:
        return _explain_ratio(facts, result, numbers)
    recalls = _lasting_recalls(signals, facts, limits)
    return _explain_recall(min(recalls, key=recalls.__getitem__), result, numbers)


def _explain_single(facts: DataFacts, limits: Limits, numbers: dict[str, object]) -> Explanation:
    if facts.train_counts is None:
        title = "One target only: all training rows have the same"
    else:
        title = f"Single class: every training row is of class {int(facts.train_counts.argmax())}"
    return Explanation(
        title=title,
        cause=(
            "There is nothing to tell apart. The network will learn to give this one answer, with a loss near"
            " 0 and a score near 100 %, and has learned nothing. Check how the target was read and split."
        ),
        formula=f"different targets of the training rows < {limits['classes']:g}",
        numbers=numbers,
    )


def _explain_ratio(facts: DataFacts, result: Result, numbers: dict[str, object]) -> Explanation:
    counts = np.zeros(1, np.int64) if facts.train_counts is None else facts.train_counts
    rarest, commonest = int(counts.argmin()), int(counts.argmax())
    rows = {0: "no row at all", 1: "1 row"}.get(int(counts[rarest]), f"{counts[rarest]:,} rows")
    return Explanation(
        title=f"Unequal classes: class {rarest} has {rows}, class {commonest} has {counts[commonest]:,}",
        cause=(
            "A network can be right most of the time by never naming a rare class. Accuracy then looks good:"
            " look at the recall of each class as well. Class weights make all classes count alike."
        ),
        formula=f"training rows of the commonest class / of the rarest > {result.threshold:g}",
        numbers=numbers,
    )


def _explain_recall(worst: int, result: Result, numbers: dict[str, object]) -> Explanation:
    return Explanation(
        title=f"Class {worst} is hardly recognised: {result.value:.0%} of its rows are answered right",
        cause=(
            "The score over all rows is better than that of a constant answer, but this class has no part in"
            " it. It may be rare in training, or look like another class. Class weights make rare classes"
            " count."
        ),
        formula=f"recall of a class, the better of the last two evaluations < {result.threshold:g}",
        numbers=numbers,
    )


def _listed(values: IntArray | np.ndarray[tuple[int, ...], np.dtype[np.float64]] | None) -> list[float]:
    return [] if values is None else values.tolist()


CHECK = Check(
    id="class_balance",
    readings=frozenset({Reading.START, Reading.EVALUATION}),
    judge=judge,
    explain=explain,
    severity=Severity.WARNING,
    stuck_severity=Severity.WARNING,
    eases=False,
)
