"""Training as a generator of records. Stop it by closing it: nothing runs between two chunks."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from time import perf_counter
from typing import TYPE_CHECKING

import numpy as np

from nnlab.engine.checkpoints import Checkpoint, fingerprint
from nnlab.engine.errors import CheckpointError, ConfigError, EngineError
from nnlab.engine.heads import fitted_head, loss_name, make_head
from nnlab.engine.metrics import baseline_metric, headline
from nnlab.engine.records import Ending, NonFinite, Records, RunInfo
from nnlab.engine.schedules import total_steps
from nnlab.engine.sizes import check_size, parameter_count
from nnlab.engine.tiers import make_trainer, tier_for

if TYPE_CHECKING:
    from collections.abc import Generator

    from nnlab.engine.config import TrainingConfig
    from nnlab.engine.native.examples import Examples
    from nnlab.engine.problem import Problem
    from nnlab.engine.trainer import Trainer

CHUNK_SECONDS = 0.05


@dataclass(frozen=True)
class Plan:
    """What a run will cost, known from the shape of its data alone."""

    parameters: int
    steps: int
    steps_per_epoch: int


def plan(config: TrainingConfig, *, task: str, inputs: int, outputs: int, rows: int) -> Plan:
    """Check that a config fits a task and its shape, and count parameters and steps, without any data.

    Args:
        rows: training rows.

    Raises:
        ConfigError: where the config does not fit: a loss of another task, a batch larger than the training
            rows, a network too large.
    """
    check_size(config, inputs, outputs)
    make_head(config, task, outputs)
    if config.batch_size > rows:
        raise ConfigError(
            "batch_size",
            f"expected at most the {rows} training rows, got {config.batch_size}; use a smaller batch",
        )
    steps_per_epoch = rows // config.batch_size
    return Plan(
        parameters=parameter_count(config, inputs, outputs),
        steps=total_steps(config, rows),
        steps_per_epoch=steps_per_epoch,
    )


def describe(config: TrainingConfig, problem: Problem) -> RunInfo:
    """Tell what a run will be, without training.

    Raises:
        ConfigError: as ``plan``.
    """
    rows, inputs = problem.x_train.shape
    planned = plan(config, task=problem.task, inputs=inputs, outputs=problem.outputs, rows=rows)
    head = fitted_head(config, problem)
    with np.errstate(over="ignore"):  # of targets that are huge; the loss will tell
        baseline_loss = head.best_constant_loss(head.encode(problem.y_train))
        baseline = baseline_metric(problem)
    return RunInfo(
        task=problem.task,
        inputs=inputs,
        widths=(*config.hidden_units, problem.outputs),
        activations=(*config.activations, head.activation),
        parameters=planned.parameters,
        train_rows=rows,
        validation_rows=len(problem.x_val),
        batch_size=config.batch_size,
        steps=planned.steps,
        steps_per_epoch=planned.steps_per_epoch,
        baseline_loss=baseline_loss,
        headline=headline(problem.task),
        baseline_metric=baseline,
        tier=tier_for(config),
        loss=loss_name(config, problem.task),
        test_rows=0 if problem.x_test is None else len(problem.x_test),
    )


class Training(Iterator[Records]):
    """A run in progress: an iterator of its records that can be closed, and kept between two records."""

    def __init__(
        self,
        config: TrainingConfig,
        problem: Problem,
        resume: bytes | None = None,
        *,
        chunk_seconds: float | None = None,
        examples: Examples | None = None,
    ) -> None:
        describe(config, problem)
        kept = None if resume is None else Checkpoint.from_bytes(resume)
        self._config, self._problem = config, problem
        if kept is not None:
            kept.check(config.to_dict(), self._fingerprint)
        tier = "auto" if kept is None else _tier_of(kept, config)
        self.trainer = make_trainer(config, problem, tier, examples=examples)
        if kept is not None:
            self.trainer.restore(kept.counters, kept.arrays)
        self._has_begun = kept is not None and kept.counters["has_begun"]
        self._records = _records(self.trainer, chunk_seconds or CHUNK_SECONDS, has_begun=self._has_begun)

    def __next__(self) -> Records:
        records = next(self._records)
        self._has_begun = True
        return records

    def begin(self) -> Records | None:
        """Give the records that come before any step; None once they were given.

        For those that then take the steps themselves, with ``trainer``.
        """
        if self._has_begun and self.trainer.ended is None:
            return None
        found = first_records(self.trainer, has_begun=self._has_begun)
        self._has_begun = True
        return found

    def close(self) -> None:
        """Stop the run; nothing of it goes on in the background."""
        self._records.close()

    def checkpoint(self) -> bytes:
        """Keep the run as it stands after the last records, for ``train(config, problem, resume=...)``.

        Raises:
            CheckpointError: for a run that has diverged, which could not go on; keep the one before.
        """
        if self.trainer.ended is Ending.DIVERGED:
            raise CheckpointError("expected a run that can go on, got one that has diverged")
        counters, arrays = self.trainer.checkpoint()
        counters["has_begun"] = self._has_begun
        tier = self.trainer.tier
        return Checkpoint(self._config.to_dict(), self._fingerprint, counters, arrays, tier).to_bytes()

    @cached_property
    def _fingerprint(self) -> str:
        return fingerprint(self._problem)


def train(config: TrainingConfig, problem: Problem, resume: bytes | None = None) -> Training:
    """Train a network and yield what happens, in chunks of about 50 ms.

    The first records hold the evaluation of the untrained network and no step. Where chunks are cut depends
    on the machine's speed; what they hold does not.

    Args:
        resume: a checkpoint of the same config and problem. Its run goes on, on the tier that it was on, with
            the records that would have come next, to the last bit on the same machine; if it had ended, they
            only say how.

    Raises:
        ConfigError: as ``describe``, at the call and not at the first record.
        CheckpointError: for bytes that are damaged, no checkpoint, or one of another run or of a tier that is
            not here.
    """
    return Training(config, problem, resume)


def _tier_of(kept: Checkpoint, config: TrainingConfig) -> str:
    try:
        return tier_for(config, kept.tier)
    except EngineError as error:
        raise CheckpointError(
            f"expected the {kept.tier} tier, which trained this run so far, got {tier_for(config)} here:"
            f" {error}"
        ) from error


def _records(trainer: Trainer, chunk_seconds: float, *, has_begun: bool) -> Generator[Records, None, None]:
    first = first_records(trainer, has_begun=has_begun)
    if first is not None:
        yield first
    pace = Pace(chunk_seconds)
    while trainer.ended is None:
        parts: list[Records] = []
        pace.start()
        while True:
            count = min(pace.steps, steps_to_evaluation(trainer))
            with pace.timed(count):
                part = trainer.run_chunk(count)
            parts.append(evaluated(part, trainer))
            if parts[-1].ended is not None or pace.is_over:
                break
        yield joined(parts)


class Pace:
    """How many steps fit into a chunk's time: doubled from 1 on, and never more than fitted last.

    Attributes:
        steps: to ask for next.
    """

    def __init__(self, seconds: float) -> None:
        self.steps = 1
        self._seconds, self._started = seconds, perf_counter()

    def start(self) -> None:
        """Begin a chunk."""
        self._started = perf_counter()

    @property
    def is_over(self) -> bool:
        """Whether the chunk's time is over."""
        return perf_counter() - self._started >= self._seconds

    @contextmanager
    def timed(self, steps: int) -> Iterator[None]:
        """Measure some steps."""
        started = perf_counter()
        yield
        fitting = int(self._seconds * steps / max(perf_counter() - started, 1e-9))
        self.steps = max(1, min(2 * self.steps, fitting))


