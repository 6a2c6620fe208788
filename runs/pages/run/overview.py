"""The overview of a run: its figures beside those of its parent, what is wrong with it, four small charts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from runs.charts.chart import marks_layout
from runs.charts.layers import MEASURES
from runs.models import Run, Series, Source
from runs.pages.changed import changed_from_reference
from runs.pages.formats import metric_title
from runs.pages.run import news as charts_news
from runs.pages.run import outside
from runs.pages.run.alerts import SEED_COUNTS, RunAlerts, run_alerts
from runs.pages.run.deltas import deltas
from runs.pages.run.view import RunPage
from runs.reading.metrics import higher_is_better

MARKED = ("loss", "headline", "gradients")  # charts that grow while their run trains
FEW_ATTEMPTS = 20
MOST_ATTEMPTS = 2000


@dataclass(frozen=True)
class Best:
    """The best value that the headline metric had, and where."""

    value: float
    step: int


_PARTS = {
    "run-figures": "runs/_run_figures.html",
    "alerts": "runs/_alerts.html",
    "attempts": "runs/_attempts.html",
}


def show(page: RunPage) -> dict[str, Any]:
    """Return what the overview needs."""
    if page.run.source == Source.OUTSIDE:
        gallery = outside.gallery(page.run)
        return {"gallery": gallery, "cursor": gallery.cursor, **_facts(page)}
    view = page.view(page.step)
    measure = page.choice("measure", MEASURES, view.measure)
    charts, cursor = charts_news.whole(page.run, view)
    return {
        "charts": charts,
        "blank": page.run.is_over and not any(chart.figure.get("data") for chart in charts.values()),
        "cursor": cursor,
        "measure": measure,
        "measures": [(name, metric_title(name)) for name in MEASURES],
        **_facts(page),
    }


def news(page: RunPage, after: str) -> tuple[dict[str, Any], dict[str, str]]:
    """Return what came since a cursor."""
    if page.run.source == Source.OUTSIDE:
        answer = outside.news(page.run, after)
    else:
        view = page.view(page.step)
        answer = charts_news.news(page.run, view, charts_news.Cursor.parse(after))
        answer["marks"] = {"ids": MARKED, "layout": marks_layout(view.marks)}
    return answer | {"context": _facts(page)}, _PARTS


def _facts(page: RunPage) -> dict[str, Any]:
    """Return what stands beside the charts."""
    wanted = [alert for alert in page.alerts if alert.state == "open" and not alert.is_muted]
    known = outside.facts(page.run) if page.run.source == Source.OUTSIDE else {}
    return {
        "alerts": run_alerts(page.run, wanted) if wanted else RunAlerts(),
        "others": len(page.alerts) - len(wanted),
        "seed_counts": SEED_COUNTS,
        "deltas": deltas(page.run),
        "changed": changed_from_reference(page.run),
        "folded": True,
        "best": _best(page.run) if page.run.is_over and page.run.headline else None,
        **_attempts(page.run, every=page.query.get("attempts") == "all"),
        **known,
    }


def _best(found: Run) -> Best | None:
    """Return the best value of the headline metric of a run that is over."""
    row = Series.objects.filter(run=found, metric=found.headline, layer=None).first()
    if row is None:
        return None
    ends = ((row.maximum, row.maximum_step), (row.minimum, row.minimum_step))
    value, step = ends[0] if higher_is_better(found.headline) else ends[1]
    return None if value is None or step is None else Best(value, step)


def _attempts(found: Run, *, every: bool) -> dict[str, Any]:
    """Return the last tries at a run, in their order, and how many others there are."""
    most = MOST_ATTEMPTS if every else FEW_ATTEMPTS
    last = list(found.attempts.order_by("-number")[: most + 1])
    earlier = found.attempts.count() - most if len(last) > most else 0
    return {"attempts": last[:most][::-1], "earlier": earlier}
