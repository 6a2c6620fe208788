"""When a run was at which step: its epochs, examples and seconds, as other axes for its charts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from django.utils import timezone
from numpy.typing import ArrayLike, NDArray

from nnlab.series.batch import CLOCK
from runs.models import Run
from runs.reading.windows import read_windows

FloatArray: TypeAlias = NDArray[np.float64]
AXES = ("step", "epoch", "time", "examples")
_COLUMNS = 2000  # of a clock: between its knots time is taken to pass evenly


@dataclass(frozen=True)
class Axis:
    """What the charts of a run stand against.

    Args:
        title: of the axis, with its unit.
        note: how it was found, where that needs saying.
        place: turns steps into places on it; None where the steps themselves are.
    """

    title: str
    note: str = ""
    place: Callable[[ArrayLike], FloatArray] | None = None

    def of(self, steps: ArrayLike) -> FloatArray:
        """Return where steps stand on the axis."""
        plain = np.asarray(steps, dtype=np.float64)
        return plain if self.place is None else self.place(plain)


STEPS = Axis("step")


def axis_of(run: Run, name: str) -> Axis | None:
    """Return one of ``AXES`` for a run; None where too little is known of the run for it."""
    if name == "step":
        return STEPS
    if name == "time":
        return _time(run)
    per_epoch, rows = run.info.get("steps_per_epoch"), run.info.get("train_rows")
    if not per_epoch or not rows:
        return None
    if name == "epoch":
        return Axis("epoch", place=lambda steps: np.asarray(steps, np.float64) / per_epoch)
    return Axis("examples", place=lambda steps: _examples(steps, int(per_epoch), int(rows), run.batch_size))


def _examples(steps: ArrayLike, per_epoch: int, rows: int, batch_size: int | None) -> FloatArray:
    """Count the training examples that were seen: the last batch of an epoch may be smaller."""
    epochs, rest = np.divmod(np.asarray(steps, np.float64), per_epoch)
    return np.asarray(epochs * rows + np.minimum(rest * (batch_size or rows / per_epoch), rows))


def _time(run: Run) -> Axis | None:
    """Read the run's clock; a run without one is taken to have gone evenly."""
    knots = _clock(run)
    if knots is not None:
        steps, seconds = knots
        return Axis(
            "seconds since the start",
            place=lambda wanted: np.interp(np.asarray(wanted, np.float64), steps, seconds),
        )
    if run.started_at is None or not run.steps_run:
        return None
    length = ((run.ended_at or timezone.now()) - run.started_at).total_seconds()
    pace = max(0.0, length) / run.steps_run
    return Axis(
        "seconds since the start",
        "Seconds are those of a run whose steps all took as long: it kept no clock.",
        lambda wanted: np.asarray(wanted, np.float64) * pace,
    )


def _clock(run: Run) -> tuple[FloatArray, FloatArray] | None:
    windows = read_windows([run.pk], [CLOCK[0]], columns=_COLUMNS)
    if not windows or not len(windows[0].read):
        return None
    read = windows[0].buckets
    known = np.isfinite(read.mean)
    return (read.first_steps[known].astype(np.float64), read.mean[known] / 1000) if known.any() else None
