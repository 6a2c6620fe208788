"""How a run differs from the one that it is measured against: its project's baseline, else its parent."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from runs.models import Run
from runs.pages.formats import count, difference, duration
from runs.reading.metrics import higher_is_better


@dataclass(frozen=True)
class Deltas:
    """What differs from another run, in words; a figure that either has not is left out.

    Args:
        is_same_data: scores and losses of other data are not compared.
    """

    other: Run
    words: Mapping[str, str]
    is_same_data: bool


def deltas(run: Run) -> Deltas | None:
    """Compare a run with the one that it is measured against; None where there is none."""
    other = reference(run)
    if other is None:
        return None
    is_same_data = run.dataset == other.dataset
    same = is_same_data and run.headline and run.headline == other.headline
    found = {
        "score": _metric(run.score, other.score, run.headline) if same else "",
        "val_loss": _metric(run.summary.get("val_loss"), other.summary.get("val_loss"), "val_loss")
        if is_same_data
        else "",
        "parameters": _plain(run.parameters, other.parameters, count, ("more", "fewer")),
        "duration": _plain(_seconds(run), _seconds(other), duration, ("longer", "shorter")),
    }
    return Deltas(other, {key: words for key, words in found.items() if words}, is_same_data)


def reference(run: Run) -> Run | None:
    """Return the run that another is measured against."""
    candidates = (run.project.baseline, run.parent)
    kept = (other for other in candidates if other is not None and other.deleted_at is None)
    return next((other for other in kept if other.pk != run.pk), None)


def _metric(value: Any, other: Any, metric: str) -> str:
    """Write the difference of a metric, and whether it is for the better."""
    if not (_is_finite(value) and _is_finite(other)):
        return ""
    return difference(value, other, metric, higher=higher_is_better(metric))


def _plain(value: Any, other: Any, write: Any, words: tuple[str, str]) -> str:
    """Write a difference that is neither good nor bad."""
    if value is None or other is None:
        return ""
    change = value - other
    return f"{write(abs(change))} {words[0] if change > 0 else words[1]}" if change else "equal"


def _seconds(run: Run) -> float | None:
    if run.started_at is None or run.ended_at is None:
        return None
    return (run.ended_at - run.started_at).total_seconds()


def _is_finite(value: Any) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)
