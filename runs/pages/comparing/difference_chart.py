"""The differences of the groups to their reference, drawn: what is as good, and what is not."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from runs.charts.chart import Chart, plural
from runs.charts.forest import DistanceView, forest
from runs.pages.comparing.comparison import Comparison, Group, named_level
from runs.pages.formats import metric_title, sentence

if TYPE_CHECKING:
    from nnlab.stats.differences import Difference
    from runs.pages.comparing.differences import Row

MAX_DRAWN = 12  # groups whose names have room


def difference_chart(
    comparison: Comparison, reference: Group, rows: Sequence[Row], unit: str, within: float | None
) -> Chart:
    """Draw the first rows that have a difference.

    Args:
        within: a difference that does not matter, in the unit of the axis.
    """
    known = [(row, found) for row in rows if (found := row.compared.difference) is not None]
    title = metric_title(comparison.metric)
    drawn = f" The first {MAX_DRAWN} of {len(known)} are drawn." if len(known) > MAX_DRAWN else ""
    edges = " Dotted: what counts as equal." if within else ""
    better = "right" if comparison.higher else "left"
    return forest(
        "differences",
        f"{sentence(title)}: how far from the reference",
        [_view(comparison, reference, row, found) for row, found in known[:MAX_DRAWN]],
        x_title="difference of means" + (f" ({unit})" if unit else ""),
        within=within,
        summary=_summary(reference, rows),
        caption=f"Dot: difference of means, better to the {better}; whisker: its 95 % interval. Filled where"
        f" the difference is certain after correction, open where it is not.{edges}{drawn}",
    )


def _summary(reference: Group, rows: Sequence[Row]) -> str:
    better, worse = (sum(row.verdict == word for row in rows) for word in ("better", "worse"))
    open_ones = len(rows) - better - worse
    return (
        f"Of {plural(len(rows), 'group')} beside {reference.label}: {better} better and {worse} worse with"
        f" certainty, {open_ones} not told apart from it."
    )


def _view(comparison: Comparison, reference: Group, row: Row, found: Difference) -> DistanceView:
    scale = comparison.scale
    low, high = (None if end is None else end * scale for end in (found.low, found.high))
    parts = [
        named_level(factor, row.group.levels[factor])
        for factor in comparison.varied
        if row.group.levels[factor] != reference.levels[factor]
    ]
    return DistanceView(
        ", ".join(parts) or row.group.label,
        found.mean * scale,
        low,
        high,
        row.verdict,
        is_better=(found.mean > 0) == comparison.higher,
        is_certain=row.verdict in {"better", "worse"},
    )
