"""What changed: controlled pairs of a project, and the control of the others, queued with one click."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.views.decorators.http import require_GET, require_POST

from runs.models import Project, Source
from runs.pages.choosing import choosing_caution
from runs.pages.comparing.control_runs import submit_control
from runs.pages.comparing.differences import new_seeds, signed, verdict
from runs.pages.comparing.more_seeds import MAX_NEW_SEEDS
from runs.pages.formats import MISSING, is_share, metric_title, unit_of
from runs.pages.frame import needs, render_page, signed_in
from runs.pages.steering import back_to
from runs.reading.changes import MAX_GROUPS, Changes, Step, changes_of
from runs.reading.knobs import title_of
from runs.reading.metrics import higher_is_better
from runs.reading.table import TableQuery, parse_table_query
from runs.retention import counted
from runs.submitted.specification import SubmissionError

PAGE = 50
MAX_SCOPES = 20
FIELDS = ("metric", "knob", "page")
USUAL_SEEDS = 3
_MAX_COMPARED = 40  # runs that a link names
_MAX_PAGE = 1_000_000


@dataclass(frozen=True)
class StepRow:
    """A pair as the page shows it.

    Args:
        difference: of the means over the shared seeds, in points for a share; ``interval`` likewise.
        runs: of the shared seeds on both sides, for a link to their comparison.
        seeds: to add to both sides with one click, so that there is an interval.
    """

    step: Step
    difference: str
    interval: str
    verdict: str
    runs: str
    seeds: tuple[int, ...]


@require_GET
def show(request: HttpRequest, slug: str) -> HttpResponse:
    """Show what changed between the project's runs that the address asks for."""
    project = get_object_or_404(Project, slug=slug)
    query = parse_table_query(project, request.GET, ignored=FIELDS)
    warnings = list(query.warnings)
    metric, knob = (request.GET.get(name, "")[:250] for name in ("metric", "knob"))
    page = _page(request.GET.get("page", ""), warnings)
    found = changes_of(project, query, metric=metric, knob=knob, first=(page - 1) * PAGE, count=PAGE)
    if metric and found.scope is None:
        found = changes_of(project, query, knob=knob, first=(page - 1) * PAGE, count=PAGE)
        other = " what changed is shown for another metric." if found.scope else ""
        warnings.append(f"None of these runs has “{metric[:60]}”;{other}".rstrip(";"))
    if knob and not found.total and not found.open:
        warnings.append(f"No two configurations differ in “{knob[:60]}”.")
    if caution := choosing_caution(_metric(found), "Configurations are compared"):
        warnings.append(caution)
    context: dict[str, Any] = {
        "project": project,
        "query": query,
        "found": found,
        "warnings": warnings,
        "knob": knob,
        "rows": _rows(found, found.steps),
        "confounded": _rows(found, found.confounded),
        "kept": _kept(query),
        "scopes": [
            (scope, number, query.changed({"dataset": scope.dataset, "sort": "", "columns": ""}))
            for scope, number in found.scopes[:MAX_SCOPES]
        ],
        "back": _beside(query, found, knob, page),
        "metrics": [(name, metric_title(name)) for name in found.metrics],
        "knobs": [(name, title_of(name), number) for name, number in (found.knobs or {}).items()],
        "first": (page - 1) * PAGE + 1,
        "last": min(page * PAGE, found.total),
        "unit": "points" if is_share(_metric(found)) else unit_of(_metric(found), found.target_unit),
        "previous": _beside(query, found, knob, page - 1) if page > 1 else "",
        "next": _beside(query, found, knob, page + 1) if page * PAGE < found.total else "",
        "limit": MAX_GROUPS,
    }
    return render_page(request, "runs/changes.html", context)


@require_POST
@needs("runs.submit_sweep")
def control(request: HttpRequest, slug: str) -> HttpResponse:
    """Submit the configuration between two that differ in several knobs."""
    project = get_object_or_404(Project, slug=slug)
    before, after, knob = (request.POST.get(name, "") for name in ("before", "after", "knob"))
    back = back_to(request, project.get_absolute_url())
    try:
        sweep = submit_control(project, before, after, knob, signed_in(request))
    except SubmissionError as error:
        messages.error(request, f"The control was not submitted: {error}")
    else:
        if sweep is None:
            messages.info(request, "This control was submitted before; nothing was added.")
        else:
            messages.success(request, f"{sweep.name}: {counted(sweep.runs.count())} queued.")
    return redirect(back)


def _rows(found: Changes, steps: Sequence[Step]) -> list[StepRow]:
    return [
        StepRow(step, *_numbers(found, step), _verdict(found, step), _compared(step), _seeds(step))
        for step in steps
    ]


def _numbers(found: Changes, step: Step) -> tuple[str, str]:
    """Write a difference and its interval."""
    made = step.difference
    if made is None:
        return MISSING, "no shared seed"
    metric, unit = _metric(found), unit_of(_metric(found), found.target_unit)
    if made.low is None or made.high is None:
        return signed(made.mean, metric, unit), "one seed: none"
    return signed(made.mean, metric, unit), " to ".join(
        signed(end, metric, unit) for end in (made.low, made.high)
    )


def _verdict(found: Changes, step: Step) -> str:
    return verdict(step.p_value, step.difference, higher=higher_is_better(_metric(found)))


def _metric(found: Changes) -> str:
    return found.scope.metric if found.scope else ""


def _compared(step: Step) -> str:
    seeds = step.shared[: _MAX_COMPARED // 2]
    sides = (step.before, step.after)
    numbers = [side.runs[seed] for side in sides for seed in seeds] or [side.run for side in sides]
    return ",".join(map(str, numbers))


def _seeds(step: Step) -> tuple[int, ...]:
    """Choose seeds that give a pair an interval: those that one side has, then new ones."""
    before, after = step.before.seeds - {None}, step.after.seeds - {None}
    if Source.OUTSIDE in {step.before.source, step.after.source} or len(before & after) >= 2:
        return ()
    half = sorted(seed for seed in before ^ after if seed is not None)[:MAX_NEW_SEEDS]
    return new_seeds(half, before | after, max(USUAL_SEEDS, len(half)) - len(before & after))


def _page(text: str, warnings: list[str]) -> int:
    if not text:
        return 1
    if text.isascii() and text.isdigit() and 1 <= int(text[:12]) <= _MAX_PAGE:
        return int(text[:12])
    warnings.append(f"page={text[:20]} is not a page; the first one is shown.")
    return 1


def _kept(query: TableQuery) -> list[tuple[str, str]]:
    """Return what the form that chooses a metric and a knob leaves as it is."""
    text = [("q", query.q)] if query.q else []
    return [*text, *sorted(query.filters.items())]


def _beside(query: TableQuery, found: Changes, knob: str, page: int) -> str:
    """Write the address of another page of this list."""
    last = max(1, math.ceil(found.total / PAGE))
    own = {"metric": _metric(found), "knob": knob, "page": str(min(page, last))}
    address = query.changed({"sort": "", "columns": ""})
    extra = urlencode({name: value for name, value in own.items() if value}, quote_via=quote)
    return f"{address}{'' if address == '?' else '&'}{extra}"
