"""What checks read: windows and ratios over the engine's records."""

from __future__ import annotations

import math
from collections import deque
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from nnlab.engine.records import Evaluation, NonFinite, RunInfo, Sample
from nnlab.health.epochs import EpochTrack
from nnlab.health.progress import ProgressTrack, known_median
from nnlab.health.thresholds import THRESHOLDS, Thresholds
from nnlab.health.tracks import GradientTrack, LossTrack

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from nnlab.health.facts import DataFacts

FloatArray = NDArray[np.float64]
NOTHING: Mapping[str, object] = MappingProxyType({})

SAMPLES_OF_A_MEDIAN = 5
NO_RATES: FloatArray = np.empty(0)
WINDOWS_OF_A_RUN = 50  # so far
LAST_EVALUATIONS = 3  # as many as a check needs that must not be misled by a single one
CAN_DIE = ("relu", "relu6")  # the others have a gradient where their output is 0 or below


class Reading(StrEnum):
    """What has just been read: the occasions on which checks are asked.

    START is before step 1, with the config, the data and the untrained network's evaluation still to come;
    WINDOW comes every ``Signals.window`` steps, for what only losses tell. A brief evaluation is no occasion.
    """

    START = "start"
    NONFINITE = "nonfinite"
    SAMPLE = "sample"
    WINDOW = "window"
    EVALUATION = "evaluation"
    END = "end"


