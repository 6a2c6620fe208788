"""What checks read: windows and ratios over the engine's records."""

from __future__ import annotations

import math
from array import array
from collections import deque
from enum import StrEnum
from statistics import median

import numpy as np
from numpy.typing import NDArray

from nnlab.engine.records import Evaluation, NonFinite, RunInfo, Sample
from nnlab.health.thresholds import THRESHOLDS, Thresholds

FloatArray = NDArray[np.float64]

EMA_GRID = 10  # every tenth average is kept, which is enough for windows of 200 steps and more
CAN_DIE = ("relu", "relu6")  # the others have a gradient where their output is 0 or below


class Reading(StrEnum):
    """What has just been read: the occasions on which checks are asked."""

    NONFINITE = "nonfinite"
    SAMPLE = "sample"
    EVALUATION = "evaluation"
    END = "end"


class LossTrack:
    """Bias-corrected moving average of the batch losses.

    The window is a quarter of an epoch, at least 20 and at most 200 steps.
    """

    def __init__(self, steps_per_epoch: int) -> None:
        window = min(max(steps_per_epoch / 4, 20.0), 200.0)
        self._keep = 1 - 2 / (window + 1)
        self._sum = 0.0
        self._weight = 0.0
        self._grid = array("d", [math.nan])
        self._latest: float | None = None
        self.step = 0
        self.bad_step: int | None = None
        self.last_finite: float | None = None

    def add(self, losses: list[float]) -> None:
        """Take the losses of the next steps; those that are not finite stay out of the average."""
        keep, gain = self._keep, 1 - self._keep
        for loss in losses:
            self.step += 1
            if math.isfinite(loss):
                self._sum = keep * self._sum + gain * loss
                self._weight = keep * self._weight + gain
                self._latest = loss
            elif self.bad_step is None:
                self.bad_step, self.last_finite = self.step, self._latest
            if self.step % EMA_GRID == 0:
                self._grid.append(self.average)

    @property
    def average(self) -> float:
        """The average now; NaN before the first loss."""
        return self._sum / self._weight if self._weight else math.nan

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


