"""Operations on sweeps."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from django.http import HttpRequest
from django.shortcuts import get_object_or_404
from ninja import Body, Router, Schema, Status

from runs import submission
from runs.api.access import require
from runs.api.schemas import ErrorsOut, RungOut, SearchOut, SweepIn, SweepOut
from runs.estimating.estimate import Estimate, estimate
from runs.models import Sweep
from runs.preflight import Finding, forecast
from runs.searching.summary import SearchSummary, summarise
from runs.submitted.specification import SubmissionError

router = Router()

_BODY = {"requestBody": {"content": {"application/json": {"schema": SweepIn.model_json_schema()}}}}


class AdviceOut(Schema):
    """What may help, best first; ``ops`` are the changes of the configuration."""

    code: str
    title: str
    reason: str
    ops: list[dict[str, Any]]


class FindingOut(Schema):
    """What a check finds before step 1, in the words of the first of the networks concerned."""

    check: str
    severity: str
    title: str
    cause: str
    advice: list[AdviceOut]
    networks: list[str]
    configurations: int


class SpanOut(Schema):
    """Seconds, and between which bounds they probably are."""

    seconds: float
    low: float
    high: float


class CostOut(Schema):
    """What a submission would cost.

    ``work`` is that of one process of a worker, ``wall`` the time until its last run ends once the first has
    begun, ``ahead`` the seconds that the queue takes before; each is null where it cannot be told, and
    ``problem`` says why. ``source`` says what it was learned from.
    """

    work: SpanOut | None
    wall: SpanOut | None
    ahead: float | None
    processes: int
    waiting: int
    steps: int
    memory_bytes: int
    points: int
    stored_bytes: int
    source: str
    problem: str


class ForecastOut(Schema):
    """What a submission would be: its runs, what checks find of its configurations, and what it costs.

    ``judged`` of the ``networks`` were looked at; ``problem`` says why none was.
    """

    runs: int
    configurations: int
    networks: int
    judged: int
    findings: list[FindingOut]
    problem: str
    cost: CostOut


@router.post(
    "/sweeps/check",
    response={200: ForecastOut, 422: ErrorsOut},
    summary="Check a run or a sweep without submitting it",
    openapi_extra=_BODY,
)
def check_sweep(request: HttpRequest, payload: Body[dict[str, Any]]) -> Status[Any]:
    """Check a submission as ``POST /sweeps`` does; tell what health checks find, and what it would cost.

    Networks of which nothing is known yet are trained for a moment: it takes two seconds at most.
    """
    require(request, "runs.submit_sweep")
    try:
        spec = submission.parse(payload)
    except SubmissionError as error:
        return Status(422, {"errors": error.errors})
    found = forecast(spec)
    return Status(
        200,
        {
            "runs": spec.all_runs,
            "configurations": found.configurations,
            "networks": found.networks,
            "judged": found.judged,
            "findings": [_finding(finding) for finding in found.findings],
            "problem": found.problem,
            "cost": _cost(estimate(spec)),
        },
    )


@router.post(
    "/sweeps",
    response={201: SweepOut, 422: ErrorsOut},
    summary="Submit a run or a sweep",
    openapi_extra=_BODY,
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


def _cost(found: Estimate) -> dict[str, Any]:
    spans = {name: span and span._asdict() for name, span in (("work", found.work), ("wall", found.wall))}
    return {name: getattr(found, name) for name in CostOut.model_fields} | spans


def _finding(finding: Finding) -> dict[str, Any]:
    values = {name: getattr(finding, name) for name in FindingOut.model_fields if name != "advice"}
    return {**values, "advice": [asdict(advice) for advice in finding.advice]}


def _sweep(sweep: Sweep) -> dict[str, Any]:
    runs = list(sweep.runs.kept().order_by("pk").values_list("pk", flat=True))
    found = summarise(sweep)
    search = None if found is None else _search(found)
    return {"id": sweep.pk, "project": sweep.project.slug, "name": sweep.name, "runs": runs, "search": search}


def _search(found: SearchSummary) -> dict[str, Any]:
    values = {name: getattr(found, name) for name in SearchOut.model_fields if name not in {"best", "rungs"}}
    best, rungs = (
        found.best,
        [{name: getattr(rung, name) for name in RungOut.model_fields} for rung in found.rungs],
    )
    trial = (
        None
        if best is None
        else {
            "number": best.trial.number,
            "point": best.trial.point,
            "state": best.state.value,
            "value": best.value,
            "steps": best.steps,
            "runs": list(best.runs),
        }
    )
    return {**values, "best": trial, "rungs": rungs}
