"""What is new in a run since its reader last asked.

The cursor names the attempt and, for each series, the last step already sent. A series only grows at its end,
so whoever returns a cursor gets each later point exactly once, however long the line was cut. A new attempt
starts its series again, so its charts are sent whole.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from django.utils.html import escape

from runs.models import Run
from runs.pages.run.charts import RunView, appended, read_run, run_charts
from runs.reading.series import Points, read_series

# Whenever a run has gone so many steps further its charts are sent whole and windowed, so that a browser
# never drowns. They are the same steps for everybody: who has read equally far gets the same answer.
MAX_APPENDED = 2000


@dataclass(frozen=True)
class Cursor:
    """What a reader already has.

    Args:
        attempt: -1 where nothing is known.
        last_steps: by the number of the series.
    """

    attempt: int = -1
    last_steps: dict[int, int] = field(default_factory=dict)

    @classmethod
    def parse(cls, text: str) -> Cursor:
        """Read a cursor; a text that is none gives the one of a reader who has nothing."""
        try:
            attempt, pairs = text.split("_")
            split = [pair.split(".") for pair in pairs.split(",") if pair]
            return cls(int(attempt), {int(number): _step(step) for number, step in split})
        except ValueError:
            return cls()

    def __str__(self) -> str:
        pairs = ",".join(f"{number}.{step}" for number, step in sorted(self.last_steps.items()))
        return f"{self.attempt}_{pairs}"

    @property
    def stretch(self) -> int:
        """The number of the stretch of steps in which it stands."""
        return max(self.last_steps.values(), default=0) // MAX_APPENDED


def whole(run: Run, view: RunView) -> tuple[dict[str, Any], Cursor]:
    """Draw all charts of a run, and the cursor that goes with them."""
    windows = read_run(run, view.metrics)
    last_steps = {window.number: window.last_step for window in windows if window.last_step is not None}
    return dict(run_charts(view, windows)), Cursor(run.attempt, last_steps)


def news(run: Run, view: RunView, cursor: Cursor) -> dict[str, Any]:
    """Return what is new since the cursor: points to append, or whole figures where that is not enough."""
    is_known = cursor.attempt == run.attempt
    fresh = read_series([run.pk], view.metrics, after=cursor.last_steps) if is_known else []
    moved = Cursor(run.attempt, cursor.last_steps | _last_steps(fresh))
    if not is_known or run.is_over or moved.stretch != cursor.stretch or _must_redraw(cursor, fresh):
        return _redrawn(run, view)
    answer: dict[str, Any] = {
        "charts": {key: {"append": lines} for key, lines in appended(view, fresh).items()},
        "next": str(moved),
    }
    if any(points.metric == view.measure for points in fresh):
        answer["replace"] = {"health": run_charts(view, read_run(run, [view.measure]))["health"].figure}
    return answer


def _redrawn(run: Run, view: RunView) -> dict[str, Any]:
    charts, cursor = whole(run, view)
    return {
        "replace": {key: chart.figure for key, chart in charts.items()},
        "fragments": {f"{key}-summary": escape(chart.summary) for key, chart in charts.items()},
        "next": str(cursor),
    }


def _must_redraw(cursor: Cursor, fresh: Sequence[Points]) -> bool:
    """Whether a line begins or breaks: then a figure has to be built again."""
    return any(
        points.number not in cursor.last_steps or not np.isfinite(points.values).all() for points in fresh
    )


def _last_steps(points: Sequence[Points]) -> dict[int, int]:
    return {series.number: int(series.steps[-1]) for series in points if len(series.steps)}


def _step(text: str) -> int:
    step = int(text)
    if not abs(step) < 2**62:
        raise ValueError(f"expected a step that a database can hold, got {text[:40]}")
    return step
