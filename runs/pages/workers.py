"""The workers: which machines train, what they have at hand, and whether all is well with them."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from runs.pages.frame import render_page
from runs.reading.workers import muster


@require_GET
def show(request: HttpRequest) -> HttpResponse:
    """Show every worker."""
    return render_page(request, "runs/workers.html", {"muster": muster()})


@require_GET
def now(request: HttpRequest) -> HttpResponse:
    """Return what is on the page now, for one that somebody watches."""
    return render(request, "runs/_workers.html", {"muster": muster()})