class Signals:
    """Everything read from a run so far. Only the monitor feeds it; checks only read."""

    def __init__(self, info: RunInfo, thresholds: Thresholds = THRESHOLDS) -> None:
        limits = thresholds.checks["exploding"]
        self.info = info
        self.limits = thresholds.progress
        self.losses = LossTrack(info.steps_per_epoch)
        self.gradients = GradientTrack(int(limits["recent"]), int(limits["first"]))
        self.nonfinite: NonFinite | None = None
        self.sample: Sample | None = None
        self.evaluation: Evaluation | None = None
        self.ratios: FloatArray = np.full(info.layers - 1, np.nan)
        self.recent_collapse: deque[tuple[float, float]] = deque(
            maxlen=int(thresholds.checks["vanishing"]["severe_samples"])
        )
        self.silent_rows = [0] * (info.layers - 1)
        self.silent_since = [0] * (info.layers - 1)
        self.silent_evaluations = [0] * (info.layers - 1)
        self._first_weights: FloatArray = np.zeros(info.layers)
        self._first_sample = 0
        self.updates: FloatArray = np.full(info.layers, np.nan)
        self.reading = Reading.SAMPLE
        self.t_min = max(info.steps_per_epoch, int(self.limits["t_min_steps"]))

    @property
    def step(self) -> int:
        """The last step whose loss was read."""
        return self.losses.step

    def add_steps(self, losses: FloatArray, norms: FloatArray) -> None:
        """Take the losses and gradient norms of the next steps."""
        self.losses.add(losses.tolist())
        self.gradients.add(norms)
        bad = self.losses.bad_step
        if bad is not None and self.nonfinite is None:
            self.nonfinite = NonFinite(bad, "loss", None, self.losses.last_finite)

    def add_nonfinite(self, nonfinite: NonFinite) -> None:
        """Take the engine's word on where numbers stopped being finite."""
        self.nonfinite = nonfinite

    def add_sample(self, sample: Sample) -> None:
        """Take a probe reading and form its ratios."""
        if self.sample is None:
            self._first_weights = sample.weight_norm
            self._first_sample = sample.step
        self.sample = sample
        self.gradients.turn()
        self.ratios = self._backward_ratios(sample)
        self.updates = self._relative_updates(sample)
        if self.info.layers > 1:
            self.recent_collapse.append((self.smallest_ratio, float(sample.spread[-1])))
        for layer, counts in enumerate(sample.active_counts):
            if counts.any():
                self.silent_rows[layer] = self.silent_evaluations[layer] = 0
                continue
            if not self.silent_rows[layer]:
                self.silent_since[layer] = sample.step
            self.silent_rows[layer] += sample.rows

    def add_evaluation(self, evaluation: Evaluation) -> None:
        """Take a pass over the validation rows."""
        self.evaluation = evaluation
        for layer, share in enumerate(evaluation.dead_share.tolist()):
            is_silent = share == 1 and self.silent_rows[layer] > 0
            self.silent_evaluations[layer] = self.silent_evaluations[layer] + 1 if is_silent else 0

    def _backward_ratios(self, sample: Sample) -> FloatArray:
        """Form R of the hidden layers: RMS of delta over the largest above; NaN where undefined.

        A delta of exactly 0 below a layer without an active unit is death, not vanishing: undefined here.
        """
        delta = sample.delta_rms
        above = np.maximum.accumulate(delta[::-1])[::-1][1:]
        ratios = np.full(len(delta) - 1, np.nan)
        np.divide(delta[:-1], above, out=ratios, where=np.isfinite(above) & (above > 0))
        if (ratios == 0).any():
            dead_above = False
            for layer in range(len(ratios) - 1, -1, -1):
                dies = self.info.activations[layer] in CAN_DIE
                dead_above = dead_above or (dies and not sample.active_counts[layer].any())
                if dead_above and ratios[layer] == 0:
                    ratios[layer] = np.nan
        return ratios

    def _relative_updates(self, sample: Sample) -> FloatArray:
        """Form u of all layers, over the initial weights where those have since shrunk towards 0."""
        with np.errstate(invalid="ignore", over="ignore"):  # weights may have overflowed
            shrunk = sample.weight_norm / np.maximum(sample.weight_norm, self._first_weights)
            return sample.update_ratio * shrunk

    @property
    def output_starts_at_zero(self) -> bool:
        """Whether the weights of the output layer are exactly 0 at the start."""
        return self.sample is not None and self._first_weights[-1] == 0

    @property
    def smallest_ratio(self) -> float:
        """R_bwd: the smallest defined ratio of the last sample; NaN if there is none."""
        known = self.ratios[~np.isnan(self.ratios)]
        return float(known.min()) if len(known) else math.nan

    @property
    def largest_update(self) -> float:
        """The largest update ratio of any layer in the last sample; NaN if none is defined."""
        known = self.updates[~np.isnan(self.updates)]
        return float(known.max()) if len(known) else math.nan

    @property
    def q(self) -> float:
        """Average loss over the loss of the best constant prediction; NaN where that is (nearly) 0."""
        if not self.info.baseline_loss >= self.limits["least_baseline_loss"]:
            return math.nan
        return self.losses.average / self.info.baseline_loss

    @property
    def metric(self) -> float | None:
        """The headline metric of the last evaluation."""
        return None if self.evaluation is None else self.evaluation.metrics.get(self.info.headline)

    @property
    def metric_is_no_better(self) -> bool:
        """Whether the headline metric is at the baseline; errors are compared as R squared."""
        metric, baseline = self.metric, self.info.baseline_metric
        if metric is None:
            return True
        if self.info.headline.endswith("accuracy"):
            return not metric > baseline + self.limits["metric_margin"]
        return not (baseline > 0 and 1 - (metric / baseline) ** 2 > self.limits["metric_margin"])

    @property
    def looks_stuck(self) -> bool:
        """Whether loss and metric are at the baseline now, however early that is."""
        return self.q >= self.limits["q_no_better"] and self.metric_is_no_better

    @property
    def is_stuck(self) -> bool:
        """No better than the baseline, after at least an epoch and 200 steps."""
        return self.step >= self.t_min and self.looks_stuck

    @property
    def loss_is_above_baseline(self) -> bool:
        """Whether the loss is clearly worse than a constant answer, later than at the start."""
        return self.step >= self.t_min and self.q >= self.limits["q_above"]

    @property
    def is_born_dead(self) -> bool:
        """Whether a layer has been silent since the first sample."""
        silent = zip(self.silent_rows, self.silent_since, strict=True)
        return any(rows > 0 and since == self._first_sample for rows, since in silent)

    @property
    def eases(self) -> bool:
        """Whether the run makes such progress that a symptom can only be of interest."""
        if self.q < self.limits["q_good"]:
            return True
        window = max(self.limits["window_steps"], self.limits["window_share"] * self.step)
        return self.q < self.limits["q_easing"] and self.losses.fall_over(int(window)) >= self.limits["fall"]
