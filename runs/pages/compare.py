"""Compare: the runs that the address chooses, in the tab that it names."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.views.decorators.http import require_GET

from runs.models import Project
from runs.pages import compare_tabs
from runs.pages.compare_controls import controls
from runs.pages.compare_view import CompareView, is_field, parse_view
from runs.pages.comparison import Comparison, compare_runs, finite
from runs.pages.frame import render_page
from runs.pages.selection import run_numbers
from runs.reading.comparison import Selection, final_values, select
from runs.searching.summary import summarise

TABS = compare_tabs.TABS


@require_GET
def compare(request: HttpRequest, slug: str) -> HttpResponse:
    """Compare the runs that the address chooses."""
    project = get_object_or_404(Project, slug=slug)
    numbers = run_numbers(",".join(request.GET.getlist("runs")))
    ignored = {name for name in request.GET if is_field(name, TABS)}
    selection = select(project, request.GET, numbers.numbers, ignored=ignored)
    warnings = [f"“{part}” is not a run number and was left out." for part in numbers.unknown[:5]]
    warnings += selection.warnings
    chosen = chosen_runs(selection, numbers.numbers)
    view = parse_view(request.GET, TABS, warnings, chosen)
    context: dict[str, Any] = {
        "project": project,
        "selection": selection,
        "warnings": warnings,
        "chosen": chosen,
        "search": summarise(selection.sweep) if selection.sweep else None,
        "unfinished": sum(not run.is_over for run in selection.runs),
        "statuses": {run.status for run in selection.runs},
    }
    if selection.runs:
        context |= _comparison(selection, view, warnings)
    return render_page(request, "runs/compare.html", context)


def chosen_runs(selection: Selection, numbers: tuple[int, ...]) -> list[tuple[str, str]]:
    """Return the part of the address that chooses the runs."""
    runs = [("runs", ",".join(map(str, numbers)))] if numbers else []
    q = [("q", selection.query.q)] if selection.query.q else []
    return [*runs, *q, *sorted(selection.query.filters.items())]


def with_tests(comparison: Comparison, selection: Selection) -> Comparison:
    """Read the metric of the test rows that belongs to a validation metric, where runs have one."""
    test = comparison.metric.replace("val_", "test_", 1)
    if not comparison.validates or test not in selection.metrics:
        return comparison
    values = final_values(selection.found, test)
    tests = {run_id: value for run_id in values if (value := finite(values[run_id])) is not None}
    return replace(comparison, test=test, tests=tests)


def _comparison(selection: Selection, view: CompareView, warnings: list[str]) -> dict[str, Any]:
    metrics = sorted({*selection.metrics, selection.headline})
    if view.metric and view.metric not in metrics:
        warnings.append(
            f"None of these runs has the metric “{view.metric[:60]}”; {selection.headline} is shown."
        )
        view = replace(view, metric="")
    metric = view.metric or selection.headline
    comparison = compare_runs(selection.runs, metric, final_values(selection.found, metric))
    comparison = with_tests(comparison, selection)
    if comparison.caution:
        warnings.append(comparison.caution)
    view = view.among(comparison, warnings)
    tab = compare_tabs.OF_KEY[view.tab]
    return {
        "comparison": comparison,
        "controls": controls(tab, view, comparison, metrics),
        "view": view,
        "tab": tab,
        "kept": view.pairs(without=tab.controls),
        "tabs": [(one, view.address(tab=one.key)) for one in TABS],
        **tab.build(comparison, view, warnings),
    }
