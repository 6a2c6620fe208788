"""The inbox: alerts of all projects."""

from __future__ import annotations

from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_GET

from runs.models import Project
from runs.pages.frame import render_page
from runs.reading import overview

_FIELDS = ("severity", "state", "project")


@require_GET
def alerts(request: HttpRequest) -> HttpResponse:
    """Show the alerts that the address asks for; open ones unless it says otherwise."""
    chosen = {"state": "open", **{name: request.GET[name] for name in _FIELDS if name in request.GET}}
    number = request.GET.get("page", "1")
    page = overview.inbox(
        chosen.get("severity", ""), chosen["state"], chosen.get("project", "").replace("\x00", ""), number
    )
    context = {
        "page": page,
        "chosen": chosen,
        "severities": overview.SEVERITIES,
        "states": overview.STATES,
        "projects": Project.objects.all(),
        "previous": _address(chosen, page.number - 1) if page.has_previous() else "",
        "next": _address(chosen, page.number + 1) if page.has_next() else "",
    }
    return render_page(request, "runs/alerts.html", context)


def _address(chosen: dict[str, str], page: int) -> str:
    return f"?{urlencode({**chosen, 'page': page})}"
