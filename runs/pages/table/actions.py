"""Actions on runs: compare, stop, pause, resume, retry, clone, tag. Each is a POST and answers with words."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, QueryDict
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.views.decorators.http import require_POST

from runs import submission
from runs.models import Project, Run, Sweep
from runs.models.runs import RunQuerySet
from runs.pages import trash
from runs.pages.frame import needs, signed_in
from runs.pages.selection import run_numbers
from runs.pages.steering import back_to, clone_all, steer
from runs.pages.table import marking, runs_file, saved_views
from runs.reading.table import TableQuery, parse_table_query, runs_of
from runs.steering import ACTIONS
from runs.submitted.specification import SubmissionError

MAX_CHOSEN = 10_000  # runs that are ticked one by one


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
def selected(request: HttpRequest, slug: str) -> HttpResponseBase:
    """Do what the button says with the ticked runs, or with all that match the table's filters."""
    project = get_object_or_404(Project, slug=slug)
    query = parse_table_query(project, QueryDict(request.POST.get("query", "")))
    back = back_to(request, f"{project.get_absolute_url()}{query.address(after='', before='')}".rstrip("?"))
    if pinned := request.POST.get("pin"):
        return marking.pin(request, project, pinned, back)
    chosen = run_numbers(",".join(request.POST.getlist("runs"))).numbers
    if "all" in request.POST:
        return _act(request, project, runs_of(project, query), query, back)
    if not chosen:
        messages.info(request, "Tick one run or more first.")
        return redirect(back)
    if len(chosen) > MAX_CHOSEN:
        messages.error(
            request,
            f"Nothing was done: expected at most {MAX_CHOSEN:,} ticked runs, got {len(chosen):,};"
            " filter the table and choose all that match instead.",
        )
        return redirect(back)
    if request.POST.get("action") == "compare":
        return _compare(request, project, chosen)
    named = parse_table_query(project, QueryDict(f"archived=0,1&sort={query.sort}"))
    return _act(request, project, runs_of(project, named).filter(pk__in=chosen), query, back)


def _act(
    request: HttpRequest, project: Project, runs: RunQuerySet, query: TableQuery, back: str
) -> HttpResponseBase:
    action = request.POST.get("action", "")
    if action in ACTIONS:
        return steer(request, action, runs, back)
    if action in marking.MARKS:
        return marking.mark(request, action, project, runs, back)
    if action == "clone":
        return clone_all(request, runs, back)
    if action == "delete":
        trash.discard(request, runs)
        return redirect(back)
    if action == "export":
        return runs_file.answer(project, runs, query)
    return redirect(f"{reverse('compare', args=[project.slug])}?{query.canonical}".rstrip("?"))


def _compare(request: HttpRequest, project: Project, chosen: tuple[int, ...]) -> HttpResponse:
    """Go to the comparison of ticked runs; an address that would be too long goes by a short link."""
    path, query = reverse("compare", args=[project.slug]), f"runs={','.join(map(str, chosen))}"
    if len(query) <= saved_views.LONG:
        return redirect(f"{path}?{query}")
    if len(query) > saved_views.MAX_QUERY:
        messages.error(request, "These are too many to name; filter the table and compare all that match.")
        return redirect(project)
    return redirect(saved_views.short_link(request, path, query, project))


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
