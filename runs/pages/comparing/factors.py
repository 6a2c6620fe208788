"""What factors do: a plot for each, and a map of two of them."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from nnlab.stats.factors import FactorEffect, LevelEffect, factor_effects
from runs.charts.chart import Chart
from runs.charts.factors import EXTREMES, LevelView, dots_of, factor_plot, grid_heatmap
from runs.pages.comparing.comparison import Comparison, level_text
from runs.pages.comparing.view import CompareView
from runs.pages.formats import is_share, sentence

GRID_FIELDS = ("down", "across")
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
    """Build the tab of the map, of the two factors that the address chooses."""
    pair = _pair(comparison, view, warnings)
    return {
        "grid": grid(comparison, pair) if pair else None,
        "pair": pair,
        "grid_choices": [(factor, factor.replace("_", " ")) for factor in comparison.varied],
        "grid_kept": [kept for kept in view.pairs() if kept[0] not in GRID_FIELDS],
    }


def factor_sections(comparison: Comparison) -> list[FactorSection]:
    """Draw what each factor does with the others averaged."""
    effects = effects_of(comparison, scale=comparison.scale)
    return [_factor(comparison, factor, effects.get(factor)) for factor in comparison.factors]


def effects_of(comparison: Comparison, *, scale: float = 1.0) -> dict[str, FactorEffect]:
    """Compare the levels of every factor that was varied; nothing where no run has ended."""
    if not comparison.varied:
        return {}
    rows = comparison.rows()
    for row in rows:
        row["value"] = None if row["value"] is None else row["value"] * scale
    others = [*comparison.factors, "rest"]
    return {
        factor: factor_effects(rows, factor, [one for one in others if one != factor], "seed", "value")
        for factor in comparison.varied
        if rows
    }


def _pair(comparison: Comparison, view: CompareView, warnings: list[str]) -> tuple[str, str] | None:
    """Choose two factors that were both varied: those of the address, else depth and width first."""
    varied = comparison.varied
    if len(varied) < 2:
        return None
    asked = tuple(view.extra.get(name, "") for name in GRID_FIELDS)
    if asked[0] in varied and asked[1] in varied and asked[0] != asked[1]:
        return asked[0], asked[1]
    usual = next((pair for pair in _PAIRS if set(varied).issuperset(pair)), (varied[0], varied[1]))
    if any(asked):
        words = " and ".join(f"{name}={text[:40]}" for name, text in zip(GRID_FIELDS, asked, strict=True))
        known = ", ".join(varied)
        warnings.append(f"{words}: expected two different ones of {known}; {' and '.join(usual)} are shown.")
    return usual


def grid(comparison: Comparison, pair: tuple[str, str]) -> Chart:
    """Draw a map of two factors, the first one down, the second one across."""
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
        f"{sentence(row.replace('_', ' '))} × {column.replace('_', ' ')}",
        [level_text(row, level) for level in rows],
        [level_text(column, level) for level in columns],
        means,
        sds,
        counts,
        row_title=row.replace("_", " "),
        column_title=column.replace("_", " "),
        better="higher" if comparison.higher else "lower",
        y_title=comparison.value_title,
    )
    others = sorted(set(comparison.varied) - set(pair))
    mixed = f", over all values of {' and '.join(others).replace('_', ' ')}" if others else ""
    return replace(chart, caption=f"Mean ± standard deviation of the runs of a cell{mixed}.")


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
        caption=f"{_factor_caption(effect, bounds)} {confounded_text(comparison, effect)}".rstrip(),
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
    most = dots_of(len(effect.levels))
    if any(len(level.runs) > most for level in effect.levels):
        dots += f", of more than {most} the {EXTREMES} least, the {EXTREMES} greatest and an even choice"
    return f"Large dot: mean; {whisker}; {dots}. {sentence(effect.caption)}."


def confounded_text(comparison: Comparison, effect: FactorEffect, *, scale: float = 1.0) -> str:
    """Say where the means of all runs would tell something else of a factor; empty where they do not.

    Args:
        scale: what turns the values of the effect into those of the axis.
    """
    found = effect.confounded
    if found is None:
        return ""
    unit = "points" if is_share(comparison.metric) else comparison.unit
    name = effect.factor.replace("_", " ")
    low, high = (f"{name} {level_text(effect.factor, level)}" for level in (found.low, found.high))
    apart = f"{found.plain * scale:.3g}{f' {unit}' if unit else ''}"
    return (
        f"Averaged over all runs, {high} would be {apart} higher than {low}, but these were run with"
        f" other settings of the rest; with the same settings it is: {found.matched.sentence(unit, scale)}."
    )


def _level_view(factor: str, effect: LevelEffect) -> LevelView:
    return LevelView(
        level_text(factor, effect.level),
        effect.mean,
        effect.low,
        effect.high,
        effect.n,
        effect.runs,
        effect.diverged,
        effect.plain,
    )
