"""Runs are stopped, paused, resumed, tried again and cloned: what pages that can do so have in common."""

from __future__ import annotations

from django.contrib import messages
from django.core.exceptions import BadRequest
from django.db.models import Count
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.http import url_has_allowed_host_and_scheme

from runs import submission
from runs.models.runs import RunQuerySet
from runs.pages.frame import check_right, render_page, signed_in
from runs.retention import counted
from runs.steering import ACTIONS, MANY, SUBMIT
from runs.submitted.specification import SubmissionError

SHOWN_SWEEPS = 10  # of those that a question names


def steer(request: HttpRequest, word: str, runs: RunQuerySet, back: str, *, name: str = "") -> HttpResponse:
    """Do with runs what a word says, and tell what became of them; who stops very many is asked first.

    Args:
        back: the address of the page to go on with.
        name: of the one run; empty where they are counted.

    Raises:
        BadRequest: for a word that means nothing.
        PermissionDenied: to who lacks the right.
    """
    action = ACTIONS.get(word)
    if action is None:
        raise BadRequest(f"expected one of {', '.join(ACTIONS)}, got {word[:40]!r}")
    check_right(request, action.right)
    if word == "stop" and "confirmed" not in request.POST:
        number = runs.not_over().count()
        if number > MANY:
            return _question(request, runs, number, back)
    changed = action.act(runs)
    tell = messages.success if changed else messages.info
    tell(request, action.told(changed, name))
    return redirect(back)


def clone_all(request: HttpRequest, runs: RunQuerySet, back: str) -> HttpResponse:
    """Submit the configurations of runs again, as they are; what cannot be is told, and the others are made.

    Raises:
        PermissionDenied: to who lacks the right.
    """
    check_right(request, SUBMIT)
    found = list(runs.select_related("project").order_by("pk")[: MANY + 1])
    if len(found) > MANY:
        messages.error(request, f"Nothing was submitted: choose at most {MANY} runs to rerun at once.")
        return redirect(back)
    copies = 0
    for run in found:
        try:
            submission.clone(run, signed_in(request))
        except SubmissionError as error:
            messages.error(request, f"{run.name} cannot be cloned: {error}")
        else:
            copies += 1
    if copies:
        messages.success(
            request, f"{counted(copies)} queued again as new ones, with the same configurations."
        )
    return redirect(back)


def back_to(request: HttpRequest, otherwise: str) -> str:
    """Return the page that a form came from, as far as it is one of ours."""
    back = request.POST.get("next", "")
    return back if url_has_allowed_host_and_scheme(back, allowed_hosts=None) else otherwise


def _question(request: HttpRequest, runs: RunQuerySet, number: int, back: str) -> HttpResponse:
    """Ask whether so many runs shall be stopped; the answer posts the same again."""
    counts = runs.not_over().order_by().values_list("sweep__name", "sweep__project__name")
    found = list(counts.annotate(runs=Count("pk")).order_by("-runs", "sweep")[: SHOWN_SWEEPS + 1])
    fields = [
        (name, value)
        for name, values in request.POST.lists()
        if name != "csrfmiddlewaretoken"
        for value in values
    ]
    context = {
        "number": number,
        "sweeps": found[:SHOWN_SWEEPS],
        "more": len(found) > SHOWN_SWEEPS,
        "fields": fields,
        "back": back,
    }
    return render_page(request, "runs/stop_many.html", context)
