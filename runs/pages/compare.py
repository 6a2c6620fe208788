"""Compare: curves, factors and groups of the runs that the address chooses."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.views.decorators.http import require_GET

from runs.models import Project
from runs.pages import comparison_charts
from runs.pages.comparison import Comparison, compare_runs
from runs.pages.formats import metric_title
from runs.pages.frame import render_page
from runs.pages.selection import run_numbers
from runs.reading.comparison import Selection, select
from runs.searching.summary import summarise


@require_GET
def compare(request: HttpRequest, slug: str) -> HttpResponse:
    """Compare the runs that the address chooses."""
    project = get_object_or_404(Project, slug=slug)
    numbers = run_numbers(",".join(request.GET.getlist("runs")))
    selection = select(project, request.GET, numbers.numbers)
    warnings = [f"“{part}” is not a run number and was left out." for part in numbers.unknown[:5]]
    context: dict[str, Any] = {
        "project": project,
        "selection": selection,
        "warnings": [*warnings, *selection.warnings],
        "kept": _kept(selection, numbers.numbers),
        "search": summarise(selection.sweep) if selection.sweep else None,
        "unfinished": sum(not run.is_over for run in selection.runs),
        "statuses": {run.status for run in selection.runs},
    }
    if selection.runs:
        context |= _comparison(request, selection, context["warnings"])
    return render_page(request, "runs/compare.html", context)


def _comparison(request: HttpRequest, selection: Selection, warnings: list[str]) -> dict[str, Any]:
    metrics = sorted({*selection.metrics, selection.headline})
    metric = request.GET.get("metric") or selection.headline
    if metric not in metrics:
        warnings.append(f"None of these runs has the metric “{metric[:60]}”; {selection.headline} is shown.")
        metric = selection.headline
    comparison = compare_runs(selection.runs, metric)
    colour, facet = (_factor(request, name, comparison, warnings) for name in ("color", "facet"))
    windows = comparison_charts.read_curves([run.pk for run in selection.runs], metric)
    return {
        "comparison": comparison,
        "metrics": [(name, metric_title(name)) for name in metrics],
        "colour": colour,
        "facet": facet,
        "curves": comparison_charts.curve_charts(comparison, windows, colour=colour, facet=facet),
        "factors": comparison_charts.factor_sections(comparison),
        "grid": comparison_charts.grid(comparison),
    }


def _factor(request: HttpRequest, name: str, comparison: Comparison, warnings: list[str]) -> str:
    chosen = request.GET.get(name, "")
    if chosen and chosen not in comparison.varied:
        warnings.append(f"{name} by “{chosen[:60]}” is not possible: it was not varied among these runs.")
        return ""
    return chosen


def _kept(selection: Selection, numbers: tuple[int, ...]) -> list[tuple[str, str]]:
    """Return the part of the address that chooses the runs, for the form that chooses the view."""
    runs = [("runs", ",".join(map(str, numbers)))] if numbers else []
    q = [("q", selection.query.q)] if selection.query.q else []
    return [*runs, *q, *selection.query.filters.items()]
