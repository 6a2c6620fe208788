"""Operations that list runs."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Annotated, Any

import orjson
from django.db.models import F, TextField
from django.db.models.functions import Cast
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from ninja import Router, Schema
from ninja.errors import HttpError
from pydantic import Field

from runs.api.access import require
from runs.api.answers import found as run_of
from runs.api.answers import run_answer
from runs.api.schemas import Key, RunOut, Word
from runs.models import Project, Run
from runs.reading.grouping import RunGroup, groups_of
from runs.reading.ordering import Cursor
from runs.reading.table import DEFAULT_SORT, TableQuery, parse_table_query, plan_of
from runs.reading.table_rows import TAG_NAMES, tags_in
from runs.steering import SUBMIT
from runs.store import marks

MAX_RUNS = 1000
_JSON = ("config", "summary")
_OWN = ("project", "limit", "before", "group")  # parameters that are not of the table's language
_FIELDS = [name for name in RunOut.model_fields if name not in {*_JSON, "project", "sweep", "tags"}]
_OPTIONS = orjson.OPT_UTC_Z

router = Router()


class RunsOut(Schema):
    """Runs in the order asked for; ``next`` is what ``after`` takes for those that follow."""

    runs: list[RunOut]
    next: str | None


class GroupOut(Schema):
    """Runs that share a value; ``low`` and ``high`` end the 95 % t interval, null for one seed."""

    value: str | float | int | None
    runs: list[int]
    seeds: int
    mean: float | None
    low: float | None
    high: float | None
    best: int | None
    diverged: int
    without_result: int


class GroupsOut(Schema):
    """Groups of all runs that match, the best mean first; ``number`` counts those left out too."""

    metric: str
    runs: int
    number: int
    groups: list[GroupOut]


class TagsIn(Schema):
    """Tags to put on a run, and to take from it."""

    add: list[Word] = []
    remove: list[Word] = []


@router.get("/runs", response=RunsOut, summary="Runs, in any order and by any filter")
def list_runs(
    request: HttpRequest,
    project: Word = "",
    status: Word = "",
    sweep: Word = "",
    sort: Word = DEFAULT_SORT,
    after: Word = "",
    before: Key | None = None,
    limit: Annotated[int, Field(ge=1, le=MAX_RUNS)] = 200,
) -> HttpResponse:
    """Give runs with their configuration and summary, the newest first where ``sort`` says nothing else.

    Filters and orders are those of a project's runs table: ``metric.val_loss=..0.3``, ``tag=first,!old``,
    ``param.training.optimizer=adam,sgd``, ``status=!failed``, ``archived=1``,
    ``sort=-metric.val_accuracy.max``; metrics and parameters need a ``project``. ``before`` is the smallest
    id of the page before, in the usual order.
    """
    found = Project.objects.filter(slug=project).first() if project else None
    if project and found is None:
        return _answer([], None)
    query = _query(request, found)
    cursor = query.after
    if before is not None:
        if query.sort != DEFAULT_SORT:
            raise HttpError(422, f"before: expected sort={DEFAULT_SORT}, got {query.sort}; use after instead")
        cursor = Cursor(0, before, before)
    window = plan_of(found, query).window(limit, after=cursor)
    return _answer(window.runs, window.next)


@router.get("/groups", response=GroupsOut, summary="Runs in groups, with the mean over their seeds")
def list_groups(request: HttpRequest, project: Word, group: Word = "config") -> dict[str, Any]:
    """Group the runs of a project that pass the filters of its runs table, the best mean first.

    ``group`` is ``config``, which is the configuration without the seed, a column, or ``param.NAME``. Means
    are of what ``sort`` names, or else of what most of the runs are judged by.
    """
    query = _query(request, get_object_or_404(Project, slug=project), ignored=("project",))
    if not query.group:
        query = replace(query, group="config")
    found = groups_of(get_object_or_404(Project, slug=project), query)
    return {
        "metric": found.metric,
        "runs": found.runs,
        "number": found.number,
        "groups": [_group(one) for one in found.groups],
    }


@router.post("/runs/{run_id}/tags", response=RunOut, summary="Change a run's tags")
def change_tags(request: HttpRequest, run_id: Key, body: TagsIn) -> dict[str, Any]:
    """Put tags on a run and take others from it."""
    require(request, SUBMIT)
    runs = Run.objects.filter(pk=run_of(run_id).pk)
    try:
        added = marks.read_tags(",".join(body.add)) if body.add else []
        removed = marks.read_tags(",".join(body.remove)) if body.remove else []
    except marks.TagError as error:
        raise HttpError(422, str(error)) from error
    marks.untag(runs, removed)
    marks.tag(runs, added)
    return run_answer(run_of(run_id))


@router.post("/runs/{run_id}/archive", response=RunOut, summary="Archive a run")
def archive_run(request: HttpRequest, run_id: Key) -> dict[str, Any]:
    """Put a run away that is over: tables, charts and counts leave it out."""
    require(request, SUBMIT)
    if not run_of(run_id).is_over:
        raise HttpError(409, "expected a run that is over, got one that waits or trains; stop it first")
    marks.archive(Run.objects.filter(pk=run_id))
    return run_answer(run_of(run_id))


@router.post("/runs/{run_id}/unarchive", response=RunOut, summary="Bring a run back from the archive")
def unarchive_run(request: HttpRequest, run_id: Key) -> dict[str, Any]:
    """Show a run in tables, charts and counts again."""
    require(request, SUBMIT)
    marks.unarchive(Run.objects.filter(pk=run_of(run_id).pk))
    return run_answer(run_of(run_id))


def _group(group: RunGroup) -> dict[str, Any]:
    interval = group.interval
    return {
        "value": group.value,
        "runs": group.runs.tolist(),
        "seeds": interval.n if interval else 0,
        "mean": interval.mean if interval else None,
        "low": interval.low if interval else None,
        "high": interval.high if interval else None,
        "best": group.best[0] if group.best else None,
        "diverged": group.diverged,
        "without_result": group.without_result,
    }


def _query(request: HttpRequest, project: Project | None, *, ignored: Collection[str] = _OWN) -> TableQuery:
    """Read the table's language; what the page would warn of is an error here."""
    parameters = request.GET.copy()
    for name in ignored:
        parameters.pop(name, None)
    query = parse_table_query(project, parameters)
    if query.warnings:
        hint = "" if project else " Metrics and parameters need a project."
        raise HttpError(422, " ".join(query.warnings) + hint)
    return query


def _answer(numbers: Sequence[int], cursor: Cursor | None) -> HttpResponse:
    """Write runs as ``RunsOut``; the stored JSON goes out as it is, which is most of the answer."""
    texts = {f"{name}_text": Cast(name, TextField()) for name in _JSON}
    rows = Run.objects.filter(pk__in=numbers).values(
        *_FIELDS, "sweep_id", slug=F("project__slug"), tag_names=TAG_NAMES, **texts
    )
    found = {row["id"]: _run(row) for row in rows}
    answer = {
        "runs": [found[number] for number in numbers if number in found],
        "next": cursor.text if cursor else None,
    }
    return HttpResponse(orjson.dumps(answer, option=_OPTIONS), content_type="application/json")


def _run(row: dict[str, Any]) -> dict[str, Any]:
    told = {name: row[name] for name in _FIELDS}
    raw = {name: orjson.Fragment(row[f"{name}_text"]) for name in _JSON}
    tags = tags_in(row["tag_names"])
    return {**told, **raw, "project": row["slug"], "sweep": row["sweep_id"], "tags": tags}
