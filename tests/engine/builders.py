"""Problems and configs for the engine's tests."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from nnlab.engine.config import TrainingConfig
from nnlab.engine.numpy_trainer import NumpyTrainer
from nnlab.engine.problem import Problem
from nnlab.engine.records import Records
from nnlab.engine.training import joined, train

if TYPE_CHECKING:
    from numpy.typing import NDArray

# The playground's own settings, as far as they differ from the config's defaults.
PLAYGROUND: dict[str, Any] = {
    "initializer": "playground",
    "loss": "half_mse",
    "output_activation": "tanh",
    "optimizer": "sgd",
    "learning_rate": 0.03,
    "batch_size": 10,
    "shuffle": False,
}


def build_problem(task: str = "regression", rows: int = 64, inputs: int = 3, *, seed: int = 0) -> Problem:
    """Build a small learnable problem; regression and multilabel have 2 outputs, multiclass 3."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((2 * rows, inputs)).astype(np.float32)
    score = x @ rng.standard_normal((inputs, 3))
    y: NDArray[np.generic]
    if task == "regression":
        y, outputs = score[:, :2].astype(np.float32), 2
    elif task == "binary":
        y, outputs = (score[:, 0] > 0).astype(np.int64), 1
    elif task == "multiclass":
        y, outputs = score.argmax(axis=1), 3
    else:
        y, outputs = (score[:, :2] > 0).astype(np.int64), 2
    return Problem(task, x[:rows], y[:rows], x[rows:], y[rows:], outputs)


def build_xor(seed: int, *, rows: int = 500, cross: bool = False) -> Problem:
    """Build the playground's xor without noise, half of it for validation."""
    rng = np.random.default_rng(seed)
    points = rng.uniform(-5.0, 5.0, (rows, 2))
    points += np.where(points > 0.0, 0.3, -0.3)
    product = points[:, 0] * points[:, 1]
    y = (product >= 0.0).astype(np.int64)
    x = np.column_stack([points, product]) if cross else points
    half = rows // 2
    return Problem("binary", x[:half], y[:half], x[half:], y[half:], 1)


def build_trainer(problem: Problem, **config: Any) -> NumpyTrainer:
    """Build a trainer from config fields."""
    return NumpyTrainer(TrainingConfig(**config), problem)


def run(problem: Problem, **config: Any) -> Records:
    """Train to the end and join all records into one."""
    return joined(list(train(TrainingConfig(**config), problem)))
