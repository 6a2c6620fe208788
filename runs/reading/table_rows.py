"""The rows of the runs table: the runs of a page with what the columns show, and what there is to choose."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from django.db import connection
from django.db.models import OuterRef, Subquery

from runs.models import Project, Run, RunMetric, RunTag, Series, Status
from runs.models.joining import Joined
from runs.reading.filters import TypedField
from runs.reading.ordering import OPEN_ALERTS
from runs.reading.paging import PAGE_SIZE, Count, Window
from runs.reading.table import TableQuery, plan_of

_ENDS = ("minimum", "maximum")
_OWN_TAGS = RunTag.objects.filter(run=OuterRef("pk")).order_by().values("run")
TAG_NAMES = Subquery(_OWN_TAGS.annotate(text=Joined("name__text")).values("text"))  # commas between them
MAX_NAMES = 200  # of metrics and of parameters to choose among


class Cell(NamedTuple):
    """What a column that the address added shows of a run; ``step`` is where a best value was."""

    value: float | str | None = None
    step: int | None = None


@dataclass(frozen=True)
class Page:
    """One page of the table.

    Args:
        runs: each with ``open_alerts`` and ``tag_names``, commas between them; without the baseline.
        baseline: the project's pinned run, which stands above every page.
        cells: of each run, one for every column that the address added.
        compared: of each run, its value of what the table is sorted or the runs are judged by.
        metric: the name of that.
    """

    runs: Sequence[Run]
    baseline: Run | None
    cells: Mapping[int, Sequence[Cell]]
    window: Window
    count: Count
    compared: Mapping[int, float | None]
    metric: str

    @property
    def last(self) -> int:
        """Place of the last run in the whole order."""
        return self.window.first + len(self.window.runs) - 1


def page_of(project: Project, query: TableQuery) -> Page:
    """Return the page that the query asks for."""
    plan = plan_of(project, query)
    window = plan.window(PAGE_SIZE, after=query.after, before=query.before)
    wanted = [*window.runs, *([project.baseline_id] if project.baseline_id else [])]
    found = rows_of(wanted)
    baseline = found.get(project.baseline_id or 0)
    runs = [found[run] for run in window.runs if run in found and run != project.baseline_id]
    metric, compared = _compared(found, baseline, query)
    return Page(runs, baseline, cells_of(wanted, query.columns), window, plan.count(), compared, metric)


def rows_of(numbers: Sequence[int]) -> dict[int, Run]:
    """Return runs as the table shows them, by their numbers; those in the trash are not among them."""
    runs = Run.objects.kept().filter(pk__in=numbers)
    return runs.annotate(open_alerts=OPEN_ALERTS, tag_names=TAG_NAMES).in_bulk()


def tags_in(names: str | None) -> list[str]:
    """Read what ``TAG_NAMES`` gives, in the order of the alphabet."""
    return sorted(filter(None, (names or "").split(",")))


def _compared(
    found: Mapping[int, Run], baseline: Run | None, query: TableQuery
) -> tuple[str, dict[int, float | None]]:
    """Find what the runs are measured against the baseline by."""
    if baseline is None:
        return "", {}
    by = query.order.by
    if isinstance(by, TypedField):
        rows = RunMetric.objects.filter(run__in=found, name__text=by.name)
        return by.name, dict(rows.values_list("run_id", by.aspect))
    judged = {run.pk: run for run in found.values() if run.headline == baseline.headline}
    return baseline.headline, {number: None if run.diverged else run.score for number, run in judged.items()}


def choices(project: Project) -> dict[str, list[str]]:
    """Return the values that the project's runs have, for the lists of the filter form."""
    names = ("dataset", "activation", "depth", "width", "dropout")
    rows = Run.objects.shown().filter(project=project).order_by().values_list(*names).distinct()
    columns = list(zip(*rows, strict=True)) or [()] * len(names)
    found = {
        name: [str(value) for value in sorted(set(column) - {None, ""})]
        for name, column in zip(names, columns, strict=True)
    }
    return {"status": list(Status.values), **found}


@dataclass(frozen=True)
class Names:
    """What the runs of a project can be filtered by, beside their columns."""

    metrics: Sequence[str]
    params: Sequence[str]
    tags: Sequence[str]

    @property
    def typed(self) -> list[str]:
        """Metrics and parameters, as an address writes them."""
        metrics = [TypedField(name, "last").key for name in self.metrics]
        return metrics + [TypedField(name).key for name in self.params]


def names_of(project: Project) -> Names:
    """Return the names that a project's runs use, jumping in the indexes from one to the next; one query."""
    tables = ("runs_runmetric", "runs_runparam", "runs_runtag")
    parts = " UNION ALL ".join(_names(table) for table in tables)
    found: dict[str, list[str]] = {table: [] for table in tables}
    with connection.cursor() as cursor:
        cursor.execute(parts, [project.pk, project.pk, MAX_NAMES] * len(tables))
        for table, text in cursor.fetchall():
            found[table].append(text)
    return Names(*(sorted(texts) for texts in found.values()))


def _names(table: str) -> str:
    return f"""
        SELECT * FROM (WITH RECURSIVE used(name) AS (
            SELECT min(name_id) FROM {table} WHERE project_id = %s
            UNION ALL
            SELECT (SELECT min(name_id) FROM {table} WHERE project_id = %s AND name_id > used.name)
            FROM used WHERE used.name IS NOT NULL
        )
        SELECT '{table}' AS kind, text FROM used JOIN runs_name ON runs_name.id = used.name LIMIT %s)
        AS names_of_{table}
    """  # noqa: S608 - the table's name is ours


def cells_of(runs: Sequence[int], columns: Mapping[TypedField, int]) -> dict[int, list[Cell]]:
    """Read what the added columns show of runs."""
    values: dict[tuple[TypedField, int], float | str | None] = {}
    for column, name in columns.items():
        shown = (column.aspect,) if column.aspect else ("text", "number")
        rows = column.model.objects.filter(run__in=runs, name=name).values_list("run_id", *shown)
        for run, *found in rows:
            values[column, run] = next((value for value in found if value is not None), None)
    steps = _best_steps(runs, [column for column in columns if column.best], values)
    return {
        run: [Cell(values.get((column, run)), steps.get((column, run))) for column in columns] for run in runs
    }


def _best_steps(
    runs: Sequence[int], columns: Sequence[TypedField], values: Mapping[tuple[TypedField, int], object]
) -> dict[tuple[TypedField, int], int]:
    """Find the steps of best values; of a run that trains the newest may not be known yet."""
    if not columns:
        return {}
    names = {column.name for column in columns}
    named = Series.objects.filter(run__in=runs, layer=None, metric__in=names)
    rows = list(named.values("run_id", "metric", *_ENDS, *(f"{end}_step" for end in _ENDS)))
    return {
        (column, row["run_id"]): row[f"{column.aspect}_step"]
        for column in columns
        for row in rows
        if row["metric"] == column.name
        and row[f"{column.aspect}_step"] is not None
        and row[column.aspect] == values.get((column, row["run_id"]))
    }
