"""A project: its runs as a table, that table's rows alone for polling, and its sweeps."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_GET

from runs.models import Project, SavedView, Status
from runs.pages.frame import render_page
from runs.reading import table, table_rows
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


@require_GET
def project(request: HttpRequest, slug: str) -> HttpResponse:
    """Show the project's runs that the address asks for."""
    found = get_object_or_404(Project, slug=slug)
    context = _table(request, found)
    query, choices = context["query"], table_rows.choices(found)
    context |= {
        "choices": choices,
        "names": [(table.quoted(name), name) for name in table_rows.typed_names(found)],
        "chips": _chips(query, choices),
        "columns": _headings(query),
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
    context = _table(request, get_object_or_404(Project, slug=slug))
    answer = render(request, "runs/_rows.html", context)
    answer["X-Over"] = "0" if context["live"] else "1"
    return answer


def _table(request: HttpRequest, found: Project) -> dict[str, Any]:
    query = table.parse_table_query(found, request.GET)
    page = table_rows.page_of(found, query)
    return {
        "project": found,
        "query": query,
        "page": page,
        "rows": [(run, page.cells[run.pk]) for run in page.runs],
        "live": any(run.status in _MOVING for run in page.runs),
        "previous": query.beside(page.window.previous, "before"),
        "next": query.beside(page.window.next, "after"),
    }


def _chips(query: table.TableQuery, choices: Collection[str]) -> list[tuple[str, str, str]]:
    """Show the filters that have no field in the form: name, value, and the address without them."""
    hidden = {name: value for name, value in query.filters.items() if name not in choices}
    return [
        (name, value, query.changed({name: "", "after": "", "before": ""})) for name, value in hidden.items()
    ]


def _headings(query: table.TableQuery) -> list[dict[str, str]]:
    """Describe the columns: where a click on each leads, and which one orders the table now."""
    orders = {query.order.key: "descending" if query.order.descending else "ascending"}
    added = [(column.key, column.key.partition(".")[2], "number") for column in query.columns]
    return [
        {
            "key": key,
            "title": title,
            "kind": kind,
            "href": "" if key.startswith("param.") else query.sorted_by(key),
            "order": orders.get(key, "none"),
        }
        for key, title, kind in (*COLUMNS[:JUDGED], *added, *COLUMNS[JUDGED:])
    ]
