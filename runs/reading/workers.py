"""Who trains: every worker as it stands, what it has at hand, and why a run may wait for ever."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from django.db.models import Count, F, Window
from django.db.models.functions import Now, RowNumber

from runs import workers
from runs.models import Attempt, Release, Run, Worker
from runs.models.workers import WorkerQuerySet

SHOWN = 200  # workers that are there
SHOWN_ENDED = 20
SHOWN_RUNS = 4  # of each worker


class State(StrEnum):
    """How a worker stands. ``IDLE``: it lives, but its code does not fit this installation."""

    WELL = "well"
    IDLE = "other code"
    SILENT = "silent"
    STOPPED = "stopped"
    GONE = "gone"


@dataclass(frozen=True)
class Standing:
    """A worker as it stands.

    Args:
        why_idle: why it takes no runs, though it lives; else empty.
        runs: the first of those that it trains.
        run_count: how many it trains.
    """

    worker: Worker
    state: State
    why_idle: str
    runs: Sequence[Run]
    run_count: int

    @property
    def is_present(self) -> bool:
        """Whether it was neither stopped nor taken for gone."""
        return self.state not in {State.STOPPED, State.GONE}


@dataclass(frozen=True)
class Muster:
    """All workers: those that are there by name, then the last of those that were.

    Args:
        present_count: how many are there, though not all may be listed.
    """

    standings: Sequence[Standing]
    present_count: int
    release: Release | None

    @property
    def present(self) -> Sequence[Standing]:
        """Those that are there."""
        return [standing for standing in self.standings if standing.is_present]

    @property
    def ended(self) -> Sequence[Standing]:
        """Those that were there within the last day."""
        return [standing for standing in self.standings if not standing.is_present]

    @property
    def processes(self) -> int:
        """How many runs, or populations, the listed workers can train at once."""
        return sum(standing.worker.concurrency for standing in self.present if standing.state == State.WELL)


def muster() -> Muster:
    """Return every worker as it stands, in five queries."""
    release = workers.newest_release()
    present = Worker.objects.present()
    rows = [*_rows(present, "host", "pid", "pk")[:SHOWN], *_rows(_ended(), "-ended_at")[:SHOWN_ENDED]]
    held = _held(row.pk for row in rows if row.ended_at is None)
    return Muster([_standing(row, release, held[row.pk]) for row in rows], present.count(), release)


def why_waiting() -> str:
    """Say why no queued run will start, in words for its owner; empty where a worker may take it."""
    release, found = workers.newest_release(), list(workers.heard())
    if not found:
        return "No worker is running, so nothing can start."
    reasons = [workers.misfit(worker.versions, release) for worker in found]
    if all(reasons):
        return f"No worker may take it: {found[0]} is of other code ({reasons[0]})."
    return ""


def _ended() -> WorkerQuerySet:
    return Worker.objects.filter(ended_at__gt=Now() - workers.KEPT)


def _rows(found: WorkerQuerySet, *order: str) -> WorkerQuerySet:
    return found.with_silence().order_by(*order)


def _held(keys: Iterable[int]) -> dict[int, list[Attempt]]:
    """Return the first attempts under way of each worker, each with the ``count`` of all of them."""
    own = F("worker")
    under_way = (
        Attempt.objects.filter(worker__in=list(keys), ended_at=None)
        .annotate(place=Window(RowNumber(), own, "run_id"), count=Window(Count("pk"), own))
        .filter(place__lte=SHOWN_RUNS)
        .select_related("run")
        .only("worker", "run__name", "number")
        .order_by("run_id")
    )
    held: dict[int, list[Attempt]] = defaultdict(list)
    for attempt in under_way:
        if attempt.worker_id is not None:
            held[attempt.worker_id].append(attempt)
    return held


def _standing(worker: Worker, release: Release | None, held: Sequence[Attempt]) -> Standing:
    why_idle = "" if worker.ended_at else workers.misfit(worker.versions, release)
    runs = [attempt.run for attempt in held]
    return Standing(
        worker, state_of(worker, why_idle), why_idle, runs, getattr(held[0], "count", 0) if held else 0
    )


def state_of(worker: Worker, why_idle: str) -> State:
    """Tell how a worker stands. It needs its silence.

    Args:
        why_idle: why its code does not fit this installation; empty where it does.
    """
    if worker.ending:
        return State(worker.ending)
    if timedelta(seconds=worker.silence) > workers.SILENT_AFTER:
        return State.SILENT
    return State.IDLE if why_idle else State.WELL
