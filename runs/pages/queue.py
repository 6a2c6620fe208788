"""The queue: what trains, what waits and in which order, and the order itself, which people may change."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from operator import or_
from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST

from runs.estimating.starts import expected_starts
from runs.models import Project, Queue, Run, Sweep
from runs.models.runs import MAX_PRIORITY, RunQuerySet
from runs.pages.frame import needs, render_page
from runs.pages.steering import back_to, clone_all, steer
from runs.reading.queue import standing
from runs.reading.waiting import Choice, Mark, chosen
from runs.retention import counted
from runs.steering import ENDS, STEER, move, prioritise


@require_GET
def show(request: HttpRequest) -> HttpResponse:
    """Show the queue, or the part of it that the address asks for."""
    context = _context(request)
    context |= {
        "filters": _filters(context["choice"]),
        "address": request.get_full_path(),
        "query": request.GET.urlencode(),
        "most": MAX_PRIORITY,
    }
    return render_page(request, "runs/queue.html", context)


@require_GET
def now(request: HttpRequest) -> HttpResponse:
    """Return what is on the page now, for one that somebody watches."""
    return render(request, "runs/_queue.html", _context(request))


@require_POST
def selected(request: HttpRequest) -> HttpResponse:
    """Do with the ticked runs, or with those of a button's line, what the button says."""
    line, _, target = request.POST.get("move", "").partition(" ")
    runs = _chosen(request, [line] if line else request.POST.getlist("runs"))
    back, action = back_to(request, reverse("queue")), request.POST.get("action", "")
    if runs is None:
        return redirect(back)
    if line or action in ENDS:
        return _move(request, runs, target or action, back)
    if action == "priority":
        return _prioritise(request, runs, back)
    if action == "clone":
        return clone_all(request, runs, back)
    return steer(request, action, runs, back)


def _context(request: HttpRequest) -> dict[str, Any]:
    choice = Choice.parse(request.GET.dict())
    marks = {name: Mark.parse(request.GET.get(name, "")) for name in ("after", "before")}
    found = standing(choice, **marks)
    expected = expected_starts([line.run.pk for line in found.waiting.lines]) if found.waiting.count else {}
    return {
        "choice": choice,
        "kept": urlencode({name: text for name, text in choice.parameters.items() if name != "open"}),
        "standing": found,
        "expected": expected,
        "reasons": list(dict.fromkeys(one.reason for one in expected.values() if one.reason)),
        "previous": _address(choice, before=found.waiting.previous),
        "next": _address(choice, after=found.waiting.next),
    }


def _address(choice: Choice, **marks: Mark | None) -> str:
    """Write the address of a page beside this one; empty where there is none."""
    texts = {name: mark.text for name, mark in marks.items() if mark}
    return f"?{urlencode({**choice.parameters, **texts})}" if texts else ""


def _filters(choice: Choice) -> list[tuple[str, str, list[tuple[str, str]]]]:
    """Give each filter with what is chosen and what can be."""
    people = Sweep.objects.filter(created_by__isnull=False).order_by("created_by__username")
    names = people.values_list("created_by__username", flat=True).distinct()
    return [
        ("project", choice.project, list(Project.objects.values_list("slug", "name"))),
        ("user", choice.user, [(name, name) for name in names]),
        ("queue", choice.queue, [(name, name) for name in Queue.values]),
    ]


def _chosen(request: HttpRequest, values: Sequence[str]) -> RunQuerySet | None:
    """Return the runs that a form names; None, with words, where it names none."""
    try:
        parts = [chosen(part) for value in values for part in value.split(",")]
    except ValueError as error:
        messages.error(request, f"Nothing was changed: {error}.")
        return None
    if not parts:
        messages.info(request, "Tick one run or more first.")
        return None
    return Run.objects.kept().filter(reduce(or_, parts, Q()))


@needs(STEER)
def _move(request: HttpRequest, runs: RunQuerySet, target: str, back: str) -> HttpResponse:
    try:
        moved = move(runs, target)
    except ValueError as error:
        messages.error(request, f"Nothing was moved: {error}.")
        return redirect(back)
    if moved:
        messages.success(request, f"{counted(moved)} moved.")
    else:
        messages.info(request, "Nothing was moved: it stands there already, or no longer waits.")
    return redirect(back)


@needs(STEER)
def _prioritise(request: HttpRequest, runs: RunQuerySet, back: str) -> HttpResponse:
    try:
        changed = prioritise(runs, request.POST.get("priority", ""))
    except ValueError as error:
        messages.error(request, f"Nothing was changed: {error}.")
        return redirect(back)
    messages.success(request, f"The priority of {counted(changed)} was set; the highest is taken first.")
    return redirect(back)
