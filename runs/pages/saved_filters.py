"""Saved filters: views of a project's runs table under a name, for everybody who reads it."""

from __future__ import annotations

from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import get_object_or_404, redirect
from django.views.decorators.http import require_POST

from runs.models import Project, SavedFilter
from runs.pages.frame import needs
from runs.pages.selection import run_numbers
from runs.reading.table import parse_table_query

MAX_NAME = 60
MAX_SAVED = 100  # of a project
MAX_QUERY = 4000  # characters, which a browser's address bar holds


@require_POST
@needs("runs.submit_sweep")
def save(request: HttpRequest, slug: str) -> HttpResponse:
    """Save the view under a name; one that is taken is replaced only where that is asked for."""
    project = get_object_or_404(Project, slug=slug)
    query = parse_table_query(project, QueryDict(request.POST.get("query", "")[:MAX_QUERY])).canonical
    name = request.POST.get("name", "").strip()
    fault = _fault(project, name, query)
    if fault:
        messages.error(request, fault)
    elif _store(request, project, name, query):
        messages.success(request, f"This view is saved as “{name}”.")
    else:
        messages.error(
            request, f"There is a view named “{name}” already; tick “replace”, or choose another name."
        )
    return redirect(f"{project.get_absolute_url()}?{query}")


@require_POST
@needs("runs.submit_sweep")
def delete(request: HttpRequest, slug: str) -> HttpResponse:
    """Delete a saved view; the runs stay."""
    project = get_object_or_404(Project, slug=slug)
    chosen = run_numbers(request.POST.get("filter", "")).numbers[:1]
    found = SavedFilter.objects.filter(project=project, pk__in=chosen).first()
    if found is not None:
        found.delete()
        messages.success(request, f"The saved view “{found.name}” is deleted.")
    return redirect(project)


def _fault(project: Project, name: str, query: str) -> str:
    if not query:
        return "This view is the whole table in its usual order; filter or sort it first."
    if not 1 <= len(name) <= MAX_NAME or not name.isprintable():
        return f"Expected a name of 1 to {MAX_NAME} printable characters, got {name[:80]!r}."
    if SavedFilter.objects.filter(project=project).exclude(name=name).count() >= MAX_SAVED:
        return f"This project has {MAX_SAVED} saved views already; delete one first."
    return ""


def _store(request: HttpRequest, project: Project, name: str, query: str) -> bool:
    """Write the view; False where another has the name and must not be replaced."""
    with transaction.atomic():
        found, made = SavedFilter.objects.get_or_create(
            project=project, name=name, defaults={"query": query, "created_by_id": request.user.pk}
        )
        if not made and found.query != query:
            if "replace" not in request.POST:
                return False
            SavedFilter.objects.filter(pk=found.pk).update(query=query, created_by=request.user.pk)
    return True
