"""Home: projects, newest sweeps, queue and newest alerts."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_GET

from runs.models import SavedView
from runs.pages.frame import render_page
from runs.pages.highlights import highlights
from runs.reading import overview
from runs.reading.sweeps import recent_sweeps
from runs.reading.workers import why_waiting

RECENT_VIEWS = 5


@require_GET
def home(request: HttpRequest) -> HttpResponse:
    """Show every project, the newest sweeps, the queue and the newest alerts."""
    queue = overview.queue()
    context = {
        "cards": highlights(overview.project_cards()),
        "sweeps": recent_sweeps(),
        "queue": queue,
        "why_waiting": why_waiting() if queue.waiting else "",
        "alerts": overview.newest_alerts(),
        "views": SavedView.objects.exclude(name="").order_by("-opened_at")[:RECENT_VIEWS],
    }
    return render_page(request, "runs/home.html", context)
