"""The best runs of each project: their scores, whose they are, and how they got there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from django.utils.safestring import SafeString, mark_safe

from runs.charts.sparkline import sparkline
from runs.models import Run
from runs.reading.metrics import higher_is_better
from runs.reading.overview import Best, ProjectCard
from runs.reading.windows import SeriesWindow, read_windows
from runs.store.numbers import MAX_SERIES

SHOWN = 3  # datasets of one project
_COLUMNS = 30  # of a curve as wide as a word


@dataclass(frozen=True)
class Highlight:
    """The best score on one dataset.

    Args:
        run: None where the run has gone in the meantime.
        curve: the metric over its steps, as SVG.
    """

    best: Best
    run: Run | None
    curve: SafeString


def highlights(cards: Sequence[ProjectCard]) -> list[tuple[ProjectCard, list[Highlight]]]:
    """Find the best runs of every project's first datasets, in three queries for all of them."""
    shown = {card.project.pk: card.best[:SHOWN] for card in cards}
    every = [best for found in shown.values() for best in found]
    runs = _best_runs(every)
    curves = {
        (window.run_id, window.metric): window
        for window in read_windows(
            [run.pk for run in runs.values()],
            {best.metric for best in every},
            columns=_COLUMNS,
            most=MAX_SERIES,
        )
    }
    return [
        (card, [_highlight(card.project.pk, best, runs, curves) for best in shown[card.project.pk]])
        for card in cards
    ]


def _value(best: Best) -> float | None:
    return best.high if higher_is_better(best.metric) else best.low


def _best_runs(every: Sequence[Best]) -> dict[tuple[int, str, float | None], Run]:
    """Look the runs up by their scores; of equal ones the oldest, which was there first."""
    scores = {_value(best) for best in every}
    found = Run.objects.shown().filter(score__in=scores).only("project", "dataset", "score", "name")
    return {(run.project_id, run.dataset, run.score): run for run in found.order_by("-pk")}


def _highlight(
    project: int,
    best: Best,
    runs: Mapping[tuple[int, str, float | None], Run],
    curves: Mapping[tuple[int, str], SeriesWindow],
) -> Highlight:
    run = runs.get((project, best.dataset, _value(best)))
    window = curves.get((run.pk, best.metric)) if run else None
    return Highlight(best, run, _curve(window) if window else SafeString())


def _curve(window: SeriesWindow) -> SafeString:
    """Draw the curve without step 0: an untrained network would press all that follows flat."""
    steps, values = window.drawn()
    trained = values[1:] if len(steps) > 2 and steps[0] == 0 else values
    return mark_safe(sparkline(trained))  # noqa: S308 - made of numbers only
