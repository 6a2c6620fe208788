"""Compare: the runs that the address chooses, in the tab that it names."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Any

from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import get_object_or_404
from django.views.decorators.http import require_GET

from runs.models import Project
from runs.pages.changed import changed_among
from runs.pages.comparing import tabs
from runs.pages.comparing.comparison import Comparison, compare_runs, finite
from runs.pages.comparing.controls import controls
from runs.pages.comparing.view import CompareView, is_field, parse_view
from runs.pages.frame import render_page
from runs.pages.selection import run_numbers
from runs.reading.comparison import Selection, final_values, select
from runs.searching.summary import summarise

TABS = tabs.TABS


@dataclass(frozen=True)
class Compared:
    """What an address asks for, and what was found; ``comparison`` is None where there is nothing to compare.

    Args:
        warnings: what the address asked in vain, a sentence each; the page adds its own.
    """

    selection: Selection
    view: CompareView
    comparison: Comparison | None
    metrics: list[str]
    warnings: list[str]


@require_GET
def compare(request: HttpRequest, slug: str) -> HttpResponse:
    """Compare the runs that the address chooses."""
    project = get_object_or_404(Project, slug=slug)
    found = compared_runs(project, request.GET)
    selection = found.selection
    context: dict[str, Any] = {
        "project": project,
        "selection": selection,
        "warnings": found.warnings,
        "chosen": found.view.chosen,
        "search": summarise(selection.sweep) if selection.sweep else None,
        "unfinished": sum(not run.is_over for run in selection.runs),
        "statuses": {run.status for run in selection.runs},
    }
    if found.comparison:
        context |= _tab(found, found.comparison)
    return render_page(request, "runs/compare.html", context)


def compared_runs(project: Project, parameters: QueryDict, *, ignored: Collection[str] = ()) -> Compared:
    """Read an address of a comparison; never an error, at worst warnings.

    Args:
        ignored: fields that mean nothing here.
    """
    numbers = run_numbers(",".join(map(str, parameters.getlist("runs"))))
    views = {name for name in parameters if is_field(name, TABS)}
    selection = select(project, parameters, numbers.numbers, ignored={*views, *ignored})
    warnings = [f"“{part}” is not a run number and was left out." for part in numbers.unknown[:5]]
    warnings += selection.warnings
    view = parse_view(parameters, TABS, warnings, chosen_runs(selection, numbers.numbers))
    if not selection.runs:
        return Compared(selection, view, None, [], warnings)
    metrics = sorted({*selection.metrics, selection.headline})
    if view.metric and view.metric not in metrics:
        warnings.append(
            f"None of these runs has the metric “{view.metric[:60]}”; {selection.headline} is shown."
        )
        view = replace(view, metric="")
    metric = view.metric or selection.headline
    comparison = compare_runs(selection.runs, metric, final_values(selection.found, metric))
    view = view.among(comparison, warnings)
    return Compared(selection, view, with_tests(comparison, selection), metrics, warnings)


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


def _tab(found: Compared, comparison: Comparison) -> dict[str, Any]:
    """Build the tab that the address names, and what the form above it needs."""
    view, tab = found.view, tabs.OF_KEY[found.view.tab]
    if comparison.caution:
        found.warnings.append(comparison.caution)
    return {
        "comparison": comparison,
        "changed": changed_among(comparison),
        "view": view,
        "tab": tab,
        "controls": controls(tab, view, comparison, found.metrics),
        "kept": view.pairs(without=tab.controls),
        "groups_address": view.address(tab=tabs.TABS[0].key),
        "tabs": [(one, view.address(tab=one.key)) for one in TABS],
        **tab.build(comparison, view, found.warnings),
    }
