"""The log of a run: what its workers said, the last lines of it; the rest as a file."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.views.decorators.http import require_GET

from runs.models import Run
from runs.pages.run.view import RunPage
from runs.reading.run_log import LEVELS, read_log

SHOWN = 500  # lines


def show(page: RunPage) -> dict[str, Any]:
    """Return what the tab of the log needs."""
    level = page.choice("level", LEVELS, LEVELS[0])
    entries = read_log(page.run, level)
    earlier = max(0, len(entries) - SHOWN)
    return {"entries": entries[-SHOWN:], "earlier": earlier, "level": level, "levels": LEVELS, "cursor": ""}


def news(page: RunPage, after: str) -> tuple[dict[str, Any], dict[str, str]]:
    """Return the lines as they are now."""
    parts = {"log-lines": "runs/_log_lines.html", "log-count": "runs/_log_count.html"}
    return {"context": show(page), "next": after}, parts


@require_GET
def download(request: HttpRequest, run_id: int) -> HttpResponse:
    """Answer with all lines that are kept of a run, as plain text."""
    found = get_object_or_404(Run.objects.kept(), pk=run_id)
    text = "".join(f"{entry}\n" for entry in read_log(found))
    disposition = f'attachment; filename="run-{found.pk}.log"'
    return HttpResponse(
        text, content_type="text/plain; charset=utf-8", headers={"Content-Disposition": disposition}
    )
