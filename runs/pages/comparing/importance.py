"""Importance: which of the settings that were varied explain how much the metric varies."""

from __future__ import annotations

from typing import Any

from nnlab.stats.errors import StatsError
from nnlab.stats.importance import Importance, Share, importance
from runs.charts.chart import Chart
from runs.charts.importance import Kind, ShareView, percent_text, share_bars
from runs.pages.comparing.comparison import Comparison
from runs.pages.comparing.view import CompareView
from runs.pages.formats import metric_title, sentence

MAX_PAIRS = 5
_LEAST_PAIR = 0.01  # of the variance: smaller interactions are left to the table of the statistics
_OTHER = "other settings"


def importance_tab(comparison: Comparison, view: CompareView, warnings: list[str]) -> dict[str, Any]:
    """Build the tab of importance: a chart, or why these runs cannot say."""
    try:
        return {"importance": _chart(comparison, _explained(comparison)), "refusal": ""}
    except StatsError as error:
        return {"importance": None, "refusal": f"{sentence(str(error))}."}


def _explained(comparison: Comparison) -> Importance:
    rows = [
        row if row["seed"] is not None else row | {"seed": ("run", place)}  # each stands for itself
        for place, row in enumerate(comparison.rows())
    ]
    knobs = list(comparison.varied)
    if len({row["rest"] for row in rows}) > 1:
        rows = [row | {_OTHER: row["rest"]} for row in rows]
        knobs.append(_OTHER)
    rows = [{key.replace("_", " "): value for key, value in row.items()} for row in rows]
    names = [knob.replace("_", " ") for knob in knobs]
    return importance(rows, names, "seed", "value", higher=comparison.higher)


def _chart(comparison: Comparison, found: Importance) -> Chart:
    pairs = [pair for pair in found.pairs if pair.share >= _LEAST_PAIR][:MAX_PAIRS]
    shares = [_view(one, "knob") for one in found.knobs] + [_view(one, "pair") for one in pairs]
    others = found.higher + sum(pair.share for pair in found.pairs if pair not in pairs)
    if others >= _LEAST_PAIR:
        shares.append(ShareView("all other interactions", "rest", others))
    shares += _rest(found)
    title = f"What explains {metric_title(comparison.metric)}"
    caption = found.method
    if found.together:
        named = "; ".join(" and ".join(bundle) for bundle in found.together)
        caption = f"Always changed together, so their effects cannot be told apart: {named}. {caption}"
    return share_bars("importance", title, shares, summary=_summary(comparison, found), caption=caption)


def _rest(found: Importance) -> list[ShareView]:
    """Show what no knob explains: what differs between seeds, and what trees could not learn."""
    unknown = found.rest - (found.noise or 0.0)
    parts = [("noise between seeds", found.noise), ("not explained", unknown)]
    return [ShareView(name, "rest", part) for name, part in parts if part is not None and part > 1e-9]


def _view(share: Share, kind: Kind) -> ShareView:
    return ShareView(" × ".join(share.knobs), kind, share.share, share.low, share.high)


def _summary(comparison: Comparison, found: Importance) -> str:
    """Name the first knob, and the second if it cannot be told from the first."""
    first, second = found.knobs[0], found.knobs[1]
    what = "the ranks of " if found.ranked else ""
    text = (
        f"{sentence(first.knobs[0])} explains {percent_text(first.share)}"
        f" [{percent_text(first.low)}, {percent_text(first.high)}] of the variance of"
        f" {what}{metric_title(comparison.metric)}"
    )
    if second.high > first.low:
        text += f", but {second.knobs[0]} may explain as much: their intervals overlap"
    else:
        text += f", more than {second.knobs[0]} with {percent_text(second.share)}"
    rest = f"{percent_text(found.rest)} is explained by no setting" if found.rest else "nothing is left over"
    return f"{text}; {rest}."
