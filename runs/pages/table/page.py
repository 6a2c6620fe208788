"""A project: its runs as a table, that table's rows alone for polling, and its sweeps."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_GET

from runs.models import Project, Run, SavedView, Status
from runs.pages import formats
from runs.pages.choosing import choosing_caution
from runs.pages.frame import render_page
from runs.pages.table import groups as run_groups
from runs.reading import table, table_rows
from runs.reading.filters import TypedField
from runs.reading.metrics import higher_is_better
from runs.reading.sweeps import sweeps_of

COLUMNS = (
    ("run", "Run", ""),
    ("status", "Status", ""),
    ("score", "Score", "number"),
    ("val_loss", "Val. loss", "number"),
    ("alerts", "Alerts", "number"),
    ("net", "Network", ""),
    ("activation", "Activation", ""),
    ("dropout", "Dropout", "number"),
    ("optimizer", "Optimizer", ""),
    ("learning_rate", "Learn. rate", "number"),
    ("params", "Params", "number"),
    ("progress", "Steps", "number"),
    ("time", "Time", "number"),
)
JUDGED = 4  # of the columns say how good a run is; those that an address adds come next
_MOVING = frozenset({Status.QUEUED, Status.RUNNING, Status.LOST})


@dataclass(frozen=True)
class Row:
    """A run of the table.

    Args:
        cells: one for every column that the address added, as it is written, and the step of a best value.
        difference: from the baseline, in words; empty where there is none.
    """

    run: Run
    cells: Collection[tuple[str, int | None]]
    difference: str

    @property
    def tags(self) -> list[str]:
        """The run's tags, in the order of the alphabet."""
        return table_rows.tags_in(getattr(self.run, "tag_names", ""))


@require_GET
def project(request: HttpRequest, slug: str) -> HttpResponse:
    """Show the project's runs that the address asks for."""
    found = get_object_or_404(Project, slug=slug)
    query = _warned(table.parse_table_query(found, request.GET))
    context = _grouped(found, query) if query.group else _table(found, query)
    choices, names = table_rows.choices(found), table_rows.names_of(found)
    choices |= {"tag": list(names.tags)} if names.tags else {}
    context |= {
        "choices": choices,
        "names": [(table.quoted(name), name) for name in names.typed],
        "chips": _chips(query, choices),
        "groupings": run_groups.choices(names.params),
        "chosen": _chosen(query),
        "shown": {column.key for column in query.columns},
        "saved": SavedView.objects.filter(project=found).exclude(name=""),
    }
    return render_page(request, "runs/project.html", context)


@require_GET
def sweeps(request: HttpRequest, slug: str) -> HttpResponse:
    """Show the project's sweeps, the newest first."""
    found = get_object_or_404(Project, slug=slug)
    page, summaries = sweeps_of(found, request.GET.get("page", "1"))
    context = {
        "project": found,
        "page": page,
        "sweeps": summaries,
        "previous": f"?page={page.number - 1}" if page.has_previous() else "",
        "next": f"?page={page.number + 1}" if page.has_next() else "",
    }
    return render_page(request, "runs/sweeps.html", context)


@require_GET
def rows(request: HttpRequest, slug: str) -> HttpResponse:
    """Return the rows of the same view again, for a table in which something moves."""
    found = get_object_or_404(Project, slug=slug)
    context = _table(found, table.parse_table_query(found, request.GET))
    answer = render(request, "runs/_rows.html", context)
    answer["X-Over"] = "0" if context["live"] else "1"
    return answer


def _warned(query: table.TableQuery) -> table.TableQuery:
    """Warn of an order that would choose by the test rows."""
    by, done = query.order.by, "Groups are ranked" if query.group else "Runs are sorted"
    caution = choosing_caution(by.name, done) if isinstance(by, TypedField) else ""
    return replace(query, warnings=(*query.warnings, caution)) if caution else query


def _grouped(found: Project, query: table.TableQuery) -> dict[str, Any]:
    groups, rows = run_groups.group_rows(found, query)
    return {
        "project": found,
        "query": query,
        "groups": groups,
        "group_rows": rows,
        "metric": formats.metric_title(groups.metric) if groups.metric else "",
    }


def _table(found: Project, query: table.TableQuery) -> dict[str, Any]:
    page = table_rows.page_of(found, query)
    return {
        "project": found,
        "query": query,
        "page": page,
        "columns": _headings(query, page),
        "rows": _rows(page, query, page.runs),
        "pinned": _rows(page, query, [page.baseline] if page.baseline else []),
        "measured": page.baseline is not None,
        "live": any(run.status in _MOVING for run in page.runs),
        "previous": query.beside(page.window.previous, "before"),
        "next": query.beside(page.window.next, "after"),
    }


def _rows(page: table_rows.Page, query: table.TableQuery, runs: Iterable[Run]) -> list[Row]:
    return [Row(run, _cells(page, query, run), _difference(page, run)) for run in runs]


def _cells(page: table_rows.Page, query: table.TableQuery, run: Run) -> list[tuple[str, int | None]]:
    """Write what the added columns show: a metric as everywhere else, a parameter as it is."""
    unit = run.info.get("target_unit", "")
    return [
        (formats.score(cell.value, column.name, unit), cell.step)
        if column.aspect
        else (formats.number(cell.value), None)
        for column, cell in zip(query.columns, page.cells[run.pk], strict=True)
    ]


def _difference(page: table_rows.Page, run: Run) -> str:
    """Write how a run differs from the baseline in what the table is sorted or runs are judged by."""
    if page.baseline is None:
        return ""
    if run.pk == page.baseline.pk:
        return "baseline"
    own, base = (page.compared.get(number) for number in (run.pk, page.baseline.pk))
    if own is None or base is None:
        return formats.MISSING
    return formats.difference(own, base, page.metric, higher=higher_is_better(page.metric))


def _chosen(query: table.TableQuery) -> list[tuple[str, str, str, str, str]]:
    """List the added columns: value and name, and the addresses that move one left, right or take it away."""
    keys = [column.key for column in query.columns]

    def address(order: list[str]) -> str:
        return query.changed({"columns": ",".join(map(table.quoted, order)), "after": "", "before": ""})

    found = []
    for place, key in enumerate(keys):
        rest = keys[:place] + keys[place + 1 :]
        left = address([*rest[: place - 1], key, *rest[place - 1 :]]) if place else ""
        right = address([*rest[: place + 1], key, *rest[place + 1 :]]) if place < len(rest) else ""
        found.append((table.quoted(key), key, left, right, address(rest)))
    return found


def _chips(query: table.TableQuery, choices: Collection[str]) -> list[tuple[str, str, str]]:
    """Show the filters that have no field in the form: name, value, and the address without them."""
    hidden = {name: value for name, value in query.filters.items() if name not in choices}
    return [
        (name, value, query.changed({name: "", "after": "", "before": ""})) for name, value in hidden.items()
    ]


def _headings(query: table.TableQuery, page: table_rows.Page) -> list[dict[str, str]]:
    """Describe the columns: where a click on each leads, and which one orders the table now."""
    orders = {query.order.key: "descending" if query.order.descending else "ascending"}
    added = [(column.key, column.key.partition(".")[2], "number") for column in query.columns]
    measured = [("", f"vs ★ {formats.metric_title(page.metric)}", "number")] if page.baseline else []
    return [
        {
            "key": key,
            "title": title,
            "kind": kind,
            "href": query.sorted_by(key) if key and not key.startswith("param.") else "",
            "order": orders.get(key, "none"),
        }
        for key, title, kind in (*COLUMNS[:JUDGED], *measured, *added, *COLUMNS[JUDGED:])
    ]
