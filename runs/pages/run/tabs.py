"""The tabs of a run's page: what each is called, what its address may say, and what shows it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

from runs.pages.run import alerts, config, gradients, health, logs, metrics, overview, snapshots
from runs.pages.run.view import RunPage

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
    "overview": Tab("Overview", ("measure", "step", "attempts"), overview.show, overview.news),
    "metrics": Tab("Metrics", metrics.KNOWN, metrics.show, metrics.news),
    "health": Tab("Health", ("step",), health.show, health.news),
    "gradients": Tab("Gradients", ("step",), gradients.show, gradients.news),
    "activations": Tab("Activations", snapshots.KNOWN, snapshots.show_activations, snapshots.activation_news),
    "weights": Tab("Weights", snapshots.KNOWN, snapshots.show_weights, snapshots.weight_news),
    "config": Tab("Config", config.KNOWN, config.show, config.news),
    "logs": Tab("Logs", ("level",), logs.show, logs.news),
    "alerts": Tab("Alerts", (), alerts.show, alerts.news),
}
