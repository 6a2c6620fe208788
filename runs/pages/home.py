"""Home: projects, newest sweeps, queue and newest alerts; and the sign of life for a load balancer."""

from __future__ import annotations

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.db import DatabaseError, connection
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.http import require_GET

from runs.pages.frame import render_page
from runs.pages.highlights import highlights
from runs.reading import overview
from runs.reading.sweeps import recent_sweeps
from runs.reading.workers import why_waiting


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
    }
    return render_page(request, "runs/home.html", context)


@require_GET
@login_not_required
def healthz(request: HttpRequest) -> HttpResponse:
    """Say whether the database answers: 200 or 503."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError:
        return JsonResponse({"database": "does not answer"}, status=503)
    return JsonResponse({"database": "ok"}, headers={"X-Nnlab-Instance": settings.INSTANCE})
