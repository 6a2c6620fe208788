"""Operations that list runs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

import orjson
from django.db.models import F, TextField
from django.db.models.functions import Cast
from django.http import HttpRequest, HttpResponse
from ninja import Router, Schema
from ninja.errors import HttpError
from pydantic import Field

from runs.api.schemas import Key, RunOut, Word
from runs.models import Project, Run
from runs.reading.ordering import Cursor
from runs.reading.table import DEFAULT_SORT, TableQuery, parse_table_query, plan_of

MAX_RUNS = 1000
_JSON = ("config", "summary")
_OWN = ("project", "limit", "before")  # parameters that are not of the table's language
_FIELDS = [name for name in RunOut.model_fields if name not in {*_JSON, "project", "sweep"}]
_OPTIONS = orjson.OPT_UTC_Z

router = Router()


class RunsOut(Schema):
    """Runs in the order asked for; ``next`` is what ``after`` takes for those that follow."""

    runs: list[RunOut]
    next: str | None


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

    Filters and orders are those of a project's runs table: ``metric.val_loss=..0.3``,
    ``param.training.optimizer=adam,sgd``, ``status=!failed``, ``sort=-metric.val_accuracy.max``; metrics and
    parameters need a ``project``. ``before`` is the smallest id of the page before, in the usual order.
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


def _query(request: HttpRequest, project: Project | None) -> TableQuery:
    """Read the table's language; what the page would warn of is an error here."""
    parameters = request.GET.copy()
    for name in _OWN:
        parameters.pop(name, None)
    query = parse_table_query(project, parameters)
    if query.warnings:
        hint = "" if project else " Metrics and parameters need a project."
        raise HttpError(422, " ".join(query.warnings) + hint)
    return query


def _answer(numbers: Sequence[int], cursor: Cursor | None) -> HttpResponse:
    """Write runs as ``RunsOut``; the stored JSON goes out as it is, which is most of the answer."""
    texts = {f"{name}_text": Cast(name, TextField()) for name in _JSON}
    rows = Run.objects.filter(pk__in=numbers).values(*_FIELDS, "sweep_id", slug=F("project__slug"), **texts)
    found = {row["id"]: _run(row) for row in rows}
    answer = {
        "runs": [found[number] for number in numbers if number in found],
        "next": cursor.text if cursor else None,
    }
    return HttpResponse(orjson.dumps(answer, option=_OPTIONS), content_type="application/json")


def _run(row: dict[str, Any]) -> dict[str, Any]:
    told = {name: row[name] for name in _FIELDS}
    raw = {name: orjson.Fragment(row[f"{name}_text"]) for name in _JSON}
    return {**told, **raw, "project": row["slug"], "sweep": row["sweep_id"]}
