"""Actions on runs: compare, stop, clone. Each is a POST, needs a right and answers with words."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.views.decorators.http import require_POST

from runs import lifecycle, submission
from runs.models import Project, Run, Sweep
from runs.pages import trash
from runs.pages.frame import needs, signed_in
from runs.pages.selection import run_numbers
from runs.specification import SubmissionError


@require_POST
@needs("runs.stop_run")
def stop_run(request: HttpRequest, run_id: int) -> HttpResponse:
    """Stop one run; one that is over stays as it is."""
    run = get_object_or_404(Run, pk=run_id)
    if lifecycle.cancel(run.pk):
        messages.success(request, f"{run.name} is being stopped.")
    else:
        messages.info(request, f"{run.name} is already over; nothing was changed.")
    return redirect(run)


@require_POST
@needs("runs.stop_run")
def stop_sweep(request: HttpRequest, sweep_id: int) -> HttpResponse:
    """Stop every run of a sweep that is not over."""
    sweep = get_object_or_404(Sweep.objects.select_related("project"), pk=sweep_id)
    _stop(request, Run.objects.not_over().filter(sweep=sweep).values_list("pk", flat=True))
    return redirect(sweep)


@require_POST
def selected(request: HttpRequest, slug: str) -> HttpResponse:
    """Do with the ticked runs what the button says: compare, stop or delete them."""
    project = get_object_or_404(Project, slug=slug)
    chosen = run_numbers(",".join(request.POST.getlist("runs"))).numbers
    if not chosen:
        messages.info(request, "Tick one run or more first.")
        return redirect(project)
    if request.POST.get("action") == "stop":
        return _stop_chosen(request, project, chosen)
    if request.POST.get("action") == "delete":
        trash.discard(request, Run.objects.kept().filter(project=project, pk__in=chosen))
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


@needs("runs.stop_run")
def _stop_chosen(request: HttpRequest, project: Project, chosen: Sequence[int]) -> HttpResponse:
    runs = Run.objects.not_over().filter(project=project, pk__in=chosen)
    _stop(request, runs.values_list("pk", flat=True))
    return redirect(project)


def _stop(request: HttpRequest, run_ids: Iterable[int]) -> None:
    stopped = sum(lifecycle.cancel(run_id) for run_id in list(run_ids))
    if stopped:
        messages.success(request, f"{stopped} run{'' if stopped == 1 else 's'} being stopped.")
    else:
        messages.info(request, "No run was stopped: those chosen are over already.")