class Signals:
    """Everything read from a run so far. Only the monitor feeds it; checks only read.

    Args:
        info: layers, lengths and baselines of the run.
        thresholds: for the lengths of windows and the limits of progress.
        config: the run's training config in plain values, with its data config under ``data`` where known.
        facts: of the examples; None where nobody looked.

    Attributes:
        evaluations: the last three that told of units and answers, the latest at the end.
        ratios: R of each hidden layer in the last sample, RMS of delta over the largest above; NaN if none.
        metric: the headline metric of the last evaluation.
        smallest_ratio: the smallest of them that is defined.
        updates: u of each layer in the last sample: norm of the update over norm of the weights.
        first_update: the largest u in the first sample, before anything could have gone wrong.
        usual_updates: median of u of each layer over the last samples; NaN while there are too few.
        silent_rows: rows since when no unit of a hidden layer was active in any sample.
        silent_evaluations: consecutive evaluations since then that found all units silent.
    """

    def __init__(
        self,
        info: RunInfo,
        thresholds: Thresholds = THRESHOLDS,
        config: Mapping[str, object] = NOTHING,
        facts: DataFacts | None = None,
    ) -> None:
        limits = thresholds.checks["exploding"]
        self.info, self.config, self.facts = info, config, facts
        self._least_window = max(int(thresholds.progress["least_window"]), -(-info.steps_per_epoch // 4))
        self.limits = thresholds.progress
        self.losses = LossTrack(info.steps_per_epoch)
        self.epochs = EpochTrack(info, config, thresholds.checks["overfitting"])
        self.progress = ProgressTrack(info)
        self.gradients = GradientTrack(int(limits["recent"]), int(limits["first"]))
        self._ahead: tuple[FloatArray, FloatArray] = (NO_RATES, NO_RATES)
        self._ahead_from = 0
        self.metric: float | None = None
        self.nonfinite: NonFinite | None = None
        self.sample: Sample | None = None
        self.evaluation: Evaluation | None = None
        self.first_evaluation: Evaluation | None = None
        self.evaluations: deque[Evaluation] = deque(maxlen=LAST_EVALUATIONS)
        self.ratios = [math.nan] * (info.layers - 1)
        self.smallest_ratio = self.largest_update = self.first_update = math.nan
        severe = int(thresholds.checks["vanishing"]["severe_samples"])
        self.recent_collapse: deque[tuple[float, float]] = deque(maxlen=severe)
        self.silent_rows = [0] * (info.layers - 1)
        self.silent_since = [0] * (info.layers - 1)
        self.silent_evaluations = [0] * (info.layers - 1)
        self._first_weights = [0.0] * info.layers
        self._first_sample = 0
        self.updates = self.usual_updates = [math.nan] * info.layers
        self._recent_updates: deque[list[float]] = deque(maxlen=SAMPLES_OF_A_MEDIAN)
        rate = config.get("learning_rate")
        self._rate = self._peak_rate = rate if isinstance(rate, float) else math.nan
        self.reading = Reading.SAMPLE
        self.t_min = max(info.steps_per_epoch, int(self.limits["t_min_steps"]))

    @property
    def step(self) -> int:
        """The last step whose loss was read."""
        return self.losses.step

    def add_steps(self, losses: FloatArray, norms: FloatArray, rates: FloatArray = NO_RATES) -> None:
        """Take the losses and gradient norms of the next steps, and their learning rates where scheduled."""
        self.read(losses, norms, rates)
        self.go_to(self.step + len(losses))

    def read(self, losses: FloatArray, norms: FloatArray, rates: FloatArray = NO_RATES) -> None:
        """Take the same, to be gone through; what was read before must have been."""
        self._ahead, self._ahead_from = (norms, rates), self.step
        self.losses.read(losses)
        self.epochs.add_losses(losses.tolist())

    def go_to(self, step: int) -> None:
        """Go through what was read, up to a step."""
        norms, rates = self._ahead
        if step == self.step:
            return
        new = slice(self.step - self._ahead_from, step - self._ahead_from)
        self.losses.go_to(step)
        if len(rates):
            self._rate = float(rates[new][-1])
            self._peak_rate = max(float(rates[new].max()), self._peak_rate)
        self.gradients.add(norms[new])
        bad = self.losses.bad_step
        if bad is not None and self.nonfinite is None:
            self.nonfinite = NonFinite(bad, "loss", None, self.losses.last_finite)

    def add_nonfinite(self, nonfinite: NonFinite) -> None:
        """Take the engine's word on where numbers stopped being finite."""
        self.nonfinite = nonfinite

    def add_sample(self, sample: Sample) -> None:
        """Take a probe reading and form its ratios."""
        if self.sample is None:
            self._first_weights = sample.weight_norm.tolist()
            self._first_sample = sample.step
        self.sample = sample
        self.gradients.turn()
        silent = [not counts.any() for counts in sample.active_counts]
        self.ratios = self._backward_ratios(sample.delta_rms.tolist(), silent)
        self.smallest_ratio = min((ratio for ratio in self.ratios if not math.isnan(ratio)), default=math.nan)
        self.updates = self._relative_updates(sample)
        self.largest_update = max((u for u in self.updates if not math.isnan(u)), default=math.nan)
        if sample.step == self._first_sample:
            self.first_update = self.largest_update
        self.progress.add_updates(sample.step, self.updates)
        self._recent_updates.append(self.updates)
        if len(self._recent_updates) == SAMPLES_OF_A_MEDIAN:
            self.usual_updates = [known_median(layer) for layer in zip(*self._recent_updates, strict=True)]
        if self.info.layers > 1:
            self.recent_collapse.append((self.smallest_ratio, float(sample.spread[-1])))
        for layer, is_silent in enumerate(silent):
            if is_silent and not self.silent_rows[layer]:
                self.silent_since[layer] = sample.step
            self.silent_rows[layer] = self.silent_rows[layer] + sample.rows if is_silent else 0
            if not is_silent:
                self.silent_evaluations[layer] = 0

    def add_scores(self, evaluations: Sequence[Evaluation]) -> None:
        """Take evaluations that tell of scores alone, of steps that were read."""
        self.metric = evaluations[-1].metrics.get(self.info.headline)
        self.progress.add_points(self.epochs.add_scores(evaluations))

    def add_evaluation(self, evaluation: Evaluation) -> None:
        """Take an evaluation that tells of units and answers, too."""
        self.metric = evaluation.metrics.get(self.info.headline)
        self.progress.add_points(self.epochs.add_evaluation(evaluation))
        self.evaluation = evaluation
        self.first_evaluation = self.first_evaluation or evaluation
        self.evaluations.append(evaluation)
        for layer, share in enumerate(evaluation.dead_share.tolist()):
            is_silent = share == 1 and self.silent_rows[layer] > 0
            self.silent_evaluations[layer] = self.silent_evaluations[layer] + 1 if is_silent else 0

    def _backward_ratios(self, delta: list[float], silent: list[bool]) -> list[float]:
        """Form R of the hidden layers: RMS of delta over the largest above; NaN where undefined.

        A delta of exactly 0 at or below a layer without an active unit is death, not vanishing: undefined.
        """
        ratios = [math.nan] * len(silent)
        above, is_dead = delta[-1], False
        for layer in range(len(silent) - 1, -1, -1):
            own = delta[layer]
            is_dead = is_dead or (silent[layer] and self.info.activations[layer] in CAN_DIE)
            if 0 < above < math.inf and not (own == 0 and is_dead):
                ratios[layer] = own / above
            above = max(above, own)
        return ratios

    def _relative_updates(self, sample: Sample) -> list[float]:
        """Form u of all layers, over the initial weights where those have since shrunk towards 0."""
        present, first = sample.weight_norm.tolist(), self._first_weights
        return [
            ratio * now / max(now, start) if now > 0 else math.nan
            for ratio, now, start in zip(sample.update_ratio.tolist(), present, first, strict=True)
        ]

    @property
    def output_starts_at_zero(self) -> bool:
        """Whether the weights of the output layer are exactly 0 at the start."""
        return self.sample is not None and self._first_weights[-1] == 0

    @property
    def q(self) -> float:
        """Average loss over the loss of the best constant prediction; NaN where that is (nearly) 0."""
        if not self.info.baseline_loss >= self.limits["least_baseline_loss"]:
            return math.nan
        return self.losses.average / self.info.baseline_loss

    @property
    def rate_share(self) -> float:
        """The learning rate now as a share of its peak, warm-up included; 1 where it is unknown."""
        return self._rate / self._peak_rate if self._peak_rate > 0 else 1.0

    @property
    def skill(self) -> float:
        """What part of the way from the baseline to a perfect metric is made; R squared for errors."""
        return math.nan if self.metric is None else self.epochs.score.skill(self.epochs.score.of(self.metric))

    @property
    def metric_is_no_better(self) -> bool:
        """Whether the headline metric is at the baseline; errors are compared as R squared."""
        score = self.epochs.score
        return self.metric is None or not score.of(self.metric) > score.floor + self.limits["metric_margin"]

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
    def window(self) -> int:
        """Steps between two looks at losses alone: a quarter of an epoch, at least 50 and 2 % of the run."""
        return self.window_at(self.step)

    def window_at(self, step: int) -> int:
        """Do the same for another step."""
        return max(self._least_window, step // WINDOWS_OF_A_RUN)

    @property
    def progress_window(self) -> int:
        """Over how many steps progress is judged: the last fifth, at least 200."""
        return int(max(self.limits["window_steps"], self.limits["window_share"] * self.step))

    @property
    def scores_well(self) -> bool:
        """Whether the last evaluations' scores are far on the way to perfect, whatever the losses say."""
        score = self.epochs.score
        return score.skill(score.usual) >= self.limits["skill_good"] and not self.metric_is_no_better

    @property
    def succeeds(self) -> bool:
        """Whether the run has learnt its task, by its loss or by its scores."""
        return self.q < self.limits["q_good"] or self.scores_well

    @property
    def eases(self) -> bool:
        """Whether the run makes such progress that a symptom can only be of interest."""
        if self.succeeds:
            return True
        fall = self.losses.fall_over(self.progress_window)
        return self.q < self.limits["q_easing"] and fall >= self.limits["fall"]
