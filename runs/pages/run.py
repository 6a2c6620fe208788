"""A run: how it stands, what the health checks say, its charts and its configuration."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.template.loader import render_to_string
from django.views.decorators.http import require_GET

from nnlab.data.config import DataConfig
from nnlab.engine.config import TrainingConfig
from runs.alerts.fixing import USUAL_SEEDS
from runs.alerts.verdicts import MOST_SEEDS
from runs.charts.chart import marks_layout
from runs.charts.layers import MEASURES
from runs.estimating.starts import expected_starts
from runs.models import Alert, Run, Source, Status
from runs.pages import live as live_charts
from runs.pages import outside_charts
from runs.pages.formats import metric_title
from runs.pages.frame import render_page
from runs.pages.run_alerts import RunAlerts, run_alerts
from runs.pages.run_charts import RunView, view_of
from runs.pages.trash import purged_at
from runs.retention import may_delete

MARKED = ("loss", "headline", "gradients")  # charts that grow while their run trains
SEED_COUNTS = (3, USUAL_SEEDS, 10, 20, MOST_SEEDS)  # of pairs, to choose from

_RANKS = {"critical": 0, "warning": 1, "info": 2}


@dataclass(frozen=True)
class Place:
    """Where a run stands within its sweep: its number, of how many, and its neighbours' keys."""

    number: int
    of: int
    previous: int | None
    next: int | None


@require_GET
def run(request: HttpRequest, run_id: int) -> HttpResponse:
    """Show one run."""
    found, alerts, view = _load(request, run_id)
    if found.deleted_at:
        return _deleted(request, found)
    if found.source == Source.OUTSIDE:
        return _outside(request, found, alerts)
    charts, cursor = live_charts.whole(found, view)
    shown = run_alerts(found, alerts)
    context = {
        "run": found,
        "place": _place(found),
        "alerts": shown,
        "seed_counts": SEED_COUNTS,
        "charts": charts,
        "cursor": cursor,
        **_attempts(found),
        "measure": view.measure,
        "measures": [(name, metric_title(name)) for name in MEASURES],
        "configuration": _configuration(found),
        "mine": may_delete(request.user, found),
    }
    return render_page(request, "runs/run.html", context)


@require_GET
def live(request: HttpRequest, run_id: int) -> HttpResponse:
    """Return what is new in a run since the cursor in ``after``."""
    found, alerts, view = _load(request, run_id)
    if found.deleted_at:
        raise Http404(f"run {run_id} is in the trash")
    after = request.GET.get("after", "")
    shown = run_alerts(found, alerts) if alerts else RunAlerts()
    state: dict[str, Any] = {"run": found, "alerts": shown, **_attempts(found)}
    if found.source == Source.OUTSIDE:
        answer, template = outside_charts.news(found, after), "runs/_outside_state.html"
        state |= outside_charts.facts(found)
    else:
        answer, template = (
            live_charts.news(found, view, live_charts.Cursor.parse(after)),
            "runs/_run_state.html",
        )
        answer["marks"] = {"ids": MARKED, "layout": marks_layout(view.marks)}
    answer["fragments"] = answer.get("fragments", {}) | {
        "run-state": render_to_string(template, state, request),
        "alerts": render_to_string(
            "runs/_alerts.html", {"run": found, "alerts": shown, "seed_counts": SEED_COUNTS}, request
        ),
        "attempts": render_to_string("runs/_attempts.html", state, request),
    }
    answer["over"] = found.is_over
    return HttpResponse(
        orjson.dumps(answer, option=orjson.OPT_SERIALIZE_NUMPY), content_type="application/json"
    )


def _outside(request: HttpRequest, found: Run, alerts: Sequence[Alert]) -> HttpResponse:
    gallery = outside_charts.gallery(found)
    shown = run_alerts(found, alerts)
    context = {
        "run": found,
        "place": _place(found),
        "alerts": shown,
        "seed_counts": SEED_COUNTS,
        "gallery": gallery,
        **_attempts(found),
        "cursor": gallery.cursor,
        "parameters": list(_flat("", found.config)),
        "mine": may_delete(request.user, found),
        **outside_charts.facts(found),
    }
    return render_page(request, "runs/run_outside.html", context)


def _attempts(found: Run) -> dict[str, Any]:
    """Return the tries at a run, and where it waits for another one, when that will be."""
    is_queued = found.status == Status.QUEUED
    return {
        "attempts": list(found.attempts.order_by("number")),
        "expected": expected_starts([found.pk]).get(found.pk) if is_queued else None,
    }


def _flat(prefix: str, config: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for name, value in config.items():
        if isinstance(value, Mapping) and value:
            yield from _flat(f"{prefix}{name}.", value)
        else:
            yield f"{prefix}{name}", value


def _deleted(request: HttpRequest, found: Run) -> HttpResponse:
    mine = may_delete(request.user, found)
    return render_page(
        request, "runs/run_deleted.html", {"run": found, "mine": mine, "purged_at": purged_at(found)}
    )


def _load(request: HttpRequest, run_id: int) -> tuple[Run, list[Alert], RunView]:
    found = get_object_or_404(
        Run.objects.select_related("project", "sweep__project", "sweep__created_by", "parent", "ledger"),
        pk=run_id,
    )
    alerts = sorted(
        found.alerts.select_related("acknowledged_by"),
        key=lambda alert: (alert.state != "open", _RANKS[alert.severity], alert.opened_step),
    )
    return found, alerts, view_of(found, alerts, request.GET.get("measure", ""))


def _place(found: Run) -> Place:
    keys = list(Run.objects.kept().filter(sweep=found.sweep_id).order_by("pk").values_list("pk", flat=True))
    at = keys.index(found.pk)
    return Place(
        at + 1, len(keys), keys[at - 1] if at else None, keys[at + 1] if at + 1 < len(keys) else None
    )


def _configuration(found: Run) -> list[tuple[str, list[tuple[str, Any, bool]]]]:
    """Return the parts of the configuration: names, values, and whether each is not the default."""
    data, training = found.config["data"], found.config["training"]
    plain = {"data": DataConfig(dataset=data["dataset"]).to_dict(), "training": TrainingConfig().to_dict()}
    return [
        (part, [(name, value, value != plain[part].get(name, value)) for name, value in values.items()])
        for part, values in (("data", data), ("training", training))
    ]
