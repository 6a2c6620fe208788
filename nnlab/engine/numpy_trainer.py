"""The NumPy tier: trains one network, step by step, as the course notes would write it."""

from __future__ import annotations

from math import isfinite
from time import perf_counter
from typing import TYPE_CHECKING

import numpy as np

from nnlab.engine.counter_random import Stream, key, mixed, permutation
from nnlab.engine.network import Pass, with_ones
from nnlab.engine.penalties import L2, Clip, MaxNorm, norm
from nnlab.engine.probes import samples_norm
from nnlab.engine.records import Ending, NonFinite, Records, Sample
from nnlab.engine.trainer import Trainer

if TYPE_CHECKING:
    from nnlab.engine.activations import Array
    from nnlab.engine.config import TrainingConfig
    from nnlab.engine.losses import Targets
    from nnlab.engine.problem import Problem


class NumpyTrainer(Trainer):
    """Trains with NumPy, in float32 or float64. Every other tier has to agree with it."""

    tier = "numpy"

    def __init__(self, config: TrainingConfig, problem: Problem, *, probes: bool = True) -> None:
        super().__init__(config, problem, probes=probes)
        with np.errstate(all="ignore"):  # values beyond float32 become inf and are reported as such
            self._x = with_ones(problem.x_train, config.dtype)
        self._targets = self.head.encode(problem.y_train)
        self._pass = Pass(self.network, config.batch_size, training=True)
        self._x_batch = np.empty((config.batch_size, self._x.shape[1]), self._x.dtype)
        self._target_batch = np.empty((config.batch_size, self._targets.shape[1]), self._targets.dtype)
        self._order, self._order_epoch = np.arange(len(self._x)), -1
        parameters, weights = self.network.parameters, self.network.is_weight
        has_l2 = config.l2 and config.optimizer != "ftrl"  # which has its own
        self._l2 = L2(weights, config.l2, parameters) if has_l2 else None
        layers = self.network.layers
        self._clip = Clip(
            [layer.parameters for layer in layers],
            value=config.clip_value,
            layer_norm=config.clip_layer_norm,
            norm=config.clip_norm,
        )
        bound = config.max_norm
        self._max_norm = None if bound is None else MaxNorm([layer.weight for layer in layers], bound)

    def run_chunk(self, steps: int) -> Records:
        """Train for a number of steps, or up to the first loss or gradient that is not finite."""
        losses, norms = np.empty(steps), np.full(steps, np.nan)
        rates = np.empty(0 if self._schedule is None else steps)
        samples: list[Sample] = []
        first_step = self.step + 1
        started, self._probe_seconds = perf_counter(), 0.0
        with np.errstate(all="ignore"):  # overflow is found by its traces, and reported
            for index in range(steps):
                self.step += 1
                if self._schedule is not None:
                    reductions = 0 if self._plateau is None else self._plateau.reductions
                    rates[index] = self._optimizer.learning_rate = self._schedule.rate(self.step, reductions)
                losses[index], norms[index], nonfinite = self._run_step(samples)
                if nonfinite is not None:
                    done = slice(index + 1)
                    self.ended = Ending.DIVERGED
                    return Records(
                        first_step,
                        losses[done],
                        norms[done],
                        tuple(samples),
                        nonfinite=nonfinite,
                        ended=self.ended,
                        learning_rates=rates[done],
                    )
        self.probe_cost.add(perf_counter() - started, self._probe_seconds)
        return Records(first_step, losses, norms, tuple(samples), learning_rates=rates)

    def _run_step(self, samples: list[Sample]) -> tuple[float, float, NonFinite | None]:
        """Take one step; return its loss, its gradient's norm or NaN, and what was not finite."""
        step, passed = self.step, self._pass
        x, targets = self._batch()
        passed.draw_masks(step)
        loss = self.head.loss_and_gradient(passed.forward(x), targets, passed.d)
        if not isfinite(loss):
            return loss, float("nan"), origin_of_bad_loss(passed, step, self._last_finite_loss)
        self._last_finite_loss = loss
        passed.keep_statistics()
        passed.backward()
        size = norm(self.network.gradients) if samples_norm(step) else 0.0
        if not isfinite(size):
            layer = self.network.first_nonfinite(self.network.gradients)
            return loss, size, NonFinite(step, "gradient", layer, loss)
        if step == self._sampler.due:
            self._update_probed(samples)
        else:
            self._update()
        return loss, size if samples_norm(step) else float("nan"), None

    def _update_probed(self, samples: list[Sample]) -> None:
        """Update, and read what there is to see; the time that this takes is counted."""
        started = perf_counter()
        self._sampler.before_update(self._pass)
        between = perf_counter()
        self._update()
        updated = perf_counter()
        sample = self._sampler.after_update(self.step)
        if sample is not None:
            samples.append(sample)
        self._probe_seconds += between - started + perf_counter() - updated

    def _batch(self) -> tuple[Array, Targets]:
        """Give the step's inputs (inputs + 1, rows) and targets (rows, outputs)."""
        epoch, index = divmod(self.step - 1, self.steps_per_epoch)
        size = self._config.batch_size
        chosen = slice(index * size, (index + 1) * size)
        if not self._config.shuffle:
            return self._x[chosen].T, self._targets[chosen]
        if epoch != self._order_epoch:
            self._order_epoch = epoch
            self._order = permutation(mixed(key(self._config.seed, Stream.SHUFFLE), epoch), len(self._x))
        rows = self._order[chosen]
        np.take(self._x, rows, axis=0, out=self._x_batch, mode="clip")  # the mode that needs no extra buffer
        np.take(self._targets, rows, axis=0, out=self._target_batch, mode="clip")
        return self._x_batch.T, self._target_batch

    def _update(self) -> None:
        """Clip the raw gradient, then decay, then update, then bound the weights."""
        parameters, gradients = self.network.parameters, self.network.gradients
        self._clip.apply(gradients)
        if self._l2 is not None:
            self._l2.add(gradients, parameters)
        if self._l1 is not None:
            self._l1.before_update(parameters, self._optimizer.learning_rate)
        self._optimizer.update(parameters, gradients)
        if self._l1 is not None:
            self._l1.after_update(parameters)
        if self._max_norm is not None:
            self._max_norm.apply()


def origin_of_bad_loss(passed: Pass, step: int, last_finite_loss: float | None) -> NonFinite:
    """Walk forward through the pass that gave a loss, to the first thing that is not finite."""
    found = [*(trace.z for trace in passed.traces), passed.z]
    for index, (layer, z) in enumerate(zip(passed.network.layers, found, strict=True)):
        if not np.isfinite(passed.network.parameters[layer.parameters]).all():
            return NonFinite(step, "weights", index, last_finite_loss)
        if not np.isfinite(z).all():
            return NonFinite(step, "activations", index, last_finite_loss)
    return NonFinite(step, "loss", None, last_finite_loss)
