"""Operations on sweeps."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from django.shortcuts import get_object_or_404
from ninja import Body, Router, Status

from runs import submission
from runs.api.access import require
from runs.api.schemas import ErrorsOut, SweepIn, SweepOut
from runs.models import Sweep
from runs.specification import SubmissionError

router = Router()


@router.post(
    "/sweeps",
    response={201: SweepOut, 422: ErrorsOut},
    summary="Submit a run or a sweep",
    openapi_extra={"requestBody": {"content": {"application/json": {"schema": SweepIn.model_json_schema()}}}},
)
def submit_sweep(request: HttpRequest, payload: Body[dict[str, Any]]) -> Status[Any]:
    """Check a submission and queue its runs; nothing is queued where anything is wrong."""
    user = require(request, "runs.submit_sweep")
    try:
        sweep = submission.submit(submission.parse(payload), user)
    except SubmissionError as error:
        return Status(422, {"errors": error.errors})
    return Status(201, _sweep(sweep))


@router.get("/sweeps/{sweep_id}", response=SweepOut, summary="One sweep")
def read_sweep(request: HttpRequest, sweep_id: int) -> dict[str, Any]:
    """Give a sweep and the ids of its runs."""
    return _sweep(get_object_or_404(Sweep.objects.select_related("project"), pk=sweep_id))


def _sweep(sweep: Sweep) -> dict[str, Any]:
    runs = list(sweep.runs.kept().order_by("pk").values_list("pk", flat=True))
    return {"id": sweep.pk, "project": sweep.project.slug, "name": sweep.name, "runs": runs}
