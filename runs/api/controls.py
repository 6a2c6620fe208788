"""Operations on one run: what it is, what was found in it; stop, pause, unpause, retry, run again."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from ninja import Router, Status
from ninja.errors import HttpError

from runs import lifecycle, submission
from runs.api.access import require
from runs.api.alerts import alert_answer
from runs.api.answers import found, run_answer
from runs.api.schemas import AlertOut, ErrorsOut, Key, RunOut
from runs.models import Run
from runs.steering import ACTIONS, STEER
from runs.submitted.specification import SubmissionError

router = Router()


@router.get("/runs/{run_id}", response=RunOut, summary="One run")
def read_run(request: HttpRequest, run_id: int) -> dict[str, Any]:
    """Give one run."""
    return run_answer(found(run_id))


@router.get("/runs/{run_id}/alerts", response=list[AlertOut], summary="A run's alerts")
def read_alerts(request: HttpRequest, run_id: int) -> list[dict[str, Any]]:
    """Give what the health checks found."""
    return [alert_answer(alert) for alert in found(run_id).alerts.select_related("run__project")]


@router.post("/runs/{run_id}/stop", response=RunOut, summary="Stop a run")
def stop_run(request: HttpRequest, run_id: int) -> dict[str, Any]:
    """Ask a run to stop; one that is over stays as it is."""
    require(request, STEER)
    lifecycle.cancel(found(run_id).pk)
    return run_answer(found(run_id))


@router.post("/runs/{run_id}/pause", response=RunOut, summary="Pause a run")
def pause_run(request: HttpRequest, run_id: Key) -> dict[str, Any]:
    """Hold a run: a waiting one at once, a running one once its worker has saved how far it is."""
    return _steered(request, run_id, "pause")


@router.post("/runs/{run_id}/unpause", response=RunOut, summary="Unpause a run")
def unpause_run(request: HttpRequest, run_id: Key) -> dict[str, Any]:
    """Let a paused run go on, from its old place in the queue."""
    return _steered(request, run_id, "resume")


@router.post("/runs/{run_id}/retry", response=RunOut, summary="Retry a run")
def retry_run(request: HttpRequest, run_id: Key) -> dict[str, Any]:
    """Put a failed or stopped run back into the queue, at its end."""
    return _steered(request, run_id, "retry")


@router.post("/runs/{run_id}/clone", response={201: RunOut, 422: ErrorsOut}, summary="Run again")
def clone_run(request: HttpRequest, run_id: int) -> Status[Any]:
    """Queue the same configuration once more."""
    user = require(request, "runs.submit_sweep")
    try:
        return Status(201, run_answer(submission.clone(found(run_id), user)))
    except SubmissionError as error:
        return Status(422, {"errors": error.errors})


def _steered(request: HttpRequest, run_id: int, word: str) -> dict[str, Any]:
    """Do with a run what a word says; where that cannot be, 409 says why."""
    action = ACTIONS[word]
    require(request, action.right)
    if not action.act(Run.objects.filter(pk=found(run_id).pk)):
        raise HttpError(409, action.told(0))
    return run_answer(found(run_id))
