"""What the runs of a question have shown, cell by cell, as their rows say it at this moment."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from nnlab.stats.intervals import Interval, mean_interval
from runs.models import OVER, Question, Run, Status
from runs.questions.cells import Cell
from runs.reading.metrics import higher_is_better

_COLUMNS = (
    *("pk", "sweep_id", "depth", "activation", "dropout", "learning_rate", "seed"),
    *("status", "stop_reason", "summary"),
)


@dataclass(frozen=True)
class Shown:
    """What runs have shown that differ by their seed only.

    Args:
        values: final value of the metric by seed; None where the run diverged.
        waiting: runs that have something before them.
        absent: runs that failed, were stopped, or do not have the metric.
    """

    values: Mapping[int, float | None]
    waiting: int = 0
    absent: int = 0

    @property
    def finite(self) -> list[float]:
        """The values of runs that did not diverge."""
        return [value for value in self.values.values() if value is not None]

    @property
    def runs(self) -> int:
        """All of them."""
        return len(self.values) + self.waiting + self.absent

    @property
    def diverged(self) -> int:
        """Runs whose numbers stopped being finite."""
        return len(self.values) - len(self.finite)

    @property
    def mean(self) -> float | None:
        """Of the runs that did not diverge."""
        return fmean(self.finite) if self.finite else None

    @property
    def interval(self) -> Interval | None:
        """Mean and t interval over the seeds that did not diverge."""
        return mean_interval(self.finite) if self.finite else None


NOTHING = Shown({})


@dataclass(frozen=True)
class Tuned:
    """The learning rates that were tried on a cell.

    Args:
        rates: what each has shown, from the smallest rate to the largest.
        best: of those that are over; None where none has shown anything.
    """

    rates: Mapping[float, Shown]
    best: float | None

    @property
    def is_at_edge(self) -> bool:
        """Whether a rate beyond those that were tried might be better still."""
        ends = {min(self.rates), max(self.rates)} if len(self.rates) > 1 else set()
        return self.best in ends

    @property
    def is_flat(self) -> bool:
        """Whether all rates have shown exactly the same."""
        means = [shown.mean for shown in self.rates.values()]
        return len(means) > 1 and means[0] is not None and len(set(means)) == 1


@dataclass(frozen=True)
class CellOutcome:
    """A cell with all that its runs have shown."""

    cell: Cell
    tuned: Tuned
    answer: Shown


def outcomes(question: Question) -> list[CellOutcome]:
    """Return the cells of a question with what is known of them, in one query."""
    return outcomes_of([question])[question.pk]


def outcomes_of(questions: Iterable[Question]) -> dict[int, list[CellOutcome]]:
    """Return the cells of several questions by the questions' keys, in one query."""
    found = list(questions)
    sweeps = [key for one in found for key in (one.tuning_id, one.confirmation_id) if key is not None]
    by_cell: dict[tuple[int, int, str, float], list[dict[str, Any]]] = {}
    for row in Run.objects.kept().filter(sweep__in=sweeps).order_by("pk").values(*_COLUMNS):
        key = (row["sweep_id"], row["depth"], row["activation"], row["dropout"])
        by_cell.setdefault(key, []).append(row)
    return {
        one.pk: [_outcome(one, cell, by_cell) for cell in map(Cell.from_dict, one.cells)] for one in found
    }


def _outcome(
    question: Question, cell: Cell, rows: Mapping[tuple[int, int, str, float], Sequence[Mapping[str, Any]]]
) -> CellOutcome:
    tuning, answers = (
        rows.get((sweep or 0, *cell.key), []) for sweep in (question.tuning_id, question.confirmation_id)
    )
    return CellOutcome(cell, tuned(tuning, question.metric), shown(answers, question.metric))


def tuned(rows: Sequence[Mapping[str, Any]], metric: str) -> Tuned:
    """Choose the best learning rate: the fewest diverged runs first, then the best mean.

    Equal means, which shares of a few hundred rows often have, are told apart by the validation loss, and
    then by taking the smaller rate.
    """
    by_rate: dict[float, list[Mapping[str, Any]]] = {}
    for row in sorted(rows, key=lambda row: row["learning_rate"]):
        by_rate.setdefault(row["learning_rate"], []).append(row)
    rates = {rate: shown(some, metric) for rate, some in by_rate.items()}
    losses = {rate: shown(some, "val_loss").mean for rate, some in by_rate.items()}
    sign = -1.0 if higher_is_better(metric) else 1.0
    ranks = {
        rate: (one.diverged, sign * one.mean, math.inf if losses[rate] is None else losses[rate], rate)
        for rate, one in rates.items()
        if one.mean is not None
    }
    return Tuned(rates, min(ranks, key=lambda rate: ranks[rate], default=None))


def shown(rows: Iterable[Mapping[str, Any]], metric: str) -> Shown:
    """Collect what runs have shown that differ by their seed only."""
    values: dict[int, float | None] = {}
    waiting = absent = 0
    for row in rows:
        found = row["summary"].get(metric)
        if row["status"] not in OVER:
            waiting += 1
        elif row["stop_reason"] == "diverged":
            values[row["seed"]] = None
        elif row["status"] != Status.FINISHED or found is None:
            absent += 1
        else:
            is_finite = isinstance(found, int | float) and math.isfinite(found)
            values[row["seed"]] = float(found) if is_finite else None
    return Shown(values, waiting, absent)
