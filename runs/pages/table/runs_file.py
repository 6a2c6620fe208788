"""The runs table as a CSV file: all runs that match, written while it is sent."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

from django.http import HttpRequest, StreamingHttpResponse
from django.shortcuts import get_object_or_404
from django.views.decorators.http import require_GET

from runs import exporting
from runs.models import Project, Run
from runs.models.runs import RunQuerySet
from runs.reading.table import TableQuery, parse_table_query, runs_of
from runs.reading.table_rows import cells_of
from runs.store.marks import tags_of

COLUMNS = (
    *("id", "name", "sweep__name", "status", "stop_reason", "dataset", "depth", "width", "activation"),
    *("dropout", "optimizer", "learning_rate", "batch_size", "seed", "parameters", "steps_run"),
    *("steps_requested", "headline", "score", "started_at", "ended_at", "archived_at", "group"),
)
_TITLES = {"sweep__name": "sweep", "group": "configuration"}
_AT_A_TIME = 500


@require_GET
def show(request: HttpRequest, slug: str) -> StreamingHttpResponse:
    """Send the runs that the address asks for."""
    project = get_object_or_404(Project, slug=slug)
    query = parse_table_query(project, request.GET)
    return answer(project, runs_of(project, query), query)


def answer(project: Project, runs: RunQuerySet, query: TableQuery) -> StreamingHttpResponse:
    """Send runs, the newest first, with the columns that the table adds."""
    sent = StreamingHttpResponse(_lines(runs, query), content_type="text/csv; charset=utf-8")
    sent["Content-Disposition"] = f'attachment; filename="runs-{project.pk}.csv"'
    return sent


def _lines(runs: RunQuerySet, query: TableQuery) -> Iterator[str]:
    added = [exporting.cell(column.key) for column in query.columns]
    yield exporting.line([*(_TITLES.get(name, name) for name in COLUMNS), "tags", *added])
    numbers = iter(list(runs.order_by("-pk").values_list("pk", flat=True)))
    while some := list(islice(numbers, _AT_A_TIME)):
        yield "".join(_rows(some, query))


def _rows(numbers: Sequence[int], query: TableQuery) -> Iterator[str]:
    rows = {row[0]: row for row in Run.objects.filter(pk__in=numbers).values_list(*COLUMNS)}
    tags, cells = tags_of(numbers), cells_of(numbers, query.columns)
    for number in numbers:
        if number in rows:
            values: list[Any] = [*rows[number], ", ".join(tags.get(number, []))]
            yield exporting.line(map(exporting.cell, [*values, *(cell.value for cell in cells[number])]))
