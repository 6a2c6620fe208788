"""Check 15: inputs or targets whose numbers are far from 1."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from nnlab.health.events import Severity
from nnlab.health.results import UNKNOWN, Check, Explanation, Result, Verdict
from nnlab.health.signals import Reading, Signals

if TYPE_CHECKING:
    from nnlab.health.facts import DataFacts
    from nnlab.health.thresholds import Limits

FORMULAS = {
    "size": "largest absolute input",
    "offset": "largest |mean| / standard deviation of an input column that exceeds 1",
    "disparity": "largest input column / smallest input column, each by its largest absolute value",
    "target": "variance of the training targets",
    "constant": "input columns that always hold the same number, not 0",
}
SCALE_INPUTS = "Scale each column to mean 0 and standard deviation 1, and cut what is still far out."
MILD = " Most networks cope with this much; if training is slow or unsteady, look here first."


@dataclass(frozen=True)
class Measure:
    """One way in which data can be out of scale.

    Args:
        name: key of ``FORMULAS``.
        warn: beyond this it is likely to harm.
        show: beyond this it is only worth knowing.
    """

    name: str
    value: float
    warn: float
    show: float


def judge(signals: Signals, limits: Limits) -> Result:
    """Hit by the first measure that is likely to harm, else by the first that is worth knowing."""
    if signals.facts is None:
        return UNKNOWN
    found = _found(signals.facts, limits)
    if found is None:
        return UNKNOWN
    if found.value > found.warn:
        return Result(Verdict.HIT, found.value, found.warn)
    return Result(Verdict.HIT, found.value, found.show, severity=Severity.INFO)


def explain(signals: Signals, limits: Limits, result: Result) -> Explanation:
    """Say which column or target is out of scale, by how much, and what that does to training."""
    facts = signals.facts
    found = None if facts is None else _found(facts, limits)
    if facts is None or found is None:
        raise ValueError("expected data out of scale to explain, got none")
    title, cause = WORDS[found.name](facts)
    return Explanation(
        title=title,
        cause=cause if found.value > found.warn else cause + MILD,
        formula=f"{FORMULAS[found.name]} > {result.threshold:g}",
        numbers={
            "measure": found.name,
            "largest_input": float(facts.columns.largest.max()),
            "largest_offset": float(facts.columns.offset.max()),
            "disparity": facts.columns.disparity,
            "target_variance": None if facts.targets is None else facts.targets.variance,
            "constant_columns": [int(column) + 1 for column in facts.columns.constant[:20]],
        },
    )


def _found(facts: DataFacts, limits: Limits) -> Measure | None:
    measures = _measures(facts, limits)
    harmful = (measure for measure in measures if measure.value > measure.warn)
    notable = (measure for measure in measures if measure.value > measure.show)
    return next(harmful, None) or next(notable, None)


def _measures(facts: DataFacts, limits: Limits) -> list[Measure]:
    columns = facts.columns
    variance = 0.0 if facts.targets is None else facts.targets.variance
    return [
        Measure("size", float(columns.largest.max()), limits["size"], limits["size_shown"]),
        Measure("offset", float(columns.offset.max()), limits["offset"], limits["offset_shown"]),
        Measure("disparity", columns.disparity, limits["disparity"], math.inf),
        Measure("target", variance, limits["target_variance"], limits["target_variance_shown"]),
        Measure("constant", len(columns.constant), math.inf, limits["constant_columns"]),
    ]


def _size(facts: DataFacts) -> tuple[str, str]:
    column = int(facts.columns.largest.argmax())
    return (
        f"Large inputs: column {column + 1} holds numbers up to {facts.columns.largest[column]:,.4g}",
        (
            "A weight's gradient is proportional to its input: weights of large columns take huge steps,"
            f" those of small columns hardly move, and no learning rate suits both. {SCALE_INPUTS}"
        ),
    )


def _offset(facts: DataFacts) -> tuple[str, str]:
    column = int(facts.columns.offset.argmax())
    mean, deviation = facts.columns.mean[column], facts.columns.deviation[column]
    return (
        f"Shifted inputs: column {column + 1} varies by {deviation:.3g} around {mean:,.4g}",
        (
            "The large mean acts on every row alike and drowns the small differences that tell rows apart, so"
            f" the gradient mostly points the same way. {SCALE_INPUTS}"
        ),
    )


def _disparity(facts: DataFacts) -> tuple[str, str]:
    largest = facts.columns.largest
    big = int(largest.argmax())
    small = int(np.where(largest > 0, largest, np.inf).argmin())
    return (
        f"Uneven inputs: column {big + 1} is {facts.columns.disparity:,.0f} times as large as {small + 1}",
        (
            f"Column {big + 1} goes up to {largest[big]:,.3g}, column {small + 1} to {largest[small]:,.3g}."
            f" A network sees almost only the large one. {SCALE_INPUTS}"
        ),
    )


def _target(facts: DataFacts) -> tuple[str, str]:
    low, high = (0.0, 0.0) if facts.targets is None else (facts.targets.low, facts.targets.high)
    return (
        f"Large targets: they range from {low:,.4g} to {high:,.4g}",
        (
            "A new network answers with numbers near 0. Errors, and with them gradients, are as large as the"
            " targets, so steps overshoot, or small ones take very long to get there. Divide the"
            " targets, or scale them to mean 0 and standard deviation 1."
        ),
    )


def _constant(facts: DataFacts) -> tuple[str, str]:
    columns = facts.columns.constant
    one = len(columns) == 1
    return (
        f"{len(columns):,} input column{' is' if one else 's are'} always the same",
        (
            f"Column {columns[0] + 1} is {facts.columns.low[columns[0]]:,.4g} in every training row. A column"
            " that does not vary cannot tell rows apart; it can be left out."
        ),
    )


WORDS = {
    "size": _size,
    "offset": _offset,
    "disparity": _disparity,
    "target": _target,
    "constant": _constant,
}

CHECK = Check(
    id="unscaled_data",
    readings=frozenset({Reading.START}),
    judge=judge,
    explain=explain,
    severity=Severity.WARNING,
    stuck_severity=Severity.CRITICAL,
)
