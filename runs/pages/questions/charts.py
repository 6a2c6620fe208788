"""The charts of a question: the networks with their intervals, and what tuning found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from hashlib import blake2b

from runs.charts.chart import Chart
from runs.charts.factors import LevelView, factor_plot
from runs.charts.tuning import TuningView, tuning_plot
from runs.pages.formats import is_share, metric_title, sentence
from runs.questions.answering import Answer, Stage
from runs.questions.outcomes import CellOutcome


def charts_of(found: Answer) -> list[Chart]:
    """Draw what there is to draw, the answer first."""
    answers = [answer_chart(found)] if found.question.confirmation_id else []
    return [*answers, tuning_chart(found)]


def standing(found: Answer, drawn: Sequence[Chart]) -> str:
    """Name how a question stands, so that who has seen it need not be told again."""
    told = [found.stage, *found.tuning, *found.answering, *(chart.to_json() for chart in drawn)]
    return blake2b("\n".join(map(str, told)).encode(), digest_size=8).hexdigest()


def answer_chart(found: Answer) -> Chart:
    """Draw each network's mean over the fresh seeds, with its interval and its runs."""
    metric = found.question.metric
    scale = _scale(metric)
    title = sentence(metric_title(metric))
    chart = factor_plot(
        "answer",
        f"{title} of each network",
        [_level(one, scale) for one in found.cells],
        y_title=_y_title(metric),
        caption="Mean over the fresh seeds with its 95 % interval; grey dots are runs.",
    )
    return replace(chart, height="normal")


def tuning_chart(found: Answer) -> Chart:
    """Draw what each learning rate gave while tuning."""
    metric = found.question.metric
    scale = _scale(metric)
    views = [
        TuningView(
            one.cell.label,
            {
                rate: None if shown.mean is None else shown.mean * scale
                for rate, shown in one.tuned.rates.items()
            },
            None if found.stage is Stage.TUNING else one.tuned.best,
        )
        for one in found.cells
    ]
    seeds = found.terms.tuning_seeds
    chart = tuning_plot("tuning", "Tuning: each learning rate", views, y_title=_y_title(metric))
    over = "one seed" if seeds == 1 else f"{seeds} seeds"
    return replace(
        chart, caption=f"Mean over {over} of the runs that did not diverge; a diamond marks the choice."
    )


def _level(one: CellOutcome, scale: float) -> LevelView:
    interval = one.answer.interval
    runs = tuple(value * scale for value in one.answer.finite)
    if interval is None:
        return LevelView(one.cell.label, None, None, None, 0, runs, one.answer.diverged)
    low, high = (None if end is None else end * scale for end in (interval.low, interval.high))
    return LevelView(one.cell.label, interval.mean * scale, low, high, interval.n, runs, one.answer.diverged)


def _scale(metric: str) -> float:
    return 100.0 if is_share(metric) else 1.0


def _y_title(metric: str) -> str:
    return f"{metric_title(metric)} (%)" if is_share(metric) else metric_title(metric)
