"""Check 25: validation that knows the answers already."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from nnlab.health.events import Severity
from nnlab.health.results import UNKNOWN, Check, Explanation, Result, Verdict
from nnlab.health.signals import Reading, Signals

if TYPE_CHECKING:
    from nnlab.health.facts import DataFacts
    from nnlab.health.thresholds import Limits


def judge(signals: Signals, limits: Limits) -> Result:
    """Hit where validation rows are training rows as well, or a column gives the label away.

    Some repeated rows are natural: of the shipped datasets only iris has one on both sides of its split, 1 of
    30 rows. So up to 5 % are only shown, and so are up to 4 different rows, as a truth table has no more.
    Validation on the training rows themselves is a choice, not an accident; and where every column gives the
    label away there is nothing else to learn from.
    """
    facts = signals.facts
    if facts is None:
        return UNKNOWN
    overlap, columns = facts.overlap, _columns(facts, limits)
    is_toy = overlap.nothing_held_out or len(columns) == len(facts.columns.largest)
    if len(columns):
        value = float(_correlations(facts)[columns].max())
        severity = Severity.INFO if is_toy else Severity.WARNING
        return Result(Verdict.HIT, value, limits["correlation"], severity=severity)
    if not overlap.shared:
        return UNKNOWN
    is_rare = overlap.share <= limits["share"] or overlap.distinct <= limits["few_rows"]
    severity = Severity.INFO if is_toy or is_rare else Severity.WARNING
    return Result(Verdict.HIT, overlap.share, 0.0 if is_rare else limits["share"], severity=severity)


def explain(signals: Signals, limits: Limits, result: Result) -> Explanation:
    """Say what validation knows, and that its score is too good to be true."""
    facts = signals.facts
    if facts is None:
        raise ValueError("expected facts of the data to explain, got none")
    overlap, columns = facts.overlap, _columns(facts, limits)
    numbers = {
        "validation_rows_looked_up": overlap.rows,
        "validation_rows_in_training": overlap.shared,
        "different_rows": overlap.distinct,
        "columns": [int(column) + 1 for column in columns[:20]],
    }
    if len(columns):
        return Explanation(
            title=f"Leak: column {columns[0] + 1} gives the label away",
            cause=(
                f"Its correlation with the label is {result.value:.4f}: it nearly is the label, perhaps"
                " derived from it. A network then learns that column and nothing else. Will it be known when"
                " the network is used? If not, leave it out."
            ),
            formula=f"|correlation of a column with the label or a class| > {result.threshold:g}",
            numbers=numbers,
        )
    return Explanation(
        title=_overlap_title(facts),
        cause=(
            "The network has learned the answers to these rows by heart, so the validation score is better"
            " than it would be on rows never seen. Remove repeated rows first, then split."
        ),
        formula=f"validation rows that are training rows / validation rows looked up > {result.threshold:g}",
        numbers=numbers,
    )


def _overlap_title(facts: DataFacts) -> str:
    overlap = facts.overlap
    if overlap.nothing_held_out:
        return "Nothing is held out: the validation rows are the training rows"
    are = "is a training row" if overlap.shared == 1 else "are training rows"
    return f"Leak: {overlap.shared:,} of {overlap.rows:,} validation rows {are} as well"


def _columns(facts: DataFacts, limits: Limits) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Columns that nearly are the label; by few rows that cannot be told."""
    if facts.train_rows < limits["least_rows"]:
        return np.empty(0, np.int64)
    return np.flatnonzero(_correlations(facts) > limits["correlation"])


def _correlations(facts: DataFacts) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    return np.empty(0) if facts.label_correlation is None else facts.label_correlation


CHECK = Check(
    id="leak",
    readings=frozenset({Reading.START}),
    judge=judge,
    explain=explain,
    severity=Severity.WARNING,
    stuck_severity=Severity.WARNING,
    eases=False,
)
