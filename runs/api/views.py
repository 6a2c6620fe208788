"""The API's operations: each reads the request, calls one function, and answers plain data."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from django.http import HttpRequest
from django.shortcuts import get_object_or_404
from ninja import Body, NinjaAPI, Schema, Status
from ninja.errors import HttpError
from pydantic import Field

from nnlab.health.events import json_value
from runs import lifecycle, submission
from runs.api.access import AUTH, require
from runs.models import Alert, Run, Sweep
from runs.reading.series import Points
from runs.reading.series import read_series as read_points
from runs.specification import SubmissionError

api = NinjaAPI(title="nnlab", version="1", auth=AUTH, docs_url=None, urls_namespace="api")

MAX_RUNS = 200

# What a database can compare: a big integer, and text without NUL.
Key = Annotated[int, Field(ge=1, le=2**63 - 1)]
Word = Annotated[str, Field(pattern=r"^[^\x00]*$")]


class SweepIn(Schema):
    """A submission, as in a sweep file; see the README for its keys.

    For the API's document only: a body is checked whole, so that a misspelt key is refused, not dropped.
    """

    project: Any = None
    name: Any = None
    data: Any = {}
    training: Any = {}
    grid: Any = {}
    seeds: Any = 1


class SweepOut(Schema):
    """A stored sweep."""

    id: int
    project: str
    name: str
    runs: list[int]


class ErrorsOut(Schema):
    """What is wrong with a submission, by field."""

    errors: dict[str, list[str]]


class RunOut(Schema):
    """A run and where it stands."""

    id: int
    name: str
    project: str
    sweep: int
    status: str
    stop_reason: str
    error: str
    attempt: int
    tier: str
    isa: str
    probe_share: float | None
    steps_run: int
    steps_requested: int
    headline: str
    score: float | None
    summary: dict[str, Any]
    config: dict[str, Any]
    started_at: datetime | None
    ended_at: datetime | None


class SeriesOut(Schema):
    """Points of one series; values that are not finite are spelled as text."""

    metric: str
    layer: int | None
    steps: list[int]
    values: list[float | str]


class AlertOut(Schema):
    """An alert of a run."""

    check: str
    state: str
    severity: str
    first_step: int
    layers: list[str]
    title: str
    cause: str
    advice: list[dict[str, Any]]


@api.post(
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


@api.get("/sweeps/{sweep_id}", response=SweepOut, summary="One sweep")
def read_sweep(request: HttpRequest, sweep_id: int) -> dict[str, Any]:
    """Give a sweep and the ids of its runs."""
    return _sweep(get_object_or_404(Sweep.objects.select_related("project"), pk=sweep_id))


@api.get("/runs", response=list[RunOut], summary="Runs, newest first")
def list_runs(
    request: HttpRequest,
    project: Word = "",
    status: Word = "",
    sweep: Key | None = None,
    before: Key | None = None,
) -> list[dict[str, Any]]:
    """Give at most 200 runs; ``before`` is the smallest id of the page before."""
    runs = Run.objects.select_related("project").order_by("-pk")
    wanted = {"project__slug": project, "status": status, "sweep_id": sweep, "pk__lt": before}
    given = {key: value for key, value in wanted.items() if value not in {"", None}}
    return [_run(run) for run in runs.filter(**given)[:MAX_RUNS]]


@api.get("/runs/{run_id}", response=RunOut, summary="One run")
def read_run(request: HttpRequest, run_id: int) -> dict[str, Any]:
    """Give one run."""
    return _run(_found(run_id))


@api.get("/runs/{run_id}/series", response=list[SeriesOut], summary="A run's points")
def read_series(request: HttpRequest, run_id: int, metric: Word, after: int = -1) -> list[dict[str, Any]]:
    """Give every point of a metric, or those after a step; a metric of layers has one series for each.

    Step 0 is what was measured before the first update.
    """
    return [_series(points, after) for points in read_points([_found(run_id).pk], [metric])]


@api.get("/runs/{run_id}/alerts", response=list[AlertOut], summary="A run's alerts")
def read_alerts(request: HttpRequest, run_id: int) -> list[dict[str, Any]]:
    """Give what the health checks found."""
    return [_alert(alert) for alert in _found(run_id).alerts.all()]


@api.post("/runs/{run_id}/stop", response=RunOut, summary="Stop a run")
def stop_run(request: HttpRequest, run_id: int) -> dict[str, Any]:
    """Ask a run to stop; one that is over stays as it is."""
    require(request, "runs.stop_run")
    lifecycle.cancel(_found(run_id).pk)
    return _run(_found(run_id))


@api.post("/runs/{run_id}/clone", response={201: RunOut, 422: ErrorsOut}, summary="Run again")
def clone_run(request: HttpRequest, run_id: int) -> Status[Any]:
    """Queue the same configuration once more."""
    user = require(request, "runs.submit_sweep")
    try:
        return Status(201, _run(submission.clone(_found(run_id), user)))
    except SubmissionError as error:
        return Status(422, {"errors": error.errors})


def _found(run_id: int) -> Run:
    run = Run.objects.select_related("project").filter(pk=run_id).first()
    if run is None:
        raise HttpError(404, f"there is no run {run_id}")
    return run


def _sweep(sweep: Sweep) -> dict[str, Any]:
    runs = list(sweep.runs.order_by("pk").values_list("pk", flat=True))
    return {"id": sweep.pk, "project": sweep.project.slug, "name": sweep.name, "runs": runs}


def _run(run: Run) -> dict[str, Any]:
    fields = [name for name in RunOut.model_fields if name not in {"project", "sweep"}]
    return {
        **{name: getattr(run, name) for name in fields},
        "project": run.project.slug,
        "sweep": run.sweep_id,
    }


def _series(points: Points, after: int) -> dict[str, Any]:
    later = points.steps > after
    return {
        "metric": points.metric,
        "layer": points.layer,
        "steps": points.steps[later].tolist(),
        "values": json_value(points.values[later].tolist()),
    }


def _alert(alert: Alert) -> dict[str, Any]:
    own = ("state", "severity", "first_step", "title", "cause", "advice")
    values = {name: getattr(alert, name) for name in own}
    return {**values, "check": alert.check_id, "layers": alert.layer_names}
