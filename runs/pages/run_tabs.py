"""The tabs of a run's page: what each is called, what its address may say, and what shows it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

from runs.pages import (
    run_alerts,
    run_config,
    run_gradients,
    run_health,
    run_logs,
    run_metrics,
    run_overview,
    run_snapshots,
)
from runs.pages.run_page import RunPage

# What is new: charts, cursor and context; and the templates of the parts of the page that are filled anew.
News: TypeAlias = tuple[dict[str, Any], dict[str, str]]


@dataclass(frozen=True)
class Tab:
    """One way to look at a run; only the chosen one reads what it shows.

    Args:
        known: the parts that its address may have.
        show: returns what its template ``runs/run_<key>.html`` needs.
        news: returns what came since a cursor.
    """

    title: str
    known: tuple[str, ...]
    show: Callable[[RunPage], dict[str, Any]]
    news: Callable[[RunPage, str], News]


TABS = {
    "overview": Tab("Overview", ("measure", "step", "attempts"), run_overview.show, run_overview.news),
    "metrics": Tab("Metrics", run_metrics.KNOWN, run_metrics.show, run_metrics.news),
    "health": Tab("Health", ("step",), run_health.show, run_health.news),
    "gradients": Tab("Gradients", ("step",), run_gradients.show, run_gradients.news),
    "activations": Tab(
        "Activations", run_snapshots.KNOWN, run_snapshots.show_activations, run_snapshots.activation_news
    ),
    "weights": Tab("Weights", run_snapshots.KNOWN, run_snapshots.show_weights, run_snapshots.weight_news),
    "config": Tab("Config", run_config.KNOWN, run_config.show, run_config.news),
    "logs": Tab("Logs", ("level",), run_logs.show, run_logs.news),
    "alerts": Tab("Alerts", (), run_alerts.show, run_alerts.news),
}
