"""What machines ask every few seconds: is it alive, is it ready."""

from __future__ import annotations

from http import HTTPStatus

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from runs.readiness import readiness


@require_safe
@login_not_required
@never_cache
def healthz(request: HttpRequest) -> HttpResponse:
    """Say that the web server is alive; nothing else is asked, so that nothing else makes it look dead."""
    return JsonResponse({"alive": True}, headers={"X-Nnlab-Instance": settings.INSTANCE})


@require_safe
@login_not_required
@never_cache
def readyz(request: HttpRequest) -> HttpResponse:
    """Say how database, migrations and broker stand: 200, or 503 where one keeps runs from being trained."""
    found = readiness()
    parts = {name: trouble or "ok" for name, trouble in found.parts.items()}
    status = HTTPStatus.OK if found.is_ready else HTTPStatus.SERVICE_UNAVAILABLE
    return JsonResponse({"ready": found.is_ready, **parts}, status=status)
