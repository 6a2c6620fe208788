"""Paired dots: the metric of each seed before a change and after it, joined by a line."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from runs.charts.chart import Chart, empty_chart, figure_of, number_text, plural, value_axis

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True)
class PairView:
    """One seed: its metric before and after; ``diverged`` for one of the two that counts as a guess."""

    seed: int
    before: float
    after: float
    before_diverged: bool = False
    after_diverged: bool = False


def pair_plot(
    key: str,
    title: str,
    pairs: Sequence[PairView],
    *,
    y_title: str,
    higher_is_better: bool,
    percent: bool = False,
    words: tuple[str, str] = ("before", "after"),
) -> Chart:
    """Draw a line for each pair: solid where it got better, dotted and in another colour where it did not.

    A run that diverged is a cross, at the value that it counts with.
    """
    if not pairs:
        return empty_chart(key, title, "No pair is over yet.")
    better = [(pair.after > pair.before) == higher_is_better and pair.after != pair.before for pair in pairs]
    values = np.array([(pair.before, pair.after) for pair in pairs], dtype=np.float64)
    layout = {
        "xaxis": {
            "tickvals": [0, 1],
            "ticktext": list(words),
            "range": [-0.35, 1.35],
            "showgrid": False,
            "zeroline": False,
            "fixedrange": True,
        },
        "yaxis": value_axis(y_title, values.ravel(), percent=percent),
        "showlegend": False,
        "hovermode": "closest",
    }
    traces = [_line(pair, good, words) for pair, good in zip(pairs, better, strict=True)]
    return Chart(
        key=key,
        title=title,
        figure=figure_of(traces, layout),
        summary=_summary(pairs, better, y_title),
        height="low",
    )


def _line(pair: PairView, is_better: bool, words: tuple[str, str]) -> dict[str, Any]:
    diverged = (pair.before_diverged, pair.after_diverged)
    told = [
        f"seed {pair.seed}, {word}: {number_text(value)}{', diverged: a constant guess' if is_guess else ''}"
        for word, value, is_guess in zip(words, (pair.before, pair.after), diverged, strict=True)
    ]
    return {
        "type": "scatter", "mode": "lines+markers", "name": f"seed {pair.seed}", "x": [0, 1],
        "y": [pair.before, pair.after], "text": told, "hovertemplate": "%{text}<extra></extra>",
        "line": {"width": 1.5, "dash": "solid" if is_better else "dot"},
        "marker": {"size": 8, "symbol": ["x" if is_guess else "circle" for is_guess in diverged]},
        "meta": {"series": 0 if is_better else 1, "role": "pair"},
    }  # fmt: skip


def _summary(pairs: Sequence[PairView], better: Sequence[bool], y_title: str) -> str:
    text = f"{y_title[:1].upper()}{y_title[1:]} got better in {sum(better)} of {plural(len(pairs), 'pair')}"
    crosses = sum(pair.before_diverged + pair.after_diverged for pair in pairs)
    return f"{text}; {plural(crosses, 'run')} diverged, drawn as a cross." if crosses else f"{text}."
