"""The tabs of the compare page, in their order."""

from __future__ import annotations

from runs.pages import (
    compare_config,
    compare_curves,
    compare_factors,
    compare_importance,
    compare_parallel,
    compare_tradeoff,
    differences,
)
from runs.pages.compare_view import FIELDS, Tab

TABS = (
    Tab(
        "curves",
        "Curves",
        "runs/compare/curves.html",
        compare_curves.curves_tab,
        fields=("page",),
        controls=tuple(name for name in FIELDS if name not in {"tab", "hide"}),
    ),
    Tab("factors", "Factors", "runs/compare/factors.html", compare_factors.factors_tab),
    Tab("grid", "Grid", "runs/compare/grid.html", compare_factors.grid_tab),
    Tab("importance", "Importance", "runs/compare/importance.html", compare_importance.importance_tab),
    Tab(
        "parallel",
        "Parallel",
        "runs/compare/parallel.html",
        compare_parallel.parallel_tab,
        fields=compare_parallel.FIELDS,
        controls=("metric", "color"),
    ),
    Tab(
        "tradeoff",
        "Trade-off",
        "runs/compare/tradeoff.html",
        compare_tradeoff.tradeoff_tab,
        fields=("cost",),
    ),
    Tab(
        "config",
        "Config",
        "runs/compare/config.html",
        compare_config.config_tab,
        fields=compare_config.FIELDS,
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
