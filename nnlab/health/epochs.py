"""The series of evaluations: losses, scores and dead units from one to the next, in bounded memory."""

from __future__ import annotations

import math
import operator
import sys
from collections import deque
from functools import reduce
from statistics import median
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from nnlab.engine.records import Evaluation, RunInfo
    from nnlab.health.thresholds import Limits

FloatArray = NDArray[np.float64]
# A step, the averages of both losses, and the validation loss itself; a bare tuple, for there are many.
Followed = tuple[int, float, float, float]
GAIN = 1 / 3  # of averages over evaluations: a window of five
WINDOW = 10
USUAL = 3  # scores that say what is usual
DEAD_WINDOW = 5


class ScoreTrack:
    """The headline metric, the higher the better: accuracy, or R squared over the baseline's error.

    Attributes:
        name: of the metric.
        last: the last ten.
        floor: that of a constant answer.
        best: the best of all.
        earlier_best: the best of all before the last five: where scores rise, it does not exceed ``usual``.
        average: moving average; NaN before the first.
        best_average: the best that it has been.
    """

    def __init__(self, info: RunInfo) -> None:
        self.is_accuracy = info.headline.endswith("accuracy")
        self.floor = info.baseline_metric if self.is_accuracy else 0.0
        self.name, self._baseline, self._rows = info.headline, info.baseline_metric, info.validation_rows
        self.last: deque[float] = deque(maxlen=WINDOW)
        self.best = self.best_average = self.earlier_best = -math.inf
        self.average = math.nan

    def add(self, metrics: Iterable[float]) -> None:
        """Take the metric of the next evaluations; a score that is not defined is left out."""
        scores = [score for metric in metrics if math.isfinite(score := self.of(metric))]
        self.earlier_best = max([self.earlier_best, *[*self.last, *scores][: -WINDOW // 2]])
        self.last.extend(scores)
        self.best = max([self.best, *scores])
        for score in scores:
            self.average = _moved(self.average, score)
            self.best_average = max(self.best_average, self.average)

    @property
    def usual(self) -> float:
        """The median of the last scores; NaN while there are fewer than three."""
        return median(self.last) if len(self.last) >= USUAL else math.nan

    def skill(self, score: float) -> float:
        """Tell what part of the way from a constant answer to a perfect one a score has made."""
        return (score - self.floor) / (1 - self.floor) if self.floor < 1 else math.nan

    @property
    def noise(self) -> float:
        """Standard error of the average: how far chance alone moves it with so few validation rows.

        For accuracy that of a share, with one row added to either side so that it is never 0; for R squared
        that of the mean of squared normal errors.
        """
        if not self.is_accuracy:
            return math.sqrt(2 / self._rows) * (1 - min(self.average, 1.0))
        share = (self.average * self._rows + 1) / (self._rows + 2)
        return math.sqrt(share * (1 - share) / self._rows)

    def of(self, metric: float) -> float:
        """Turn the metric into a score."""
        if self.is_accuracy:
            return metric
        return 1 - (metric / self._baseline) ** 2 if self._baseline > 0 else math.nan


class EpochTrack:
    """What happened from evaluation to evaluation: an epoch, unless the config has them at other steps.

    The series begins with the first evaluation after a step, and leaves out that of a network restored at
    the end. Only the dead units of the untrained network are kept.

    Args:
        overfitting: limits of what counts as risen.

    Attributes:
        word: what people call the step from one evaluation to the next.
        count: evaluations in the series.
        validation_losses: the last eleven.
        validation_loss: their moving average; NaN before the first.
        training_loss: moving average of the mean batch losses between two evaluations.
        least: the smallest ``validation_loss`` so far, which was at step ``least_step``.
        least_training_loss: ``training_loss`` at that step.
        risen: consecutive evaluations, from step ``risen_since`` on, at which the validation loss was above
            its smallest and above the training loss, and the training loss below what it was then.
        is_restored: whether training has ended by giving back the best network.
    """

    def __init__(self, info: RunInfo, config: Mapping[str, object], overfitting: Limits) -> None:
        self._baseline, self._limits = info.baseline_loss, overfitting
        self._least_rise = overfitting["rise_of_baseline"] * info.baseline_loss
        self.word = "epoch" if config.get("validate_every") is None else "evaluation"
        self.score = ScoreTrack(info)
        self.count = self.risen = self.risen_since = self.least_step = 0
        self.validation_losses: deque[float] = deque(maxlen=WINDOW + 1)
        self.validation_loss = self.training_loss = self.least_training_loss = math.nan
        self.least = math.inf
        self.is_restored = False
        self._dead_shares: deque[FloatArray] = deque(maxlen=DEAD_WINDOW + 1)
        self._sum, self._steps = 0.0, 0
        self._losses: list[float] = []  # those read last, from a step on; of these so many are summed
        self._from = self._summed = 0

    def add_losses(self, losses: list[float]) -> None:
        """Take the losses of the next steps, before the evaluations that come after any of them."""
        self._sum_until(len(self._losses))
        self._from += len(self._losses)
        self._losses, self._summed = losses, 0

    def add_evaluation(self, evaluation: Evaluation) -> list[Followed]:
        """Take the next evaluation, which tells of units as well; give what the series took of it."""
        if evaluation.restored_step is None:
            self._dead_shares.append(evaluation.dead_share)
        return self.add_scores([evaluation])

    def add_scores(self, evaluations: Iterable[Evaluation]) -> list[Followed]:
        """Take the next evaluations; losses that are not finite are another check's matter."""
        known, metrics, name = [], [], self.score.name
        for evaluation in evaluations:
            self.is_restored = evaluation.restored_step is not None
            if self.is_restored:
                continue
            loss, mean = evaluation.metrics["val_loss"], self._next_mean(evaluation.step)
            if math.isfinite(loss) and math.isfinite(mean):
                known.append((evaluation.step, loss, mean))
                metrics.append(evaluation.metrics.get(name, math.nan))
        if not known:
            return []
        self.count += len(known)
        self.score.add(metrics)
        self.validation_losses.extend([loss for _, loss, _ in known])
        return self._follow(known)

    @property
    def rise(self) -> float:
        """How far the average validation loss is above its smallest."""
        return self.validation_loss - self.least

    @property
    def gap(self) -> float:
        """Validation loss over training loss, less 1; losses near 0 count as a part of the baseline's."""
        floor = self._limits["gap_floor"] * self._baseline
        least = max(self.training_loss, floor, sys.float_info.min)
        return (self.validation_loss - self.training_loss) / least

    @property
    def dead_growth(self) -> FloatArray:
        """Dead share of each hidden layer now, less five times that it was told ago; NaN before that."""
        shares = self._dead_shares
        if len(shares) <= DEAD_WINDOW:
            return np.full(shares[-1].shape if shares else 0, np.nan)
        return shares[-1] - shares[0]

    def _next_mean(self, step: int) -> float:
        """The mean of the losses since the evaluation before; NaN where there are none."""
        end = min(step - self._from, len(self._losses))
        if end > self._summed:
            self._sum_until(end)
        mean = self._sum / self._steps if self._steps else math.nan
        self._sum, self._steps = 0.0, 0
        return mean

    def _sum_until(self, end: int) -> None:
        """Add losses one by one: their sum must not depend on the chunks."""
        self._sum = reduce(operator.add, self._losses[self._summed : end], self._sum)
        self._steps += end - self._summed
        self._summed = end

    def _follow(self, losses: list[tuple[int, float, float]]) -> list[Followed]:
        """Move the averages; local names, for there may be thousands a second."""
        points, least = [], self.least
        validation, training = self.validation_loss, self.training_loss
        for step, loss, mean in losses:
            validation, training = _moved(validation, loss), _moved(training, mean)
            points.append((step, validation, training, loss))
            if validation < least:
                self.least = least = validation
                self.least_step, self.least_training_loss = step, training
                self.risen = 0
            elif validation - least < self._least_rise:
                self.risen = 0
            else:
                self.validation_loss, self.training_loss = validation, training
                self.risen = self.risen + 1 if self._is_risen() else 0
                if self.risen == 1:
                    self.risen_since = step
        self.validation_loss, self.training_loss = validation, training
        return points

    def _is_risen(self) -> bool:
        limits = self._limits
        needed = max(limits["rise"] * self.least, self._least_rise)
        if not self.rise >= needed:
            return False
        learns_on = self.training_loss <= (1 - limits["fall"]) * self.least_training_loss
        return learns_on and self.gap > limits["gap"]


def swings(values: Iterable[float], least: float) -> int:
    """Count the moves up or down by at least so much, each from the extreme that the last one led to."""
    count, direction = 0, 0
    low, high = math.inf, -math.inf
    for value in values:
        low, high = min(low, value), max(high, value)
        if direction <= 0 and value - low >= least:
            count, direction, low, high = count + 1, 1, value, value
        elif direction >= 0 and high - value >= least:
            count, direction, low, high = count + 1, -1, value, value
    return count


def _moved(average: float, value: float) -> float:
    """Move an average towards a value; NaN begins with it."""
    return value if math.isnan(average) else average + GAIN * (value - average)
