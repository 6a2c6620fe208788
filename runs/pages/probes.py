"""What machines ask every few seconds: is it alive, is it ready, and its metrics."""

from __future__ import annotations

import hmac
import logging
from datetime import timedelta
from http import HTTPStatus

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.db import DatabaseError
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from runs.models import ApiToken
from runs.readiness import readiness
from runs.telemetry.exposition import exposition

logger = logging.getLogger(__name__)

METRICS_RIGHT = "runs.view_worker"
_NO_ACCESS = (
    f"expected as a bearer NNLAB_METRICS_TOKEN, or the token of a user with the right {METRICS_RIGHT}\n"
)
USE_NOTED_EVERY = timedelta(minutes=1)


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


@require_safe
@login_not_required
@never_cache
def metrics(request: HttpRequest) -> HttpResponse:
    """Give the metrics to who has the token for them, or that of a user who may see the workers."""
    kind, _, token = request.headers.get("Authorization", "").partition(" ")
    status = _access(token.strip()) if kind.lower() == "bearer" and token.strip() else HTTPStatus.UNAUTHORIZED
    if status != HTTPStatus.OK:
        return HttpResponse(
            _NO_ACCESS, status=status, content_type="text/plain", headers={"WWW-Authenticate": "Bearer"}
        )
    text, content_type = exposition(request.headers.get("Accept", ""))
    return HttpResponse(text, content_type=content_type)


def _access(token: str) -> HTTPStatus:
    """Tell whether a token opens the metrics; that of the settings does while the database is away, too."""
    if settings.METRICS_TOKEN and hmac.compare_digest(token.encode(), settings.METRICS_TOKEN.encode()):
        return HTTPStatus.OK
    try:
        found = ApiToken.objects.select_related("user").filter(digest=ApiToken.digest_of(token)).first()
        if found is None or not found.user.is_active:
            return HTTPStatus.UNAUTHORIZED
        _note_use(found)
        return HTTPStatus.OK if found.user.has_perm(METRICS_RIGHT) else HTTPStatus.FORBIDDEN
    except DatabaseError as error:
        logger.warning("the database does not answer: %s", error)
        return HTTPStatus.SERVICE_UNAVAILABLE


def _note_use(token: ApiToken) -> None:
    """Note when a token was used, to the minute."""
    now = timezone.now()
    if token.last_used_at is None or token.last_used_at < now - USE_NOTED_EVERY:
        ApiToken.objects.filter(pk=token.pk).update(last_used_at=now)
