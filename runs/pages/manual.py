"""Help: the keys, the words, and what the health checks look for."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_GET

from nnlab.health.checks.catalogue import CHECKS, summary
from runs.pages.frame import render_page

KEYS = (
    ("/", "search in the table"),
    ("?", "this page"),
    ("g h", "home"),
    ("g r", "runs of the project"),
    ("g c", "compare runs of the project"),
    ("g a", "alerts"),
    ("g d", "datasets"),
    ("g q", "queue"),
    ("n", "new sweep"),
    ("j  k", "next row, row before"),
    ("x", "tick the row"),
    ("s", "pin the row's run as baseline, or unpin it"),
    ("c", "compare the ticked runs"),
    ("[  ]", "run or page before, next one"),
    ("Esc", "leave a field, or clear the ticks"),
)
_COLUMNS = (KEYS[:8], KEYS[8:])  # where keys lead, and what they do there


@require_GET
def show(request: HttpRequest) -> HttpResponse:
    """Show the keys, a glossary and the catalogue of checks."""
    checks = [(check.id, summary(check), str(check.severity.value)) for check in CHECKS]
    return render_page(request, "runs/help.html", {"keys": _COLUMNS, "checks": checks})
