"""Training as a generator of records. Stop it by closing it: nothing runs between two chunks."""

from __future__ import annotations

from dataclasses import dataclass, replace
from time import perf_counter
from typing import TYPE_CHECKING

import numpy as np

from nnlab.engine.config import check_size, parameter_count
from nnlab.engine.errors import ConfigError
from nnlab.engine.heads import fitted_head, make_head
from nnlab.engine.metrics import baseline_metric, headline
from nnlab.engine.numpy_trainer import NumpyTrainer
from nnlab.engine.records import NonFinite, Records, RunInfo
from nnlab.engine.schedules import total_steps

if TYPE_CHECKING:
    from collections.abc import Generator

    from nnlab.engine.config import TrainingConfig
    from nnlab.engine.problem import Problem

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
        baseline_loss=head.best_constant_loss(head.encode(problem.y_train)),
        headline=headline(problem.task),
        baseline_metric=baseline_metric(problem),
    )


def train(config: TrainingConfig, problem: Problem) -> Generator[Records, None, None]:
    """Train a network and yield what happens, in chunks of about 50 ms.

    The first records hold the evaluation of the untrained network and no step. Where chunks are cut depends
    on the machine's speed; what they hold does not.

    Raises:
        ConfigError: as ``describe``, at the call and not at the first record.
    """
    describe(config, problem)
    return _records(NumpyTrainer(config, problem))


def _records(trainer: NumpyTrainer) -> Generator[Records, None, None]:
    yield _judged(Records(1, np.empty(0), np.empty(0)), trainer)
    pace = 1
    while trainer.ended is None:
        parts: list[Records] = []
        started = perf_counter()
        while True:
            left_in_epoch = trainer.steps_per_epoch - trainer.step % trainer.steps_per_epoch
            count = min(pace, left_in_epoch, trainer.steps - trainer.step)
            part_started = perf_counter()
            part = trainer.run_chunk(count)
            fitting = int(CHUNK_SECONDS * count / max(perf_counter() - part_started, 1e-9))
            pace = max(1, min(2 * pace, fitting))
            if part.ended is None and (count == left_in_epoch or trainer.step == trainer.steps):
                part = _judged(part, trainer)
            parts.append(part)
            if part.ended is not None or perf_counter() - started >= CHUNK_SECONDS:
                break
        yield _joined(parts)


def _judged(records: Records, trainer: NumpyTrainer) -> Records:
    """Add the evaluation that is due after these records, and what follows from it."""
    found = trainer.judge()
    if isinstance(found, NonFinite):
        return replace(records, nonfinite=found, ended=trainer.ended)
    return replace(records, evaluations=(found,), ended=trainer.ended)


def _joined(parts: list[Records]) -> Records:
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
    )
