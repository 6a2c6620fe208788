"""The NumPy tier: trains one network, a chunk of steps a call."""

from __future__ import annotations

from dataclasses import replace
from math import isfinite
from typing import TYPE_CHECKING, Any

import numpy as np

from nnlab.engine.checkpoints import Arrays, fill
from nnlab.engine.counter_random import Stream, key, mixed, permutation
from nnlab.engine.evaluation import Evaluator
from nnlab.engine.heads import fitted_head
from nnlab.engine.network import Network, Pass, with_ones
from nnlab.engine.optimizers import make_optimizer
from nnlab.engine.patience import EarlyStopping, Plateau
from nnlab.engine.penalties import L1, L2, Clip, MaxNorm, norm
from nnlab.engine.probes import Sampler, samples_norm
from nnlab.engine.records import Ending, Evaluation, NonFinite, Records, Sample
from nnlab.engine.schedules import make_schedule, total_steps

if TYPE_CHECKING:
    from collections.abc import Mapping

    from nnlab.engine.activations import Array
    from nnlab.engine.config import TrainingConfig
    from nnlab.engine.losses import Targets
    from nnlab.engine.problem import Problem


class NumpyTrainer:
    """One run in progress. A trailing partial batch of an epoch is dropped.

    Attributes:
        step: updates done.
        ended: why the run is over; None while it is not.
    """

    def __init__(self, config: TrainingConfig, problem: Problem) -> None:
        self.step = 0
        self.ended: Ending | None = None
        self.steps_per_epoch = len(problem.x_train) // config.batch_size
        self.steps = total_steps(config, len(problem.x_train))
        self.network = Network(config, problem.x_train.shape[1], problem.outputs)
        self.head = fitted_head(config, problem)
        self._config = config
        with np.errstate(all="ignore"):  # values beyond float32 become inf and are reported as such
            self._x = with_ones(problem.x_train, config.dtype)
            self._evaluator = Evaluator(self.network, self.head, problem)
        self._targets = self.head.encode(problem.y_train)
        self._pass = Pass(self.network, config.batch_size, training=True)
        self._x_batch = np.empty((config.batch_size, self._x.shape[1]), self._x.dtype)
        self._target_batch = np.empty((config.batch_size, self._targets.shape[1]), self._targets.dtype)
        self._order, self._order_epoch = np.arange(len(self._x)), -1
        parameters, weights = self.network.parameters, self.network.is_weight
        self._schedule = make_schedule(config, self.steps)
        self._optimizer = make_optimizer(config, parameters, weights)
        self._l1 = L1(weights, config.l1, parameters) if config.l1 else None
        self._l2 = L2(weights, config.l2, parameters) if config.l2 else None
        if config.optimizer == "ftrl":  # which has both inside
            self._l1 = self._l2 = None
        layers = self.network.layers
        self._clip = Clip(
            [layer.parameters for layer in layers],
            value=config.clip_value,
            layer_norm=config.clip_layer_norm,
            norm=config.clip_norm,
        )
        bound = config.max_norm
        self._max_norm = None if bound is None else MaxNorm([layer.weight for layer in layers], bound)
        self._sampler = Sampler(self.network, config.batch_size, self.head.activation)
        patience = config.early_stopping_epochs
        self._stopping = None if patience is None else EarlyStopping(patience, self.network)
        is_reduced = config.schedule == "reduce_on_plateau"
        self._plateau = Plateau(config.plateau_epochs) if is_reduced else None
        self._last_finite_loss: float | None = None

    def run_chunk(self, steps: int) -> Records:
        """Train for a number of steps, or up to the first loss or gradient that is not finite."""
        losses, norms = np.empty(steps), np.full(steps, np.nan)
        rates = np.empty(0 if self._schedule is None else steps)
        samples: list[Sample] = []
        first_step = self.step + 1
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
        return Records(first_step, losses, norms, tuple(samples), learning_rates=rates)

    def evaluate(self) -> Evaluation | NonFinite:
        """Evaluate on the validation rows, unless the weights are not finite any more."""
        layer = self.network.first_nonfinite(self.network.parameters)
        if layer is not None:
            return NonFinite(self.step, "weights", layer, self._last_finite_loss)
        layer = self.network.first_bad_statistics()
        if layer is not None:
            return NonFinite(self.step, "activations", layer, self._last_finite_loss)
        with np.errstate(all="ignore"):
            return self._evaluator.evaluate(self.step, self.step // self.steps_per_epoch)

    def judge(self) -> Evaluation | NonFinite:
        """Evaluate, and draw the consequences: a lower learning rate, the end, the best network restored."""
        found = self.evaluate()
        if isinstance(found, NonFinite):
            self.ended = Ending.DIVERGED
            return found
        loss, stopping = found.metrics["val_loss"], self._stopping
        if self._plateau is not None:
            self._plateau.follow(loss)
        if self.step == self.steps:
            self.ended = Ending.END
        if stopping is None:
            return found
        stopping.follow(self.step, loss)
        if self.ended is None and stopping.is_over:
            self.ended = Ending.EARLY_STOP
        if self.ended is None or stopping.best_step == self.step:
            return found
        stopping.restore()
        best = self.evaluate()
        return best if isinstance(best, NonFinite) else replace(best, restored_step=stopping.best_step)

    def checkpoint(self) -> tuple[dict[str, Any], Arrays]:
        """Give everything that the rest of the run depends on: counters, and arrays that are not copied."""
        counters: dict[str, Any] = {
            "step": self.step,
            "ended": self.ended,
            "last_finite_loss": self._last_finite_loss,
            "due": self._sampler.due,
            "burst_steps": self._sampler.sums.steps,
            "burst_rows": self._sampler.sums.rows,
        }
        arrays: Arrays = {"parameters": self.network.parameters, "running": self.network.running}
        arrays |= {f"optimizer/{name}": array for name, array in self._optimizer.arrays().items()}
        arrays |= {f"burst/{name}": array for name, array in self._sampler.sums.arrays().items()}
        if self._l1 is not None:
            arrays["pinned"] = self._l1.pinned
        if self._stopping is not None:
            arrays |= self._stopping.arrays()
            counters |= {"best": self._stopping.counters()}
        if self._plateau is not None:
            counters |= {"plateau": self._plateau.counters()}
        return counters, arrays

    def restore(self, counters: Mapping[str, Any], arrays: Arrays) -> None:
        """Go on from where ``checkpoint`` was called on a run of the same config and problem.

        Raises:
            CheckpointError: for arrays of another network.
        """
        fill(self.checkpoint()[1], arrays)
        self.step = self._optimizer.steps = counters["step"]
        self.ended = counters["ended"] and Ending(counters["ended"])
        self._last_finite_loss = counters["last_finite_loss"]
        self._sampler.due = counters["due"]
        self._sampler.sums.steps, self._sampler.sums.rows = counters["burst_steps"], counters["burst_rows"]
        if self._stopping is not None:
            self._stopping.go_on(counters["best"])
        if self._plateau is not None:
            self._plateau.go_on(counters["plateau"])

    def _run_step(self, samples: list[Sample]) -> tuple[float, float, NonFinite | None]:
        """Take one step; return its loss, its gradient's norm or NaN, and what was not finite."""
        step, passed = self.step, self._pass
        x, targets = self._batch()
        passed.draw_masks(step)
        loss = self.head.loss_and_gradient(passed.forward(x), targets, passed.d)
        if not isfinite(loss):
            return loss, float("nan"), self._origin_of_bad_loss()
        self._last_finite_loss = loss
        passed.keep_statistics()
        passed.backward()
        size = norm(self.network.gradients) if samples_norm(step) else 0.0
        if not isfinite(size):
            layer = self.network.first_nonfinite(self.network.gradients)
            return loss, size, NonFinite(step, "gradient", layer, loss)
        sampled = step == self._sampler.due
        if sampled:
            self._sampler.before_update(passed)
        self._update()
        if sampled and (sample := self._sampler.after_update(step)) is not None:
            samples.append(sample)
        return loss, size if samples_norm(step) else float("nan"), None

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

    def _origin_of_bad_loss(self) -> NonFinite:
        """Walk forward through the pass that gave the loss, to the first thing that is not finite."""
        found = [*(trace.z for trace in self._pass.traces), self._pass.z]
        for index, (layer, z) in enumerate(zip(self.network.layers, found, strict=True)):
            if not np.isfinite(self.network.parameters[layer.parameters]).all():
                return NonFinite(self.step, "weights", index, self._last_finite_loss)
            if not np.isfinite(z).all():
                return NonFinite(self.step, "activations", index, self._last_finite_loss)
        return NonFinite(self.step, "loss", None, self._last_finite_loss)
