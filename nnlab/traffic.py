"""Every request of the web server: its id, its line in the log, and its part in the counts for Prometheus."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Callable, Iterable
from time import perf_counter
from uuid import uuid4

from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from prometheus_client import CollectorRegistry, Counter, Histogram, Metric
from prometheus_client.multiprocess import MultiProcessCollector

from nnlab import logs

logger = logging.getLogger(__name__)

HEADER = "X-Request-ID"
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
PROBES = frozenset({"healthz", "readyz", "metrics"})  # routes that machines ask for every few seconds
BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_SANE_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{7,63}")

_registry = CollectorRegistry()
_answered = Counter(
    "nnlab_http_requests",
    "Requests that were answered, by route, method and status.",
    ["route", "method", "status"],
    registry=_registry,
)
_seconds = Histogram(
    "nnlab_http_request_seconds",
    "Time from a request to its answer's first byte, by route.",
    ["route"],
    buckets=BUCKETS,
    registry=_registry,
)

Answer = Callable[[HttpRequest], HttpResponseBase]


def watched(get_response: Answer) -> Answer:
    """Return the outermost middleware, which sees every request and its answer."""

    def answer(request: HttpRequest) -> HttpResponseBase:
        began = perf_counter()
        logs.forget()  # what the thread's last request has bound
        request_id = _id_of(request)
        logs.bind(request_id=request_id)
        response = get_response(request)
        response[HEADER] = request_id
        _note(request, response.status_code, perf_counter() - began)
        logs.forget()
        return response

    return answer


def counts() -> Iterable[Metric]:
    """Return the counts of all processes of this web server."""
    if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
        return _registry.collect()
    together = CollectorRegistry()
    MultiProcessCollector(together)  # type: ignore[no-untyped-call]  # it registers itself
    return together.collect()


def _id_of(request: HttpRequest) -> str:
    """Return the id that a proxy has given the request, where it is one, or a new one."""
    given = request.headers.get(HEADER, "")
    return given if _SANE_ID.fullmatch(given) else uuid4().hex


def _note(request: HttpRequest, status: int, seconds: float) -> None:
    route, method = _route(request), request.method or ""
    _answered.labels(route, method if method in METHODS else "other", str(status)).inc()
    _seconds.labels(route).observe(seconds)
    user = getattr(request, "_cached_user", None)  # None too where nobody had to ask whose session it is
    if user is not None and user.pk is not None:
        logs.bind(user_id=user.pk)
    level = logging.DEBUG if route in PROBES or route == "static" else logging.INFO
    # The path alone: what stands behind it may hold what is nobody's business.
    facts = {"method": method, "path": request.path, "status": status, "duration_ms": round(seconds * 1e3, 1)}
    logger.log(level, "answered", extra=facts)


def _route(request: HttpRequest) -> str:
    """Name the route, of which there are few, not the address, of which there may be any number."""
    match = request.resolver_match
    if match is not None:
        return match.view_name or "unnamed"
    return "static" if request.path.startswith(settings.STATIC_URL) else "unmatched"
