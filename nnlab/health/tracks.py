"""Running averages and medians of what comes at every step."""

from __future__ import annotations

import math
from array import array
from collections import deque
from statistics import median
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    FloatArray = NDArray[np.float64]

EMA_GRID = 10  # every tenth average is kept, which is enough for windows of 50 steps and more


class LossTrack:
    """Bias-corrected moving average of the batch losses.

    The window is a quarter of an epoch, at least 20 and at most 200 steps.

    Attributes:
        first: the first finite loss, that of the untrained network.
        lowest: the lowest average so far, of those over a whole window; infinity before.
    """

    def __init__(self, steps_per_epoch: int) -> None:
        window = min(max(steps_per_epoch / 4, 20.0), 200.0)
        self._window = window
        self._keep = 1 - 2 / (window + 1)
        self._sum = 0.0
        self._count = 0
        self._grid = array("d", [math.nan])
        self._latest: float | None = None
        self.step = 0
        self.first = math.nan
        self.lowest = math.inf
        self.bad_step: int | None = None
        self.last_finite: float | None = None

    def add(self, losses: list[float]) -> None:
        """Take the losses of the next steps; those that are not finite stay out of the average."""
        isfinite, keep, gain = math.isfinite, self._keep, 1 - self._keep
        for step, loss in enumerate(losses, self.step + 1):
            if isfinite(loss):
                self._sum = keep * self._sum + gain * loss
                self._count += 1
                if self._count == 1:
                    self.first = loss
                self._latest = loss
            elif self.bad_step is None:
                self.bad_step, self.last_finite = step, self._latest
            if not step % EMA_GRID:
                self._keep_average()
        self.step += len(losses)

    def _keep_average(self) -> None:
        average = self.average
        self._grid.append(average)
        if self._count >= self._window and average < self.lowest:
            self.lowest = average

    @property
    def average(self) -> float:
        """The average now; NaN before the first loss."""
        return self._sum / (1 - self._keep**self._count) if self._count else math.nan

    def fall_over(self, steps: int) -> float:
        """Share by which the average fell over the last steps; NaN while there are fewer."""
        if self.step <= steps:
            return math.nan
        before = self._grid[(self.step - steps) // EMA_GRID]
        return 1 - self.average / before if before > 0 else math.nan


class GradientTrack:
    """Peak of the gradient norm since the last sample, against medians from before."""

    def __init__(self, recent: int, first: int) -> None:
        self._recent: deque[float] = deque(maxlen=recent)
        self._least = first
        self._first: list[float] = []
        self._since: list[float] = []
        self.peak = self.recent = self.first = math.nan

    def add(self, norms: FloatArray) -> None:
        """Take the norms of the next steps, NaN where not measured."""
        self._since += norms[~np.isnan(norms)].tolist()

    def turn(self) -> None:
        """Close the interval at a sample: medians first, so that a peak is never its own reference."""
        enough = len(self._first) == self._least
        self.first = median(self._first) if enough else math.nan
        self.recent = median(self._recent) if enough else math.nan
        self.peak = max(self._since, default=math.nan)
        missing = self._least - len(self._first)
        if missing:
            self._first += [norm for norm in self._since if norm > 0][:missing]
        self._recent.extend(self._since)
        self._since = []
