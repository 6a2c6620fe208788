"""The work of a run, counted from its configuration and the shape of its data: nothing is measured here."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from itertools import pairwise
from math import ceil, log
from typing import TYPE_CHECKING, Any, NamedTuple

from nnlab.engine.activity import Looks
from nnlab.engine.evaluation import BLOCK_ROWS
from nnlab.engine.population import shape_key
from nnlab.engine.probes import (
    FIRST_STEPS,
    GROWTH,
    LATE,
    LATE_PERIOD,
    NORM_PERIOD,
    PERIOD,
    ROWS_OF_A_SAMPLE,
    WORK,
    work_of_a_step,
)
from nnlab.engine.tiers import tier_for

if TYPE_CHECKING:
    from collections.abc import Mapping

    from nnlab.data.catalogue import Shape
    from nnlab.engine.config import TrainingConfig
    from runs.submitted.specification import Planned

# One core of ten years ago: only the ratio of two estimates is ever used where something was measured.
_STEP_SECONDS = 1e-5
_OPERATIONS_PER_SECOND = 2e10
_OPERATIONS = 6  # per parameter and row: a multiplication and an addition, forward and twice backward
_FORWARD = 2
_COUNTED = 60  # evaluations, evenly chosen, of which it is asked what they look into
_ARRAYS = {"sgd": 5, "adamw": 10, "ftrl": 11}  # as long as the parameters; as measured, like what follows
_USUAL_ARRAYS = 7
_DRAWN_BYTES = 40  # per weight of the layer whose first weights are being drawn
_FIXED_BYTES = 2 * 2**20
_LAYER_SERIES = 7  # per layer and sample, three of them of hidden layers only
_SCORES = 3  # that an evaluation tells
_SHORT = 2000  # points of a run whose series do not fill their chunks
_SHORT_BYTES, _LONG_BYTES = 4.5, 2.8  # a point
_SUMMARY_BYTES = 20_000  # of a run's row, its parameters and the heads of its series


class Kind(NamedTuple):
    """What runs have in common whose steps take equally long: network, batch and data."""

    shape: str
    parameters: int
    data: str


@dataclass(frozen=True)
class Work:
    """What one run has to do.

    Args:
        looks: evaluations that look into units and answers; the others tell loss and score alone.
        step: seconds of a step on the machine that nobody has, to compare with other kinds.
        evaluation: likewise.
    """

    kind: Kind
    config: TrainingConfig
    steps: int
    evaluations: int
    looks: int
    step: float
    evaluation: float

    @property
    def seconds(self) -> float:
        """All of it on that machine."""
        return self.steps * self.step + self.evaluations * self.evaluation


def data_key(data: Mapping[str, Any]) -> str:
    """Name data whose rows and columns are as many: which of the rows are held back does not matter."""
    settings = {key: value for key, value in data.items() if key != "split_seed"}
    return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:12]


def work_of(run: Planned, shape: Shape, data: str) -> Work:
    """Count what a planned run has to do.

    Args:
        data: of ``data_key``.
    """
    config, per_epoch = run.training, max(1, shape.train_rows // run.training.batch_size)
    every = config.validate_every or per_epoch
    evaluations = ceil(run.steps / every) + 1
    step = work_of_a_step(run.parameters, config.batch_size)
    looks = Looks(run.steps, per_epoch, every, step)
    counted = min(evaluations - 1, _COUNTED)
    chosen = [1 + place * (evaluations - 1) // counted for place in range(counted)]
    share = sum(looks.is_due(every * number) for number in chosen) / max(1, counted)
    return Work(
        kind=Kind(shape_key(config), run.parameters, data),
        config=config,
        steps=run.steps,
        evaluations=evaluations,
        looks=1 + round(share * (evaluations - 1)),
        step=_seconds(_OPERATIONS * run.parameters * config.batch_size),
        evaluation=_seconds(_FORWARD * run.parameters * shape.validation_rows),
    )


def memory_of(config: TrainingConfig, parameters: int, shape: Shape) -> int:
    """Estimate the most bytes that training one run takes, beyond the program's own."""
    item = 4 if config.dtype == "float32" else 8
    arrays = _ARRAYS.get(config.optimizer, _USUAL_ARRAYS) + (config.early_stopping_epochs is not None)
    arrays += (config.l2 > 0.0) + 4 * (config.l1 > 0.0)
    sizes = (shape.inputs, *config.hidden_units, shape.outputs)
    drawing = 2 * item * parameters + _DRAWN_BYTES * max(n_in * n_out for n_in, n_out in pairwise(sizes))
    values = 5 + 3 * any(config.dropouts) + 2 * config.batch_norm
    rows = config.batch_size + min(shape.validation_rows, BLOCK_ROWS)
    passes = values * item * sum(sizes[1:]) * rows
    return max(drawing, item * arrays * parameters) + passes + examples_of(shape, item) + _FIXED_BYTES


def examples_of(shape: Shape, item: int = 4) -> int:
    """Count the bytes of the examples, as they are prepared and as the engine reads them."""
    rows = shape.train_rows + shape.validation_rows
    columns = shape.inputs + (1 if shape.task == "multiclass" else shape.outputs)
    answers = shape.validation_rows * shape.outputs * 3 * 8
    return rows * (columns + 1) * (2 * 8 + item) + answers


def points_of(work: Work) -> int:
    """Estimate the points that a run stores: each step's, those of samples, and those of evaluations."""
    config, steps = work.config, work.steps
    layers = len(config.hidden_units) + 1
    has_rates = config.schedule != "constant" or config.warmup_steps > 0
    norms = steps if is_native(config) else min(steps, FIRST_STEPS[-1]) + steps // NORM_PERIOD
    layered = _samples_of(work) * (_LAYER_SERIES * layers - 3) + work.looks * (layers - 1)
    return steps * (1 + has_rates) + norms + layered + _SCORES * work.evaluations


def _samples_of(work: Work) -> int:
    """Count the samples of the probes: dense while a run is young, then spaced by steps, or by work."""
    steps, burst = work.steps, ceil(ROWS_OF_A_SAMPLE / work.config.batch_size)
    early = sum(step <= steps for step in FIRST_STEPS) + min(steps, LATE) // (PERIOD * burst)
    late = max(
        LATE_PERIOD * burst, round(WORK / work_of_a_step(work.kind.parameters, work.config.batch_size))
    )
    grown = max(LATE, min(steps, late / (GROWTH - 1.0)))
    return early + round(log(grown / LATE) / log(GROWTH) + max(0.0, steps - grown) / late)


def bytes_of(points: int, runs: int) -> int:
    """Estimate the bytes that runs take in the database once their points are sealed."""
    each = _SHORT_BYTES if points < _SHORT * runs else _LONG_BYTES
    return round(points * each) + runs * _SUMMARY_BYTES


def is_native(config: TrainingConfig) -> bool:
    """Tell whether the compiled core trains a configuration on this machine."""
    return tier_for(config) == "native"


def _seconds(operations: float) -> float:
    return _STEP_SECONDS + operations / _OPERATIONS_PER_SECOND
