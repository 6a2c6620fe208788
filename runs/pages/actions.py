"""Actions on runs: compare, stop, pause, resume, retry, clone. Each is a POST and answers with words."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.views.decorators.http import require_POST

from runs import submission
from runs.models import Project, Run, Sweep
from runs.pages import trash
from runs.pages.frame import needs, signed_in
from runs.pages.selection import run_numbers
from runs.pages.steering import back_to, clone_all, steer
from runs.specification import SubmissionError
from runs.steering import ACTIONS


@require_POST
def steer_run(request: HttpRequest, run_id: int, word: str) -> HttpResponse:
    """Stop, pause, resume or retry one run."""
    run = get_object_or_404(Run.objects.kept(), pk=run_id)
    back = back_to(request, run.get_absolute_url())
    return steer(request, word, Run.objects.filter(pk=run.pk), back, name=run.name)


@require_POST
def steer_sweep(request: HttpRequest, sweep_id: int, word: str) -> HttpResponse:
    """Stop, pause, resume or retry every run of a sweep to which that can be done."""
    sweep = get_object_or_404(Sweep.objects.select_related("project"), pk=sweep_id)
    runs = Run.objects.kept().filter(sweep=sweep)
    return steer(request, word, runs, back_to(request, sweep.get_absolute_url()))


@require_POST
def selected(request: HttpRequest, slug: str) -> HttpResponse:
    """Do with the ticked runs what the button says: compare, steer, clone or delete them."""
    project = get_object_or_404(Project, slug=slug)
    chosen = run_numbers(",".join(request.POST.getlist("runs"))).numbers
    if not chosen:
        messages.info(request, "Tick one run or more first.")
        return redirect(project)
    runs, action = Run.objects.kept().filter(project=project, pk__in=chosen), request.POST.get("action", "")
    if action in ACTIONS:
        return steer(request, action, runs, back_to(request, project.get_absolute_url()))
    if action == "clone":
        return clone_all(request, runs, project.get_absolute_url())
    if action == "delete":
        trash.discard(request, runs)
        return redirect(project)
    return redirect(f"{reverse('compare', args=[slug])}?runs={','.join(map(str, chosen))}")


@require_POST
@needs("runs.submit_sweep")
def clone(request: HttpRequest, run_id: int) -> HttpResponse:
    """Submit a run's configuration again, as it is."""
    run = get_object_or_404(Run.objects.kept().select_related("project"), pk=run_id)
    try:
        copy = submission.clone(run, signed_in(request))
    except SubmissionError as error:
        messages.error(request, f"{run.name} cannot be cloned: {error}")
        return redirect(run)
    messages.success(request, f"{copy.name} is queued with the configuration of run {run.pk}.")
    return redirect(copy)
