"""A run's page: its frame with the row of tabs, and what is new on the tab that somebody looks at."""

from __future__ import annotations

from typing import Any

import orjson
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.template.loader import render_to_string
from django.views.decorators.http import require_GET

from runs.models import Run
from runs.pages.frame import render_page
from runs.pages.run.standing import standing
from runs.pages.run.tabs import TABS
from runs.pages.run.view import RunPage, place_of, tab_links
from runs.pages.trash import purged_at
from runs.retention import may_delete
from runs.store.marks import tags_of

_RANKS = {"critical": 0, "warning": 1, "info": 2}


@require_GET
def run(request: HttpRequest, run_id: int, tab: str = "overview") -> HttpResponse:
    """Show a tab of one run."""
    page = _load(request, run_id)
    if page.run.deleted_at:
        return _deleted(request, page.run)
    page.expect(TABS[tab].known)
    context = {
        **_frame(page, tab),
        **TABS[tab].show(page),
        "place": place_of(page.run),
        "live_address": page.live_address(tab),
        "address": page.tab_address(tab),
        "mine": may_delete(request.user, page.run),
        "warnings": page.warnings,
        "tags": tags_of([page.run.pk]).get(page.run.pk, []),
    }
    return render_page(request, f"runs/run_{tab}.html", context)


@require_GET
def live(request: HttpRequest, run_id: int) -> HttpResponse:
    """Return what is new on a tab of a run since the cursor in ``after``."""
    page = _load(request, run_id)
    if page.run.deleted_at:
        raise Http404(f"run {run_id} is in the trash")
    answer = orjson.dumps(news(request, page), option=orjson.OPT_SERIALIZE_NUMPY)
    return HttpResponse(answer, content_type="application/json")


def news(request: HttpRequest, page: RunPage) -> dict[str, Any]:
    """Return what is new on the tab that ``tab`` names since the cursor in ``after``."""
    tab = page.query.get("tab", "")
    tab = tab if tab in TABS else "overview"
    answer, parts = TABS[tab].news(page, page.query.get("after", ""))
    frame = _frame(page, tab)
    parts = {"run-state": "runs/_run_state.html", "run-tabs": "runs/_run_tabs.html", **parts}
    context = frame | answer.pop("context", {})
    fragments = {key: render_to_string(template, context, request) for key, template in parts.items()}
    return answer | {"fragments": answer.get("fragments", {}) | fragments, "over": page.run.is_over}


def _frame(page: RunPage, tab: str) -> dict[str, Any]:
    titles = {key: of.title for key, of in TABS.items()}
    return {"run": page.run, "tab": tab, "tabs": tab_links(page, titles), **standing(page)}


def _deleted(request: HttpRequest, found: Run) -> HttpResponse:
    mine = may_delete(request.user, found)
    return render_page(
        request, "runs/run_deleted.html", {"run": found, "mine": mine, "purged_at": purged_at(found)}
    )


def _load(request: HttpRequest, run_id: int) -> RunPage:
    found = get_object_or_404(
        Run.objects.select_related(
            "project__baseline", "sweep__project", "sweep__created_by", "parent", "ledger"
        ),
        pk=run_id,
    )
    alerts = sorted(
        found.alerts.select_related("acknowledged_by"),
        key=lambda alert: (alert.state != "open", _RANKS[alert.severity], alert.opened_step),
    )
    return RunPage(found, alerts, request.GET.dict())
