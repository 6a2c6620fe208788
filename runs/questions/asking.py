"""A question as somebody asks it: read, checked, turned into the sweep that tunes, and stored."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any

from django.conf import settings
from django.contrib.auth.models import AbstractBaseUser, AnonymousUser
from django.db import transaction

from nnlab.engine.config import TrainingConfig
from runs import submission
from runs.models import Question
from runs.questions.cells import Budget, Cell, build_cells
from runs.questions.reading import Read, read
from runs.submitted.networks import Limits
from runs.submitted.search_plans import goals
from runs.submitted.specification import Specification, SubmissionError
from runs.submitted.values import Faults

_STAGES = {"tuning_seeds": "tuning", "seeds": "fresh seeds"}


@dataclass(frozen=True)
class Asked:
    """A checked question.

    Args:
        tuning: the specification of each cell's runs that tune, by its label.
        answering: those that are to answer, with a learning rate that stands for the one that will be best.
    """

    read: Read
    cells: Sequence[Cell]
    metric: str
    tuning: Mapping[str, Specification]
    answering: Mapping[str, Specification]

    @property
    def all_runs(self) -> Specification:
        """All its runs, as if they were one submission, to tell what they cost."""
        parts = [*self.tuning.values(), *self.answering.values()]
        return replace(parts[0], runs=tuple(chain.from_iterable(part.runs for part in parts)))

    @property
    def runs(self) -> tuple[int, int]:
        """How many runs tune, and how many answer."""
        tuning, answering = (
            sum(len(part.runs) for part in parts.values()) for parts in (self.tuning, self.answering)
        )
        return tuning, answering


def parse(mapping: Mapping[str, Any]) -> Asked:
    """Check a question under this installation's limits.

    Args:
        mapping: ``project``, ``name``, ``data`` and ``job`` as of a sweep; ``training`` with what all
            networks share; ``depth``, ``activation`` and ``dropout`` as lists, of which those with several
            values are compared; ``budget`` as {"parameters": n}, {"multiply_adds": n} or {"width": n};
            ``learning_rates`` as a list or as {"low", "high", "values"}; ``tuning_seeds`` and ``seeds`` as
            numbers or lists; ``metric`` and ``margin``, the smallest difference that matters.

    Raises:
        SubmissionError: with all that is wrong, by field; nothing was stored.
    """
    faults = Faults()
    found = read(mapping, faults)
    base = _base(found, faults)
    if base is None or found is None:
        raise SubmissionError(faults.found)
    metric = found.metric or goals(base.shape.task)[0]
    if metric not in goals(base.shape.task):
        known = ", ".join(goals(base.shape.task))
        faults.note("metric", f"metric: expected one of {known} on this data, got {metric!r}")
    _check_runs(found, faults)
    cells = _cells(found, base, faults)
    if faults.found:
        raise SubmissionError(faults.found)
    middle = found.learning_rates[len(found.learning_rates) // 2]
    return Asked(
        found,
        cells,
        metric,
        {cell.label: planned(found, cell, "tuning_seeds", found.learning_rates) for cell in cells},
        {cell.label: planned(found, cell, "seeds", [middle]) for cell in cells},
    )


def planned(found: Read, cell: Cell, seeds: str, rates: Sequence[float]) -> Specification:
    """Plan the runs of one cell.

    Args:
        seeds: ``tuning_seeds`` or ``seeds``.

    Raises:
        SubmissionError: for what cannot be trained.
    """
    return submission.parse(
        {
            "project": found.project,
            "name": f"{found.name}: {_STAGES[seeds]}",
            "data": found.data,
            "training": {**found.training, **cell.training},
            "grid": {"learning_rate": list(rates)},
            "seeds": list(getattr(found, seeds)),
            "job": found.job,
        }
    )


def ask(asked: Asked, user: AbstractBaseUser | AnonymousUser | None) -> Question:
    """Store a question with the runs that tune.

    Raises:
        SubmissionError: where so many runs may not wait.
    """
    with transaction.atomic():
        sweep = submission.submit_together(asked.tuning, user)
        return Question.objects.create(
            project=sweep.project,
            name=asked.read.name,
            specification=asked.read.canonical,
            cells=[cell.to_dict() for cell in asked.cells],
            metric=asked.metric,
            tuning=sweep,
            created_by_id=user.pk if user else None,
        )


def _base(found: Read | None, faults: Faults) -> Specification | None:
    """Check what all networks share, with the smallest one, so that its messages join the others."""
    if found is None:
        return None
    smallest = Cell("", 1, found.levels["activation"][0], 0.0, (1,), 0, 0, None)
    try:
        return planned(found, smallest, "seeds", [0.01])
    except SubmissionError as error:
        for field, messages in error.errors.items():
            for message in messages:
                faults.note(field, message)
        return None


def _check_runs(found: Read, faults: Faults) -> None:
    """Count before planning, so that a question of a million runs costs nothing."""
    cells = len(found.levels["depth"]) * len(found.levels["activation"]) * len(found.levels["dropout"])
    most = Limits(settings.MAX_RUNS_PER_SWEEP, 0).runs
    for field, rates in (("tuning_seeds", len(found.learning_rates)), ("seeds", 1)):
        seeds = len(getattr(found, field))
        if cells * rates * seeds > most:
            factors = f"{cells} networks x {rates} learning rates x {seeds} seeds"
            faults.note(
                field, f"{field}: expected at most {most:,} runs, got {cells * rates * seeds:,} ({factors})"
            )


def _cells(found: Read, base: Specification, faults: Faults) -> list[Cell]:
    if faults.found:
        return []
    config: TrainingConfig = base.runs[0].training
    return build_cells(found.levels, Budget(*found.budget), config, base.shape, faults)
