"""The rows of the runs table: the runs of a page with what the columns show, and what there is to choose."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from django.db import connection

from runs.models import Project, Run, Status
from runs.reading.filters import TypedField
from runs.reading.ordering import OPEN_ALERTS
from runs.reading.paging import PAGE_SIZE, Count, Window
from runs.reading.table import TableQuery, plan_of

MAX_NAMES = 200  # of metrics and of parameters to choose among


@dataclass(frozen=True)
class Page:
    """One page of the table.

    Args:
        runs: each with ``open_alerts``.
        cells: of each run, one for every column that the address added.
    """

    runs: Sequence[Run]
    cells: Mapping[int, Sequence[float | str | None]]
    window: Window
    count: Count

    @property
    def last(self) -> int:
        """Place of the last run in the whole order."""
        return self.window.first + len(self.runs) - 1


def page_of(project: Project, query: TableQuery) -> Page:
    """Return the page that the query asks for."""
    plan = plan_of(project, query)
    window = plan.window(PAGE_SIZE, after=query.after, before=query.before)
    found = Run.objects.filter(pk__in=window.runs).annotate(open_alerts=OPEN_ALERTS).in_bulk()
    runs = [found[run] for run in window.runs if run in found]
    return Page(runs, _cells(window.runs, query.columns), window, plan.count())


def choices(project: Project) -> dict[str, list[str]]:
    """Return the values that the project's runs have, for the lists of the filter form."""
    names = ("dataset", "activation", "depth", "width", "dropout")
    rows = Run.objects.kept().filter(project=project).order_by().values_list(*names).distinct()
    columns = list(zip(*rows, strict=True)) or [()] * len(names)
    found = {
        name: [str(value) for value in sorted(set(column) - {None, ""})]
        for name, column in zip(names, columns, strict=True)
    }
    return {"status": list(Status.values), **found}


def typed_names(project: Project) -> list[str]:
    """Return the metrics and parameters of the project's runs, as an address writes them."""
    metrics = [TypedField(name, "last").key for name in _names("runs_runmetric", project)]
    return metrics + [TypedField(name).key for name in _names("runs_runparam", project)]


def _names(table: str, project: Project) -> list[str]:
    """Return the names that a project uses, jumping in the index from one to the next."""
    query = f"""
        WITH RECURSIVE used(name) AS (
            SELECT min(name_id) FROM {table} WHERE project_id = %s
            UNION ALL
            SELECT (SELECT min(name_id) FROM {table} WHERE project_id = %s AND name_id > used.name)
            FROM used WHERE used.name IS NOT NULL
        )
        SELECT text FROM used JOIN runs_name ON runs_name.id = used.name LIMIT %s
    """  # noqa: S608 - the table's name is ours
    with connection.cursor() as cursor:
        cursor.execute(query, [project.pk, project.pk, MAX_NAMES])
        return sorted(text for (text,) in cursor.fetchall())


def _cells(runs: Sequence[int], columns: Mapping[TypedField, int]) -> dict[int, list[float | str | None]]:
    values: dict[tuple[TypedField, int], float | str | None] = {}
    for column, name in columns.items():
        shown = (column.aspect,) if column.aspect else ("text", "number")
        rows = column.model.objects.filter(run__in=runs, name=name).values_list("run_id", *shown)
        for run, *found in rows:
            values[column, run] = next((value for value in found if value is not None), None)
    return {run: [values.get((column, run)) for column in columns] for run in runs}
