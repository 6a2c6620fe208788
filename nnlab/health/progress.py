"""How far a run gets: how much its weights move and how its losses fall, projected to its end and beyond."""

from __future__ import annotations

import math
from statistics import median
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nnlab.engine.records import RunInfo
    from nnlab.health.epochs import Followed
    from nnlab.health.signals import Signals

MOST_POINTS = 64
LATE = 0.8  # of the steps of a run: where its last part begins
LONGER = 5  # times: what is advised to a run that was too short


class Point(NamedTuple):
    """An evaluation: the averages of both losses over the last few, and the validation loss itself."""

    step: int
    validation_average: float
    training_average: float
    loss: float


class ProgressTrack:
    """Paths of the layers' weights, and a thinned series of losses, in bounded memory.

    The path of a layer is the sum of its relative updates: how far it went, in units of its own size, however
    crooked the way. A sample stands for all steps since the one before.

    Attributes:
        paths: of each layer, up to the last sample.
        points: at most 64 evaluations after the first step, evenly spaced, and the last one.
    """

    def __init__(self, info: RunInfo) -> None:
        self._steps = info.steps
        self.paths = [0.0] * info.layers
        self.points: list[Point] = []
        self._path_step = self._seen = 0
        self._apart = 1  # evaluations from one point to the next

    def add_updates(self, step: int, updates: Sequence[float]) -> None:
        """Take the relative update of each layer in a sample; NaN for weights of 0, which have no size."""
        steps, self._path_step = step - self._path_step, step
        self.paths = [
            path if math.isnan(update) else path + steps * update
            for path, update in zip(self.paths, updates, strict=True)
        ]

    def add_points(self, points: Sequence[Followed]) -> None:
        """Take what the series of evaluations took."""
        while points:
            over = self._seen % self._apart
            if over:
                self.points.pop()
            taken = min(self._apart - over, len(points))  # up to the next that is kept, or the last
            self._seen += taken
            self.points.append(Point(*points[taken - 1]))
            points = points[taken:]
            if len(self.points) > MOST_POINTS:
                self.points = [*self.points[1:-1:2], self.points[-1]]
                self._apart *= 2

    def reach(self, updates: Sequence[float]) -> float:
        """Project the longest path of a layer to the end, at the present updates; NaN if unknown."""
        rest = max(self._steps - self._path_step, 0)
        paths = [path + rest * update for path, update in zip(self.paths, updates, strict=True)]
        return max((path for path in paths if not math.isnan(path)), default=math.nan)

    def point_at(self, step: float) -> Point | None:
        """Give the last point up to a step."""
        return next((point for point in reversed(self.points) if point.step <= step), None)


def known_median(values: Sequence[float]) -> float:
    """Take the median of the values that are known; NaN if none is."""
    known = [value for value in values if not math.isnan(value)]
    return median(known) if known else math.nan


def grasp(signals: Signals) -> float:
    """Say how good the answers are, from 0 as a constant's to 1: of numbers, as the root of R squared."""
    skill = signals.skill
    return skill if signals.info.headline.endswith("accuracy") else math.sqrt(max(skill, 0.0))


def loss_at_end(signals: Signals) -> float:
    """Project the validation loss over the baseline's to the end of the run; NaN before there are two.

    The root of the loss, which is the size of the error, is continued along a straight line: that through the
    first and the last evaluation, or that through the last half, whichever falls faster.
    """
    first, points = signals.first_evaluation, signals.progress.points
    if first is None or not points:
        return math.nan
    step, now = points[-1].step, _error(signals, points[-1].loss)
    middle = signals.progress.point_at(step / 2)
    befores = [(first.step, first.metrics["val_loss"])]
    befores += [] if middle is None else [(middle.step, middle.loss)]
    fall = max((_error(signals, loss) - now) / (step - before) for before, loss in befores if before < step)
    return float(max(now - max(fall, 0.0) * (signals.info.steps - step), 0.0) ** 2)


def _error(signals: Signals, loss: float) -> float:
    return math.sqrt(max(loss, 0.0) / signals.info.baseline_loss)


def gain_of_more(signals: Signals) -> float:
    """Project how much lower, over the baseline, the loss of a run of five times the length would be.

    A loss that falls slowly falls as a power of the steps: the power is that of the last fifth of the run, of
    training or validation, whichever falls less. NaN where the last fifth has no evaluation but the last.
    """
    points = signals.progress.points
    before = signals.progress.point_at(LATE * signals.step)
    if before is None or before is points[-1]:
        return math.nan
    now = points[-1]
    left = max(
        now.validation_average / before.validation_average, now.training_average / before.training_average
    )
    if not 0 < left < 1:
        return 0.0
    power = -math.log(left) / math.log(now.step / before.step)
    return float(now.loss / signals.info.baseline_loss * (1 - LONGER**-power))
