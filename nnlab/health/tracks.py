"""Running averages and medians of what comes at every step."""

from __future__ import annotations

import math
from array import array
from collections import deque
from statistics import median
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from collections.abc import Sequence

FloatArray = NDArray[np.float64]

EMA_GRID = 10  # every tenth average is kept, which is enough for windows of 50 steps and more


class LossTrack:
    """Bias-corrected moving average of the batch losses; those that are not finite stay out of it.

    The window is a quarter of an epoch, at least 20 and at most 200 steps. Losses are read many at once, and
    then gone through: what is told is as of ``step``. Sums are formed in blocks on the grid of all steps, so
    that they do not depend on how the run was cut into chunks.

    Attributes:
        step: how far the losses were gone through.
        average: NaN before the first loss.
        first: the first finite loss, that of the untrained network.
        lowest: the lowest average so far, of those over a whole window; infinity before.
    """

    def __init__(self, steps_per_epoch: int) -> None:
        window = min(max(steps_per_epoch / 4, 20.0), 200.0)
        self._window = window
        self._keep = 1 - 2 / (window + 1)
        self._losses: FloatArray = np.empty(0)  # those read last, from a multiple of the grid on
        self._read_from = 0  # that multiple
        self._sums: list[tuple[float, int]] = [(0.0, 0)]  # with their counts, there and at each one after it
        self._bad_at: int | None = None  # the first of these losses that is not finite
        self._before: float | None = None  # the loss before these
        self._grid = array("d", [math.nan])
        self.step = 0
        self.average = self.first = math.nan
        self.lowest = math.inf
        self.bad_step: int | None = None
        self.last_finite: float | None = None

    def read(self, losses: FloatArray) -> None:
        """Take the losses of the next steps; all that were read before must have been gone through."""
        done = len(self._losses) // EMA_GRID * EMA_GRID
        if done:
            self._before = float(self._losses[done - 1])
        self._read_from += done
        self._losses = np.concatenate([self._losses[done:], losses])
        bad = np.flatnonzero(~np.isfinite(self._losses))
        self._bad_at = int(bad[0]) if len(bad) else None
        self._sums = [self._sums[-1]]
        blocks = self._losses[: len(self._losses) // EMA_GRID * EMA_GRID].reshape(-1, EMA_GRID)
        if self._bad_at is not None:
            for block in blocks.tolist():
                self._sums.append(self._moved(*self._sums[-1], block))
        elif len(blocks):
            self._add_blocks(blocks)

    def go_to(self, step: int) -> None:
        """Go through the losses up to a step; no further than was read."""
        now = step - self._read_from
        if self._bad_at is not None and self.bad_step is None and self._bad_at < now:
            self.bad_step = self._read_from + self._bad_at + 1
            self.last_finite = float(self._losses[self._bad_at - 1]) if self._bad_at else self._before
        if math.isnan(self.first):
            self.first = next((loss for loss in self._losses[:now].tolist() if math.isfinite(loss)), math.nan)
        passed = now // EMA_GRID
        for total, count in self._sums[self.step // EMA_GRID - self._read_from // EMA_GRID + 1 : passed + 1]:
            self._keep_average(total, count)
        rest = self._losses[passed * EMA_GRID : now].tolist()
        self.average = self._corrected(*self._moved(*self._sums[passed], rest))
        self.step = step

    def add(self, losses: Sequence[float]) -> None:
        """Read losses and go through them."""
        self.read(np.asarray(losses, np.float64))
        self.go_to(self.step + len(losses))

    def _add_blocks(self, blocks: FloatArray) -> None:
        """Do what ``_moved`` does, to the last bit, for whole blocks of finite losses at once."""
        gain, moves = 1 - self._keep, np.zeros(len(blocks))
        for losses in blocks.T:
            moves = self._keep * moves + gain * losses
        (total, count), keep = self._sums[-1], self._keep**EMA_GRID
        for move in moves.tolist():
            total, count = keep * total + move, count + EMA_GRID
            self._sums.append((total, count))

    def _moved(self, total: float, count: int, losses: list[float]) -> tuple[float, int]:
        """Move a sum by the next losses, and count them."""
        keep, gain, move = self._keep, 1 - self._keep, 0.0
        known = [loss for loss in losses if math.isfinite(loss)]
        for loss in known:
            move = keep * move + gain * loss
        return keep ** len(known) * total + move, count + len(known)

    def _keep_average(self, total: float, count: int) -> None:
        average = self._corrected(total, count)
        self._grid.append(average)
        if count >= self._window and average < self.lowest:
            self.lowest = average

    def _corrected(self, total: float, count: int) -> float:
        return total / (1 - self._keep**count) if count else math.nan

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
        self._last, self._least = recent, first
        self._first: list[float] = []
        self._since: list[FloatArray] = []
        self.peak = self.recent = self.first = math.nan

    def add(self, norms: FloatArray) -> None:
        """Take the norms of the next steps, NaN where not measured."""
        self._since.append(norms)

    def turn(self) -> None:
        """Close the interval at a sample: medians first, so that a peak is never its own reference."""
        enough = len(self._first) == self._least
        self.first = median(self._first) if enough else math.nan
        self.recent = median(self._recent) if enough else math.nan
        norms = np.concatenate(self._since) if self._since else np.empty(0)
        known = norms[~np.isnan(norms)]
        self.peak = float(known.max()) if len(known) else math.nan
        missing = self._least - len(self._first)
        if missing:
            self._first += known[known > 0][:missing].tolist()
        self._recent.extend(known[-self._last :].tolist())
        self._since = []
