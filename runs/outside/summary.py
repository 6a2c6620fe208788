"""What tables show of an outside run without reading its points."""

from __future__ import annotations

from typing import Any

from runs.models import Run
from runs.store.summaries import standings


def refresh(run_id: int) -> None:
    """Write the last value of each metric of the whole run, the score and the last step onto the run.

    A value that is not finite is spelled NaN; the score stays at the last finite one.
    """
    found = {metric: state for metric, state in standings(run_id).items() if not metric.startswith("_")}
    run = Run.objects.only("headline").get(pk=run_id)
    values: dict[str, Any] = {
        "summary": {metric: "NaN" if state.last is None else state.last for metric, state in found.items()},
        "steps_run": max([0, *(state.last_step or 0 for state in found.values())]),
    }
    headline = found.get(run.headline)
    if headline is not None and headline.last is not None:
        values["score"] = headline.last
    Run.objects.filter(pk=run_id).update(**values)
