"""Operations on the queue: who waits where, and the order itself."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from django.http import HttpRequest
from django.shortcuts import get_object_or_404
from ninja import Query, Router, Schema
from ninja.errors import HttpError
from pydantic import Field

from runs import lifecycle
from runs.api import controls, sweeps
from runs.api.access import require
from runs.api.answers import found, run_answer
from runs.api.schemas import Key, RunOut
from runs.estimating.starts import Expected, expected_starts
from runs.models import Run, Status, Sweep
from runs.models.runs import MAX_PRIORITY, RunQuerySet
from runs.reading.queue import Training, training
from runs.reading.waiting import Choice, Line, Mark, paused, waiting
from runs.steering import ACTIONS, STEER, move

MAX_RUNS = 1000
Priority = Annotated[int, Field(ge=-MAX_PRIORITY, le=MAX_PRIORITY)]

router = Router()


class TrainingOut(Schema):
    """Runs of one sweep that a process trains together; ``seconds_left`` is null until it can be told."""

    runs: list[int]
    sweep: int
    project: str
    worker: str
    progress: float
    began_at: datetime | None
    seconds_left: float | None


class WaitingOut(Schema):
    """A run in the queue; ``position`` counts from 1 among those that wait for the same workers.

    ``starts_in`` and ``ends_in`` are seconds from now, about; null where that cannot be told.
    """

    id: int
    name: str
    sweep: int
    project: str
    submitted_by: str
    status: str
    queue: str
    priority: int
    position: int
    queued_at: datetime
    starts_in: float | None
    ends_in: float | None


class QueueOut(Schema):
    """The queue; ``why_waiting`` says why nothing of it will start, ``next`` is for ``after``."""

    training: list[TrainingOut]
    waiting: list[WaitingOut]
    waiting_count: int
    next: str | None
    paused: list[WaitingOut]
    paused_count: int
    why_waiting: str


class OrderIn(Schema):
    """Where runs shall stand; what is left out stays as it is.

    ``place`` is ``first``, ``last`` among those of their priority, or the number of a run to be put before.
    """

    priority: Priority | None = None
    place: str | int | None = None


class ChangedOut(Schema):
    """To how many runs something was done."""

    changed: int


class QueueIn(Schema):
    """Which runs to tell of; an empty text stands for all."""

    project: str = ""
    user: str = ""
    queue: str = ""
    after: str = ""
    limit: Annotated[int, Field(ge=1, le=MAX_RUNS)] = 200


@router.get("/queue", response=QueueOut, summary="What trains and what waits, in its order")
def read_queue(request: HttpRequest, asked: Query[QueueIn]) -> dict[str, Any]:
    """Give what workers have at hand, the first of the waiting runs, and the first of the paused ones."""
    choice = Choice.parse({"project": asked.project, "user": asked.user, "queue": asked.queue})
    if asked.queue != choice.queue:
        raise HttpError(422, f"queue: expected cpu or gpu, got {asked.queue[:40]!r}")
    mark = Mark.parse(asked.after)
    if asked.after and mark is None:
        raise HttpError(422, f"after: expected what next said, got {asked.after[:40]!r}")
    return queue_answer(choice, asked.limit, mark)


def queue_answer(choice: Choice, most: int, after: Mark | None = None) -> dict[str, Any]:
    """Describe the queue as ``QueueOut`` does, with at most so many runs of each part."""
    page = waiting(choice, size=most, after=after, each=True)
    held = paused(choice, size=most, each=True)
    expected = expected_starts([line.run.pk for line in page.lines]) if page.lines else {}
    return {
        "training": [_training(group) for group in training(choice)],
        "waiting": [_waiting(line, expected.get(line.run.pk)) for line in page.lines],
        "waiting_count": page.count,
        "next": page.next.text if page.next else None,
        "paused": [_waiting(line) for line in held.lines],
        "paused_count": held.count,
        "why_waiting": " ".join(dict.fromkeys(one.reason for one in expected.values() if one.reason)),
    }


# An address belongs to one router: another one's would answer 405 to the methods of this one.
@controls.router.patch("/runs/{run_id}", response=RunOut, summary="Change a waiting run's priority and place")
def order_run(request: HttpRequest, run_id: Key, order: OrderIn) -> dict[str, Any]:
    """Move a run in the queue; one that does not wait is refused."""
    require(request, STEER)
    run = found(run_id)
    if run.is_over or (order.place is not None and run.status != Status.QUEUED):
        raise HttpError(409, f"run {run_id} is {run.status}: it does not wait, so it has no place to change")
    _put(Run.objects.filter(pk=run_id), order)
    return run_answer(found(run_id))


@sweeps.router.patch("/sweeps/{sweep_id}", response=ChangedOut, summary="Change where a sweep's runs wait")
def order_sweep(request: HttpRequest, sweep_id: Key, order: OrderIn) -> dict[str, int]:
    """Move all runs of a sweep that wait."""
    require(request, STEER)
    return {"changed": _put(_of_sweep(sweep_id), order)}


@router.post("/sweeps/{sweep_id}/stop", response=ChangedOut, summary="Stop a sweep")
def stop_sweep(request: HttpRequest, sweep_id: Key) -> dict[str, int]:
    """Ask every run of a sweep to stop that is not over."""
    return _steer_sweep(request, sweep_id, "stop")


@router.post("/sweeps/{sweep_id}/pause", response=ChangedOut, summary="Pause a sweep")
def pause_sweep(request: HttpRequest, sweep_id: Key) -> dict[str, int]:
    """Hold every run of a sweep: waiting ones at once, running ones once their workers have saved them."""
    return _steer_sweep(request, sweep_id, "pause")


@router.post("/sweeps/{sweep_id}/unpause", response=ChangedOut, summary="Unpause a sweep")
def unpause_sweep(request: HttpRequest, sweep_id: Key) -> dict[str, int]:
    """Let every paused run of a sweep go on, from its old place in the queue."""
    return _steer_sweep(request, sweep_id, "resume")


@router.post("/sweeps/{sweep_id}/retry", response=ChangedOut, summary="Retry a sweep's failed runs")
def retry_sweep(request: HttpRequest, sweep_id: Key) -> dict[str, int]:
    """Put every failed and stopped run of a sweep back into the queue, at its end."""
    return _steer_sweep(request, sweep_id, "retry")


def _steer_sweep(request: HttpRequest, sweep_id: int, word: str) -> dict[str, int]:
    action = ACTIONS[word]
    require(request, action.right)
    return {"changed": action.act(_of_sweep(sweep_id))}


def _of_sweep(sweep_id: int) -> RunQuerySet:
    return Run.objects.kept().filter(sweep=get_object_or_404(Sweep, pk=sweep_id))


def _put(runs: RunQuerySet, order: OrderIn) -> int:
    """Set priority and place, in this order, for a move takes the priority of where it goes."""
    if order.priority is None and order.place is None:
        raise HttpError(422, "expected a priority, a place or both, got neither")
    changed = 0 if order.priority is None else lifecycle.prioritise(runs, order.priority)
    if order.place is None:
        return changed
    try:
        return max(changed, move(runs, str(order.place)))
    except ValueError as error:
        raise HttpError(422, f"place: {error}") from error


def _training(group: Training) -> dict[str, Any]:
    return {
        "runs": [run.pk for run in group.runs],
        "sweep": group.run.sweep_id,
        "project": group.run.project.slug,
        "worker": group.run.worker,
        "progress": group.progress,
        "began_at": group.began,
        "seconds_left": None if group.left is None else group.left.total_seconds(),
    }


def _waiting(line: Line, expected: Expected | None = None) -> dict[str, Any]:
    run = line.run
    return {
        **{name: getattr(run, name) for name in ("name", "status", "queue", "priority", "queued_at")},
        "id": run.pk,
        "sweep": run.sweep_id,
        "project": run.project.slug,
        "submitted_by": run.sweep.created_by.get_username() if run.sweep.created_by else "",
        "position": line.position,
        "starts_in": expected.starts_in if expected else None,
        "ends_in": expected.ends_in if expected else None,
    }
