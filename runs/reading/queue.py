"""The queue as it stands: what trains, what waits in which order, what is paused, and what ended last."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby

from django.utils import timezone

from runs.models import Attempt, Run, Source, Status
from runs.reading.waiting import WIDE, Choice, Lines, Mark, paused, waiting

SHOWN_RUNNING = 500  # runs; those that train together make one line
SHOWN_PAUSED = 20  # lines
SHOWN_ENDED = 10
LEAST_PROGRESS = 0.02  # of a run whose end can be told


@dataclass(frozen=True)
class Training:
    """Runs of one sweep that one process trains together.

    Args:
        progress: share of their steps that were run, 0 to 1.
        began: when the first of them did.
        left: how long they will yet take at their speed; None where that cannot be told yet.
    """

    runs: Sequence[Run]
    progress: float
    began: datetime | None
    left: timedelta | None

    @property
    def run(self) -> Run:
        """The first of them."""
        return self.runs[0]

    @property
    def count(self) -> int:
        """How many they are."""
        return len(self.runs)

    @property
    def value(self) -> str:
        """The runs as a form names them."""
        return ",".join(str(run.pk) for run in self.runs)


@dataclass(frozen=True)
class Standing:
    """What the page of the queue shows."""

    training: Sequence[Training]
    waiting: Lines
    paused: Lines
    ended: Sequence[Run]

    @property
    def running_count(self) -> int:
        """How many runs train."""
        return sum(group.count for group in self.training)

    @property
    def is_empty(self) -> bool:
        """Whether nothing trains, waits or is paused."""
        return not (self.training or self.waiting.count or self.paused.count)


def standing(choice: Choice, *, after: Mark | None = None, before: Mark | None = None) -> Standing:
    """Return the queue as it stands, with one page of those that wait."""
    return Standing(
        training(choice),
        waiting(choice, after=after, before=before),
        paused(choice, size=SHOWN_PAUSED),
        _ended(choice),
    )


def training(choice: Choice) -> list[Training]:
    """Return what workers have at hand, and what they lost; those that began first come first."""
    held = Run.objects.kept().filter(source=Source.ENGINE, status__in=[Status.RUNNING, Status.LOST])
    rows = choice.of(held).defer(*WIDE).select_related("project", "sweep__created_by")
    found = list(rows.order_by("sweep", "worker", "pk")[:SHOWN_RUNNING])
    began_after = _began_after(found)
    together = [list(runs) for _, runs in groupby(found, lambda run: (run.sweep_id, run.worker, run.status))]
    return sorted((_together(runs, began_after) for runs in together), key=lambda one: str(one.began))


def _together(runs: Sequence[Run], began_after: Mapping[int, int]) -> Training:
    requested = sum(run.steps_requested or 0 for run in runs)
    done = sum(min(run.steps_run, run.steps_requested or 0) for run in runs)
    own = sum(max(0, run.steps_run - began_after.get(run.pk, 0)) for run in runs)  # of this attempt
    began = min((run.started_at for run in runs if run.started_at), default=None)
    left = None
    if began and own > LEAST_PROGRESS * requested:
        left = (timezone.now() - began) * ((requested - done) / own)
    return Training(runs, done / requested if requested else 0.0, began, left)


def _began_after(runs: Sequence[Run]) -> dict[int, int]:
    """Return the steps that runs had before the attempts under way."""
    under_way = Attempt.objects.filter(run__in=runs, ended_at=None, began_after__gt=0)
    return dict(under_way.order_by().values_list("run", "began_after"))


def _ended(choice: Choice) -> list[Run]:
    """Return the runs that ended last."""
    over = choice.of(Run.objects.kept().filter(source=Source.ENGINE, ended_at__isnull=False))
    rows = over.defer(*WIDE).select_related("project", "sweep__created_by")
    return list(rows.order_by("-ended_at", "-pk")[:SHOWN_ENDED])
