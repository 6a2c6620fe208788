"""What factors do: a plot for each, and a map of two of them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from nnlab.stats.factors import FactorEffect, LevelEffect, factor_effects
from runs.charts.chart import Chart
from runs.charts.factors import MAX_DOTS, LevelView, factor_plot, grid_heatmap
from runs.pages.comparing.comparison import Comparison, level_text
from runs.pages.comparing.view import CompareView
from runs.pages.formats import is_share, sentence

_PAIRS = (("depth", "width"), ("depth", "activation"), ("width", "activation"), ("depth", "dropout"))


@dataclass(frozen=True)
class FactorSection:
    """A factor as the page shows it: a chart, or why there is none."""

    factor: str
    chart: Chart | None
    note: str


def factors_tab(comparison: Comparison, view: CompareView, warnings: list[str]) -> dict[str, Any]:
    """Build the tab of factors."""
    return {"factors": factor_sections(comparison)}


def grid_tab(comparison: Comparison, view: CompareView, warnings: list[str]) -> dict[str, Any]:
    """Build the tab of the map."""
    return {"grid": grid(comparison)}


def factor_sections(comparison: Comparison) -> list[FactorSection]:
    """Draw what each factor does with the others averaged."""
    effects = effects_of(comparison, scale=comparison.scale)
    return [_factor(comparison, factor, effects.get(factor)) for factor in comparison.factors]


def effects_of(comparison: Comparison, *, scale: float = 1.0) -> dict[str, FactorEffect]:
    """Compare the levels of every factor that was varied; nothing where no run has ended."""
    rows = comparison.rows() if comparison.varied else []
    return {factor: _effect(comparison, factor, rows, scale) for factor in comparison.varied if rows}


def grid(comparison: Comparison) -> Chart | None:
    """Draw a map of two factors that were both varied: depth and width first; None where there are none."""
    varied = set(comparison.varied)
    pair = next((pair for pair in _PAIRS if varied.issuperset(pair)), None)
    if pair is None:
        return None
    row, column = pair
    rows, columns = comparison.factors[row], comparison.factors[column]
    scale = comparison.scale
    cells: dict[tuple[Any, Any], list[float | None]] = {}
    for member in comparison.members:
        if member.counts:
            value = None if member.value is None else member.value * scale
            cells.setdefault((member.levels[row], member.levels[column]), []).append(value)
    means, sds, counts = (np.full((len(rows), len(columns)), np.nan) for _ in range(3))
    for at, (r, c) in enumerate((r, c) for r in rows for c in columns):
        place = divmod(at, len(columns))
        found = cells.get((r, c), [])
        values = [value for value in found if value is not None]
        counts[place] = len(values) or len(found)
        means[place] = np.mean(values) if values else np.nan
        sds[place] = np.std(values, ddof=1) if len(values) > 1 else np.nan
    chart = grid_heatmap(
        "grid",
        f"{row.capitalize()} × {column}",
        [level_text(row, level) for level in rows],
        [level_text(column, level) for level in columns],
        means,
        sds,
        counts,
        row_title=row,
        column_title=column,
        better="higher" if comparison.higher else "lower",
        y_title=comparison.value_title,
    )
    others = sorted(varied - set(pair))
    mixed = f", over all values of {' and '.join(others).replace('_', ' ')}" if others else ""
    return replace(chart, caption=f"Mean ± standard deviation of the runs of a cell{mixed}.")


def _effect(
    comparison: Comparison, factor: str, rows: Sequence[Mapping[str, Any]], scale: float
) -> FactorEffect:
    others = [*(other for other in comparison.factors if other != factor), "rest"]
    settings: dict[tuple[Any, ...], int] = {}  # a number tells one from another sooner than all its values
    scaled = [
        {
            factor: row[factor],
            "setting": settings.setdefault(tuple(row[other] for other in others), len(settings)),
            "seed": row["seed"],
            "value": None if row["value"] is None else row["value"] * scale,
        }
        for row in rows
    ]
    return factor_effects(scaled, factor, ["setting"], "seed", "value")


def _factor(comparison: Comparison, factor: str, effect: FactorEffect | None) -> FactorSection:
    levels = comparison.factors[factor]
    name = factor.replace("_", " ")
    if len(levels) == 1:
        return FactorSection(name, None, f"{name}: only {level_text(factor, levels[0])} was run")
    if effect is None:
        return FactorSection(name, None, f"{name}: no run has ended yet")
    if all(level.mean is None for level in effect.levels):
        return FactorSection(name, None, f"{name}: no comparison; {effect.caption}")
    bounds = (0.0, 100.0) if is_share(comparison.metric) else (-math.inf, math.inf)
    chart = factor_plot(
        f"factor-{factor.replace('_', '-')}",
        sentence(name),
        [_level_view(factor, level) for level in effect.levels],
        y_title=comparison.value_title,
        caption=_factor_caption(effect, bounds),
        bounds=bounds,
    )
    return FactorSection(name, chart, "")


def _factor_caption(effect: FactorEffect, bounds: tuple[float, float]) -> str:
    """Say what dots and whiskers are, and how even the ground is that they stand on."""
    seeds = max(level.n for level in effect.levels)
    whisker = f"whisker: 95 % t interval over {seeds} seeds" if seeds > 1 else "one seed: no interval"
    ends = [end for level in effect.levels for end in (level.low, level.high) if end is not None]
    if any(not bounds[0] <= end <= bounds[1] for end in ends):
        whisker += f" (the axis ends at {bounds[0]:g} and {bounds[1]:g} %, beyond which there is nothing)"
    dots = "small dots: single runs"
    if any(len(level.runs) > MAX_DOTS for level in effect.levels):
        dots += f", of more than {MAX_DOTS} an even choice"
    return f"Large dot: mean; {whisker}; {dots}. {sentence(effect.caption)}."


def _level_view(factor: str, effect: LevelEffect) -> LevelView:
    return LevelView(
        level_text(factor, effect.level),
        effect.mean,
        effect.low,
        effect.high,
        effect.n,
        effect.runs,
        effect.diverged,
    )
