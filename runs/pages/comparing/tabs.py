"""The tabs of the compare page, in their order."""

from __future__ import annotations

from runs.pages.comparing import config, curves, differences, factors, importance, parallel, tradeoff
from runs.pages.comparing.view import FIELDS, Tab

TABS = (
    Tab(
        "curves",
        "Curves",
        "runs/compare/curves.html",
        curves.curves_tab,
        fields=("page", "tests"),
        controls=tuple(name for name in FIELDS if name not in {"tab", "hide"}),
    ),
    Tab("factors", "Factors", "runs/compare/factors.html", factors.factors_tab),
    Tab("grid", "Grid", "runs/compare/grid.html", factors.grid_tab, fields=factors.GRID_FIELDS),
    Tab("importance", "Importance", "runs/compare/importance.html", importance.importance_tab),
    Tab(
        "parallel",
        "Parallel",
        "runs/compare/parallel.html",
        parallel.parallel_tab,
        fields=parallel.FIELDS,
        controls=("metric", "color"),
    ),
    Tab(
        "tradeoff",
        "Trade-off",
        "runs/compare/tradeoff.html",
        tradeoff.tradeoff_tab,
        fields=("cost",),
    ),
    Tab(
        "config",
        "Config",
        "runs/compare/config.html",
        config.config_tab,
        fields=config.FIELDS,
    ),
    Tab(
        "differences",
        "Differences",
        "runs/compare/differences.html",
        differences.differences_tab,
        fields=differences.FIELDS,
    ),
)
OF_KEY = {tab.key: tab for tab in TABS}
