"""The trash: what was deleted, to be restored or purged; and the actions that delete."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.utils.html import format_html
from django.views.decorators.http import require_GET, require_POST

from runs import retention
from runs.models import Project, Run, Sweep
from runs.models.runs import RunQuerySet
from runs.pages.frame import needs, render_page
from runs.pages.selection import run_numbers
from runs.reading.trash import page_of_trash, total_size, trash
from runs.retention import counted

PURGE_SECONDS = 2.0  # that a page waits; the scheduler does the rest


@require_GET
def show(request: HttpRequest) -> HttpResponse:
    """Show the deleted runs, of one project or of all."""
    chosen = request.GET.get("project", "").replace("\x00", "")
    runs = trash(chosen)
    page = page_of_trash(runs, request.GET.get("page", "1"))
    project = f"&{urlencode({'project': chosen})}" if chosen else ""
    context = {
        "page": page,
        "chosen": chosen,
        "projects": Project.objects.filter(runs__deleted_at__isnull=False).distinct(),
        "size": total_size(Run.objects.filter(pk__in=runs.values("pk"))),
        "mine": {run.pk for run in page if retention.may_delete(request.user, run)},
        "days": settings.TRASH_DAYS,
        "previous": f"?page={page.number - 1}{project}" if page.has_previous() else "",
        "next": f"?page={page.number + 1}{project}" if page.has_next() else "",
    }
    return render_page(request, "runs/trash.html", context)


@require_POST
def selected(request: HttpRequest) -> HttpResponse:
    """Do with the ticked runs of the trash what the button says, or purge all of them."""
    chosen = run_numbers(",".join(request.POST.getlist("runs"))).numbers
    action = request.POST.get("action")
    if not chosen and action != "empty":
        messages.info(request, "Tick one run or more first.")
        return redirect("trash")
    in_reach = _in_reach(request, Run.objects.in_trash() if action == "empty" else _named(chosen))
    if action == "restore":
        _restore(request, in_reach)
    else:
        _purge(request, in_reach)
    return redirect("trash")


@require_POST
def delete_run(request: HttpRequest, run_id: int) -> HttpResponse:
    """Move a run to the trash; the button of one that is not over stops it too."""
    run = get_object_or_404(Run.objects.select_related("sweep"), pk=run_id)
    stop = "stop" in request.POST and request.user.has_perm("runs.stop_run")
    discard(request, _named([run.pk]), stop=stop)
    return redirect(run)


@require_POST
def restore_run(request: HttpRequest, run_id: int) -> HttpResponse:
    """Take a run out of the trash."""
    run = get_object_or_404(Run, pk=run_id)
    _restore(request, _in_reach(request, _named([run.pk])))
    return redirect(run)


@require_POST
def purge_run(request: HttpRequest, run_id: int) -> HttpResponse:
    """Remove a run of the trash for good."""
    run = get_object_or_404(Run, pk=run_id)
    _purge(request, _in_reach(request, _named([run.pk])))
    return redirect("trash")


@require_POST
def delete_sweep(request: HttpRequest, sweep_id: int) -> HttpResponse:
    """Move every run of a sweep to the trash."""
    sweep = get_object_or_404(Sweep.objects.select_related("project"), pk=sweep_id)
    discard(request, Run.objects.filter(sweep=sweep))
    return redirect("project-sweeps", sweep.project.slug)


@require_POST
@needs("runs.delete_project")
def delete_project(request: HttpRequest, slug: str) -> HttpResponse:
    """Delete a project that has no runs."""
    project = get_object_or_404(Project, slug=slug)
    if not retention.delete_project(project):
        messages.error(
            request, f"{project.name} still has runs; delete them and purge them from the trash first."
        )
        return redirect(project)
    messages.success(request, f"{project.name} is deleted; its name and address are free again.")
    return redirect("home")


def discard(request: HttpRequest, runs: RunQuerySet, *, stop: bool = False) -> None:
    """Move runs to the trash as far as this person may, and say what became of them.

    Raises:
        PermissionDenied: if none of them is in reach.
    """
    discarded = retention.discard(_in_reach(request, runs), stop=stop)
    if discarded.moved:
        link = format_html('<a href="{}">the trash</a>', reverse("trash"))
        is_are = "is" if discarded.moved == 1 else "are"
        messages.success(request, format_html("{} {} in {} now.", counted(discarded.moved), is_are, link))
    if discarded.left:
        waits = "it waits or trains" if discarded.left == 1 else "they wait or train"
        messages.warning(request, f"{counted(discarded.left)} not deleted: {waits}. Stop first, then delete.")


def purged_at(run: Run) -> Any:
    """Return when a run of the trash goes by itself; None where that never happens."""
    return (
        run.deleted_at + timedelta(days=settings.TRASH_DAYS)
        if run.deleted_at and settings.TRASH_DAYS
        else None
    )


def _named(numbers: Sequence[int]) -> RunQuerySet:
    return Run.objects.filter(pk__in=numbers)


def _in_reach(request: HttpRequest, runs: RunQuerySet) -> RunQuerySet:
    in_reach = runs.filter(retention.in_reach_of(request.user))
    missed = runs.count() - in_reach.count()
    if missed and not in_reach.exists():
        raise PermissionDenied(
            "You can delete, restore and purge the runs that you submitted. Other people's need the right to"
            f" delete runs ({retention.DELETE}). An administrator can grant it."
        )
    if missed:
        messages.warning(
            request, f"{counted(missed)} left as before: other people's need the right {retention.DELETE}."
        )
    return in_reach


def _restore(request: HttpRequest, runs: RunQuerySet) -> None:
    restored = retention.restore(runs)
    if restored:
        messages.success(request, f"{counted(restored)} restored.")
    else:
        messages.info(request, "No run was restored: its purge has begun, or it is not in the trash.")


def _purge(request: HttpRequest, runs: RunQuerySet) -> None:
    begun = retention.begin_purge(runs)
    freed = retention.purge(PURGE_SECONDS)
    left = retention.left_to_purge()
    if freed.runs or left:
        rest = f" {counted(left)} still being purged; that goes on by itself." if left else ""
        messages.success(request, f"{freed} freed.{rest}")
    elif not begun:
        messages.info(request, "No run was purged: it is still being stopped, or it is not in the trash.")
