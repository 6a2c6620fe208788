"""The native tier: hands a network and its examples to the compiled core, a chunk of steps a call."""

from __future__ import annotations

from ctypes import POINTER, byref, c_uint32, c_uint64, cast
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nnlab.engine.alignment import aligned_zeros
from nnlab.engine.counter_random import Stream, key
from nnlab.engine.evaluation import Predict
from nnlab.engine.native.description import OPTIMIZERS, describe_head, describe_layers
from nnlab.engine.native.examples import Examples
from nnlab.engine.native.library import load
from nnlab.engine.native.prediction import NativePredictor
from nnlab.engine.native.structures import RunStructure, declare, double_pointer, float_pointer
from nnlab.engine.network import Pass, with_ones
from nnlab.engine.numpy_trainer import origin_of_bad_loss
from nnlab.engine.records import Ending, NonFinite, Records, Sample
from nnlab.engine.trainer import Trainer

if TYPE_CHECKING:
    from nnlab.engine.config import TrainingConfig
    from nnlab.engine.problem import Problem

Floats = NDArray[np.float32]

_BAD_LOSS = 1


class NativeTrainer(Trainer):
    """Trains in float32 with the compiled core.

    Attributes:
        core: its functions.
        structure: the run as they see it.
    """

    tier = "native"

    def __init__(
        self,
        config: TrainingConfig,
        problem: Problem,
        *,
        probes: bool = True,
        examples: Examples | None = None,
    ) -> None:
        super().__init__(config, problem, probes=probes)
        found = load()
        if found is None:
            raise RuntimeError("expected the native core, found none; ask tiers.tier_for first")
        self.core = found.functions
        declare(self.core)
        examples = examples or Examples.of(problem, self.head)
        self._arrays: dict[str, NDArray[Any]] = {}  # the core holds pointers only; these must outlive it
        self.structure = RunStructure(
            batch=config.batch_size,
            rows=len(problem.x_train),
            steps_per_epoch=self.steps_per_epoch,
            is_shuffled=config.shuffle,
            optimizer=OPTIMIZERS.index(config.optimizer),
            shuffle_key=key(config.seed, Stream.SHUFFLE),
            learning_rate=config.learning_rate,
            momentum=config.momentum,
            weight_decay=config.weight_decay,
            l1=config.l1,
            l2=config.l2,
            order_epoch=-1,
        )
        for name in ("clip_value", "clip_layer_norm", "clip_norm", "max_norm"):
            setattr(self.structure, name, getattr(config, name) or 0.0)
        describe_head(self.head, self.structure)
        self._layers = describe_layers(self.network, config)
        self.structure.layers, self.structure.layer = len(self._layers), self._layers
        self._point_to_arrays(examples)
        self._examples = examples

    def _make_predictor(self) -> Predict:
        return NativePredictor(self.core, self.structure, self._examples)

    def run_chunk(self, steps: int) -> Records:
        """Train for a number of steps, or up to the first loss or gradient that is not finite."""
        chunk = self.begin_chunk(steps)
        while chunk.goes_on:
            self.advance(chunk)
        return chunk.records()

    def begin_chunk(self, steps: int) -> Chunk:
        """Make room for what some steps yield."""
        return Chunk(self, steps, self._rates(steps))

    def advance(self, chunk: Chunk) -> None:
        """Do steps of a chunk: those before the next that the probes read, or these."""
        plain = min(self.unprobed_steps, chunk.last_step - self.step)
        steps = plain or min(chunk.last_step, self._sampler.last_of_burst) - self.step
        started = perf_counter()
        done = self.core.nn_train(self.point_into(chunk), steps)
        self.note(chunk, done)
        count = self.probe_cost.add_plain if plain else self.probe_cost.add_probed
        count(done, perf_counter() - started)

    @property
    def unprobed_steps(self) -> int:
        """How many steps come before the next that the probes read."""
        return max(0, self._sampler.due - self.step - 1)

    def point_into(self, chunk: Chunk) -> Any:
        """Let the core write where the chunk's next step belongs; give what the core takes."""
        run, done = self.structure, chunk.done
        run.step, run.probed_from = self.step, self._sampler.due
        run.losses, run.norms = double_pointer(chunk.losses[done:]), double_pointer(chunk.norms[done:])
        run.rates = double_pointer(chunk.rates[done:]) if len(chunk.rates) else None
        return byref(run)

    def note(self, chunk: Chunk, done: int) -> None:
        """Follow the core, which has done some of the chunk's steps."""
        before, run = self.step, self.structure
        self._optimizer.steps = self.step = before + done
        read = max(0, self.step - max(before, self._sampler.due - 1))
        self._sampler.sums.steps += read
        self._sampler.sums.rows += read * run.batch
        losses = chunk.losses[chunk.done - done : chunk.done]
        finite = losses[np.isfinite(losses)]
        if len(finite):
            self._last_finite_loss = float(finite[-1])
        if run.trouble:
            self.ended = Ending.DIVERGED
            chunk.nonfinite = self._origin(run.trouble)
        elif self.step == self._sampler.last_of_burst:
            chunk.samples.append(self._sample())

    def _origin(self, trouble: int) -> NonFinite:
        if trouble == _BAD_LOSS:
            return self._origin_of_bad_loss()
        layer = self.network.first_nonfinite(self.network.gradients)
        return NonFinite(self.step, "gradient", layer, self._last_finite_loss)

    def _origin_of_bad_loss(self) -> NonFinite:
        """Repeat the pass that gave the loss, keeping what the core overwrites."""
        run, rows = self.structure, self._config.batch_size
        first = (self.step - 1) % self.steps_per_epoch * rows
        chosen = np.arange(first, first + rows)
        if run.is_shuffled:
            chosen = self._arrays["order"][first : first + rows].astype(np.int64)
        passed = Pass(self.network, rows, training=True)
        with np.errstate(all="ignore"):
            passed.draw_masks(self.step)
            passed.forward(with_ones(self._arrays["x"][chosen], self._config.dtype).T)
        return origin_of_bad_loss(passed, self.step, self._last_finite_loss)

    def _sample(self) -> Sample:
        sums = self._sampler.sums
        np.sqrt(sums.layer_sums, out=sums.layer_sums)  # the core adds squares
        sample = sums.sample(self.step)
        sums.clear()
        self._sampler.due = self._sampler.next_start(self.step)
        return sample

    def _rates(self, steps: int) -> NDArray[np.float64]:
        if self._schedule is None:
            return np.empty(0)
        reductions = 0 if self._plateau is None else self._plateau.reductions
        first = self.step + 1
        return np.array([self._schedule.rate(step, reductions) for step in range(first, first + steps)])

    def _point_to_arrays(self, examples: Examples) -> None:
        run, network, config = self.structure, self.network, self._config
        state = [*self._optimizer.arrays().values(), np.empty(0, np.float32), np.empty(0, np.float32)]
        self._point(parameters=network.parameters, gradients=network.gradients, running=network.running)
        self._point(first=state[0], second=state[1], x=examples.x)
        self._point(targets=examples.targets, weights=examples.weights)
        run.target_columns, run.weight_columns = examples.targets.shape[1], examples.weights.shape[1]
        if self._l1 is not None:
            self._l1.pinned = aligned_zeros(len(network.parameters), np.float32)
            self._point(pinned=self._l1.pinned)
        penalties = (config.l1, config.l2, config.weight_decay if config.optimizer == "adamw" else 0.0)
        if any(penalties):
            is_weight = aligned_zeros(len(network.parameters), np.float32)
            is_weight += network.is_weight
            self._point(is_weight=is_weight)
        shuffled = run.rows if run.is_shuffled else 0
        self._arrays["order"] = np.empty(shuffled, np.uint32)
        run.order = cast(self._arrays["order"].ctypes.data, POINTER(c_uint32))
        run.sorted = cast(examples.sorting.ctypes.data, POINTER(c_uint64))
        sums = self._sampler.sums
        run.layer_sums, run.hidden_sums = double_pointer(sums.layer_sums), double_pointer(sums.hidden_sums)
        run.unit_sums = double_pointer(sums.unit_sums)
        self._point(work=examples.work("training", self.core.nn_work_floats(byref(run))))

    def _point(self, **arrays: NDArray[Any]) -> None:
        for name, array in arrays.items():
            self._arrays[name] = array
            setattr(self.structure, name, float_pointer(array))


class Chunk:
    """What some consecutive steps yield."""

    def __init__(self, trainer: NativeTrainer, steps: int, rates: NDArray[np.float64]) -> None:
        self._trainer, self._first_step = trainer, trainer.step + 1
        self.last_step = trainer.step + steps
        self.losses, self.norms, self.rates = np.empty(steps), np.full(steps, np.nan), rates
        self.samples: list[Sample] = []
        self.nonfinite: NonFinite | None = None

    @property
    def done(self) -> int:
        """How many of the steps are done."""
        return self._trainer.step + 1 - self._first_step

    @property
    def goes_on(self) -> bool:
        """Whether any are left that can be done."""
        return self.nonfinite is None and self._trainer.step < self.last_step

    def records(self) -> Records:
        """Tell it as every tier does."""
        done = slice(self.done)
        return Records(
            self._first_step,
            self.losses[done],
            self.norms[done],
            tuple(self.samples),
            nonfinite=self.nonfinite,
            ended=self._trainer.ended,
            learning_rates=self.rates[done],
        )