def first_records(trainer: Trainer, *, has_begun: bool) -> Records | None:
    """Evaluate the untrained network; say how a resumed run has ended, if it has."""
    nothing = Records(trainer.step + 1, np.empty(0), np.empty(0), ended=trainer.ended)
    if not has_begun:
        return _judged(nothing, trainer)
    return None if trainer.ended is None else nothing


def steps_to_evaluation(trainer: Trainer) -> int:
    """Count the steps that may be done before the next evaluation."""
    before = trainer.validate_every - trainer.step % trainer.validate_every
    return min(before, trainer.steps - trainer.step)


def evaluated(records: Records, trainer: Trainer) -> Records:
    """Add the evaluation where one is due after these records, what follows from it, and the probes' cost."""
    records = replace(records, probe_share=trainer.probe_cost.share)
    is_due = trainer.step % trainer.validate_every == 0 or trainer.step == trainer.steps
    return _judged(records, trainer) if is_due and records.ended is None else records


def _judged(records: Records, trainer: Trainer) -> Records:
    found = trainer.judge()
    if isinstance(found, NonFinite):
        return replace(records, nonfinite=found, ended=trainer.ended)
    return replace(records, evaluations=(found,), ended=trainer.ended)


def joined(parts: list[Records]) -> Records:
    """Join consecutive chunks into one."""
    return Records(
        first_step=parts[0].first_step,
        losses=np.concatenate([part.losses for part in parts]),
        gradient_norms=np.concatenate([part.gradient_norms for part in parts]),
        samples=tuple(sample for part in parts for sample in part.samples),
        evaluations=tuple(found for part in parts for found in part.evaluations),
        nonfinite=parts[-1].nonfinite,
        ended=parts[-1].ended,
        learning_rates=np.concatenate([part.learning_rates for part in parts]),
        probe_share=parts[-1].probe_share,
    )
