"""What every tier's trainer does alike: when to evaluate, what follows from it, what a checkpoint keeps."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from nnlab.engine.activity import Looks
from nnlab.engine.checkpoints import Arrays, fill
from nnlab.engine.evaluation import Evaluator, NumpyPredictor, Predict
from nnlab.engine.final_test import final_scores
from nnlab.engine.heads import fitted_head
from nnlab.engine.network import Network
from nnlab.engine.optimizers import make_optimizer
from nnlab.engine.patience import EarlyStopping, Plateau
from nnlab.engine.penalties import L1
from nnlab.engine.probe_cost import ProbeCost
from nnlab.engine.probes import Sampler, work_of_a_step
from nnlab.engine.records import Ending, Evaluation, NonFinite, Records
from nnlab.engine.schedules import make_schedule, total_steps
from nnlab.engine.snapshots import Camera

if TYPE_CHECKING:
    from collections.abc import Mapping

    from nnlab.engine.config import TrainingConfig
    from nnlab.engine.problem import Problem


class Trainer:
    """One run in progress. A trailing partial batch of an epoch is dropped.

    Args:
        probes: False takes no samples, for measuring what they cost.

    Attributes:
        step: updates done.
        ended: why the run is over; None while it is not.
        probe_cost: what its probes have cost so far.
        validate_every: steps from one evaluation to the next.
    """

    tier: ClassVar[str]

    def __init__(self, config: TrainingConfig, problem: Problem, *, probes: bool = True) -> None:
        self.step = 0
        self.ended: Ending | None = None
        self.steps_per_epoch = len(problem.x_train) // config.batch_size
        self.steps = total_steps(config, len(problem.x_train))
        self.validate_every = config.validate_every or self.steps_per_epoch
        self.network = Network(config, problem.x_train.shape[1], problem.outputs)
        self.head = fitted_head(config, problem)
        self._config, self._problem = config, problem
        work = work_of_a_step(len(self.network.parameters), config.batch_size)
        self._looks = Looks(self.steps, self.steps_per_epoch, self.validate_every, work)
        self._schedule = make_schedule(config, self.steps)
        parameters, weights = self.network.parameters, self.network.is_weight
        self._optimizer = make_optimizer(config, parameters, weights)
        has_l1 = config.l1 and config.optimizer != "ftrl"  # which has its own
        self._l1 = L1(weights, config.l1, parameters) if has_l1 else None
        self._sampler = Sampler(self.network, config.batch_size, self.head.activation)
        patience = config.early_stopping_epochs
        self._stopping = None if patience is None else EarlyStopping(patience, self.network)
        is_reduced = config.schedule == "reduce_on_plateau"
        self._plateau = Plateau(config.plateau_epochs) if is_reduced else None
        self._last_finite_loss: float | None = None
        self.probe_cost = ProbeCost()
        if not probes:
            self._sampler.due = self.steps + 1

    @cached_property
    def _evaluator(self) -> Evaluator:
        return Evaluator(self.network, self.head, self._problem, self._make_predictor())

    @cached_property
    def _camera(self) -> Camera:
        return Camera(self.network, self._problem)

    def _make_predictor(self) -> Predict:
        """Build what predicts the validation rows."""
        return NumpyPredictor(self.network, self._problem)

    def run_chunk(self, steps: int) -> Records:
        """Train for a number of steps, or up to the first loss or gradient that is not finite."""
        raise NotImplementedError

    def evaluate(self, *, is_brief: bool = False) -> Evaluation | NonFinite:
        """Evaluate on the validation rows, unless the weights are not finite any more.

        Args:
            is_brief: tell loss and score alone.
        """
        layer = self.network.first_nonfinite(self.network.parameters)
        if layer is not None:
            return NonFinite(self.step, "weights", layer, self._last_finite_loss)
        layer = self.network.first_bad_statistics()
        if layer is not None:
            return NonFinite(self.step, "activations", layer, self._last_finite_loss)
        with np.errstate(all="ignore"):
            epoch = self.step // self.steps_per_epoch
            ranks = self._looks.takes_rank(self.step)
            return self._evaluator.evaluate(self.step, epoch, ranks=ranks, is_brief=is_brief)

    def judge(self) -> Evaluation | NonFinite:
        """Evaluate, draw the consequences, take a snapshot where one is due, and test what has ended."""
        found = self._consequences()
        if self.ended is not None and not isinstance(found, NonFinite):
            tested = final_scores(self.network, self.head, self._problem)
            found = replace(found, metrics={**found.metrics, **tested})
        is_due = self.ended is not None or self._looks.takes_snapshot(self.step)
        if isinstance(found, NonFinite) or not is_due:
            return found
        return replace(found, snapshot=self._camera.take())

    def _consequences(self) -> Evaluation | NonFinite:
        """Evaluate; then come a lower learning rate, the end, the best network restored."""
        found = self.evaluate(is_brief=not self._looks.is_due(self.step))
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
