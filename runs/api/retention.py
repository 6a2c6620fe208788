"""Operations that delete: into the trash, out of it again, or for good."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.http import HttpRequest
from django.shortcuts import get_object_or_404
from ninja import Router, Schema, Status
from ninja.errors import HttpError

from runs import retention
from runs.api.answers import found, run_answer
from runs.api.schemas import Key, RunOut, Word
from runs.models import Run, Sweep
from runs.models.runs import RunQuerySet
from runs.reading.trash import trash

MAX_RUNS = 200
PURGE_SECONDS = 2.0  # that a request waits; the scheduler does the rest

router = Router()


class DeletedRunOut(Schema):
    """A run in the trash; ``size`` is what its points take, in bytes."""

    id: int
    name: str
    project: str
    deleted_at: datetime
    being_purged: bool
    size: int


class DeletedOut(Schema):
    """How many runs went to the trash, and how many were left because they wait or train."""

    deleted: int
    left: int


class FreedOut(Schema):
    """What was freed; the runs that are left are purged without further ado."""

    runs: int
    bytes: int
    left: int


@router.post("/runs/{run_id}/delete", response={204: None}, summary="Delete a run")
def delete_run(request: HttpRequest, run_id: int, stop: bool = False) -> Status[None]:
    """Move a run to the trash. One that waits or trains is refused, unless ``stop`` says to stop it first."""
    run = found(run_id)
    if stop and not request.user.has_perm("runs.stop_run"):
        raise HttpError(403, "this needs the permission runs.stop_run; an administrator can grant it")
    if retention.discard(_in_reach(request, run.pk), stop=stop).left:
        raise HttpError(409, f"run {run_id} waits or trains; stop it first, or add ?stop=true")
    return Status(204, None)


@router.post("/runs/{run_id}/restore", response=RunOut, summary="Restore a run")
def restore_run(request: HttpRequest, run_id: int) -> dict[str, Any]:
    """Take a run out of the trash, with all its points."""
    if not retention.restore(_in_reach(request, _deleted(run_id).pk)):
        raise HttpError(409, f"run {run_id} is being purged; it cannot be restored any more")
    return run_answer(found(run_id))


@router.post("/runs/{run_id}/purge", response=FreedOut, summary="Purge a run")
def purge_run(request: HttpRequest, run_id: int) -> dict[str, int]:
    """Remove a run of the trash for good."""
    run = _deleted(run_id)
    if not retention.begin_purge(_in_reach(request, run.pk)) and run.purge_began_at is None:
        raise HttpError(409, f"run {run_id} is still being stopped; purge it in a moment")
    freed = retention.purge(PURGE_SECONDS)
    return {"runs": freed.runs, "bytes": freed.bytes, "left": retention.left_to_purge()}


@router.post("/sweeps/{sweep_id}/delete", response=DeletedOut, summary="Delete a sweep's runs")
def delete_sweep(request: HttpRequest, sweep_id: int) -> dict[str, int]:
    """Move the runs of a sweep to the trash, those that wait or train excepted."""
    sweep = get_object_or_404(Sweep, pk=sweep_id)
    runs = Run.objects.kept().filter(retention.in_reach_of(request.user), sweep=sweep)
    if not runs.exists():
        raise _refusal()
    discarded = retention.discard(runs)
    return {"deleted": discarded.moved, "left": discarded.left}


@router.get("/trash", response=list[DeletedRunOut], summary="Deleted runs, newest first")
def list_trash(request: HttpRequest, project: Word = "", before: Key | None = None) -> list[dict[str, Any]]:
    """Give at most 200 runs of the trash; ``before`` is the smallest id of the page before."""
    runs = trash(project).order_by("-pk")
    page = (runs.filter(pk__lt=before) if before else runs)[:MAX_RUNS]
    return [
        {
            "id": run.pk,
            "name": run.name,
            "project": run.project.slug,
            "deleted_at": run.deleted_at,
            "being_purged": run.purge_began_at is not None,
            "size": run.size,
        }
        for run in page
    ]


def _deleted(run_id: int) -> Run:
    run = Run.objects.in_trash().filter(pk=run_id).first()
    if run is None:
        raise HttpError(404, f"there is no run {run_id} in the trash")
    return run


def _in_reach(request: HttpRequest, run_id: int) -> RunQuerySet:
    runs = Run.objects.filter(retention.in_reach_of(request.user), pk=run_id)
    if not runs.exists():
        raise _refusal()
    return runs


def _refusal() -> HttpError:
    return HttpError(
        403,
        "you can delete, restore and purge the runs that you submitted; for other people's this needs the"
        f" permission {retention.DELETE}; an administrator can grant it",
    )
