"""Saved views: pages just as somebody looks at them, under a name or only behind a short link."""

from __future__ import annotations

from datetime import timedelta

from django.contrib import messages
from django.core.exceptions import BadRequest
from django.db import IntegrityError, transaction
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import get_object_or_404, redirect
from django.urls import Resolver404, ResolverMatch, resolve, reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.http import urlencode
from django.views.decorators.http import require_GET, require_POST

from runs.models import Project, Run, SavedView
from runs.pages.frame import check_right, needs
from runs.pages.selection import run_numbers
from runs.reading.table import parse_table_query

MAX_NAME = 60
MAX_SAVED = 100  # of a project
MAX_QUERY = 16_000  # characters, which browsers and servers still pass on
LONG = 1_500  # characters of an address that are too many for a message or a chat
SUBMIT = "runs.submit_sweep"
_NO_VIEWS = frozenset({"login", "logout", "home", "help", "view", "view-save"})
_SEEN = timedelta(minutes=1)  # that the time of the last opening may be behind


@require_GET
def follow(request: HttpRequest, short: str) -> HttpResponse:
    """Lead from a short link to the whole address."""
    view = get_object_or_404(SavedView, short=short)
    _note_use(view)
    return redirect(view.get_absolute_url())


@require_POST
def save(request: HttpRequest) -> HttpResponse:
    """Keep a view: under a name, or without one only behind a short link."""
    path, query, project = _address(request)
    name = request.POST.get("name", "").strip()
    if "name" in request.POST:
        check_right(request, SUBMIT)
        _save_named(request, project, name, path, query)
        return redirect(f"{path}?{query}" if query else path)
    link = request.build_absolute_uri(short_link(request, path, query, project))
    messages.success(request, format_html('A link to this view: <a href="{}">{}</a>', link, link))
    return redirect(f"{path}?{query}" if query else path)


@require_POST
@needs(SUBMIT)
def delete(request: HttpRequest, slug: str) -> HttpResponse:
    """Delete a saved view; what it showed stays."""
    project = get_object_or_404(Project, slug=slug)
    chosen = run_numbers(request.POST.get("view", "")).numbers[:1]
    found = SavedView.objects.filter(project=project, pk__in=chosen).first()
    if found is not None:
        found.delete()
        messages.success(request, f"The saved view “{found.name}” is deleted.")
    return redirect(project)


def short_link(request: HttpRequest, path: str, query: str, project: Project | None) -> str:
    """Return the address of a view's short link; the same view always has the same."""
    wanted = {"project": project, "path": path, "query": query}
    view = SavedView.objects.filter(**wanted).order_by("pk").first()
    view = view or SavedView.objects.create(created_by_id=request.user.pk, **wanted)
    _note_use(view)
    return reverse("view", args=[view.short])


def _note_use(view: SavedView) -> None:
    now = timezone.now()
    if view.opened_at < now - _SEEN:
        SavedView.objects.filter(pk=view.pk).update(opened_at=now)


def _address(request: HttpRequest) -> tuple[str, str, Project | None]:
    """Read which page is meant, its query in canonical form, and whose project it is of.

    Raises:
        BadRequest: for what is no page of ours.
    """
    path, text = request.POST.get("path", "")[:200], request.POST.get("query", "").removeprefix("?")
    if len(text) > MAX_QUERY:
        raise BadRequest(f"expected an address of at most {MAX_QUERY:,} characters, got {len(text):,}")
    try:
        match = resolve(path)
    except Resolver404:
        raise BadRequest(f"expected the address of a page, got {path[:80]!r}") from None
    if match.app_names or (match.url_name or "") in _NO_VIEWS:
        raise BadRequest(f"expected a page that can be saved, got {path[:80]!r}")
    project = _project_of(match)
    return path, _canonical(match, project, QueryDict(text.replace("\x00", ""))), project


def _project_of(match: ResolverMatch) -> Project | None:
    if slug := match.kwargs.get("slug"):
        return get_object_or_404(Project, slug=slug)
    if number := match.kwargs.get("run_id"):
        return get_object_or_404(Run.objects.select_related("project"), pk=number).project
    return None


def _canonical(match: ResolverMatch, project: Project | None, given: QueryDict) -> str:
    """Write a query so that equal views have equal ones."""
    if match.url_name == "project":
        return parse_table_query(project, given).canonical
    pairs = sorted((name, value) for name, values in given.lists() for value in values if value)
    return urlencode(pairs).replace("%2C", ",").replace("%21", "!")


def _save_named(request: HttpRequest, project: Project | None, name: str, path: str, query: str) -> None:
    fault = _fault(project, name, path, query)
    if fault:
        messages.error(request, fault)
        return
    try:
        stored = _store(request, project, name, path, query)
    except IntegrityError:  # somebody else took the name a moment ago
        stored = False
    if stored:
        messages.success(request, f"This view is saved as “{name}”.")
    else:
        messages.error(
            request, f"There is a view named “{name}” already; tick “replace”, or choose another name."
        )


def _fault(project: Project | None, name: str, path: str, query: str) -> str:
    if not query and project is not None and path == project.get_absolute_url():
        return "This view is the whole table in its usual order; filter or sort it first."
    if not 1 <= len(name) <= MAX_NAME or not name.isprintable():
        return f"Expected a name of 1 to {MAX_NAME} printable characters, got {name[:80]!r}."
    named = SavedView.objects.filter(project=project).exclude(name="")
    if named.exclude(name=name).count() >= MAX_SAVED:
        return f"There are {MAX_SAVED} saved views already; delete one first."
    return ""


def _store(request: HttpRequest, project: Project | None, name: str, path: str, query: str) -> bool:
    """Write the view; False where another has the name and must not be replaced."""
    with transaction.atomic():
        named = SavedView.objects.filter(project=project, name=name).first()
        if named is not None and (named.path, named.query) == (path, query):
            return True
        if named is not None:
            if "replace" not in request.POST:
                return False
            SavedView.objects.filter(pk=named.pk).update(name="")  # links to it lead on to what they meant
        SavedView.objects.create(
            project=project, name=name, path=path, query=query, created_by_id=request.user.pk
        )
    return True
