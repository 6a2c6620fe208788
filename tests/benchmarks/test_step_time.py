"""Step time, as a ratio to the matrix products alone: the machine's speed cancels out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from statistics import median
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from nnlab.engine.config import TrainingConfig
from nnlab.engine.numpy_trainer import NumpyTrainer
from nnlab.engine.problem import Problem

if TYPE_CHECKING:
    from numpy.typing import NDArray

pytestmark = pytest.mark.benchmark

ROUNDS, WARM_UP = 21, 10


@dataclass(frozen=True)
class Case:
    """One workload, and how many times its products' time a step may take."""

    inputs: int
    batch_size: int
    bound: float
    steps_a_round: int
    config: dict[str, Any] = field(default_factory=dict)


CASES = {
    "64-64-64 Adam, batch 100": Case(22, 100, 4.0, 50, {"hidden_units": (64, 64, 64)}),
    "100-50-20 Adam, dropout, batch 100": Case(
        22, 100, 6.0, 50, {"hidden_units": (100, 50, 20), "dropout": 0.1}
    ),
    "1024-1024 Adam, batch 256": Case(784, 256, 2.0, 3, {"hidden_units": (1024, 1024)}),
}


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    with threadpool_limits(1):
        yield


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_a_step_costs_little_more_than_its_matrix_products(case: Case) -> None:
    trainer = build_trainer(case)
    trainer.run_chunk(WARM_UP)
    products = Products((case.inputs, *case.config["hidden_units"], 1), case.batch_size)
    rounds = [time_both(trainer, products, case.steps_a_round) for _ in range(ROUNDS)]
    ratio = median(ours / floor for ours, floor in rounds)
    microseconds = 1e6 * min(ours for ours, _ in rounds) / case.steps_a_round
    print(f"step / matrix products = {ratio:.2f}, best step {microseconds:.0f} us")
    assert ratio < case.bound


def build_trainer(case: Case) -> NumpyTrainer:
    rng = np.random.default_rng(0)
    x = rng.standard_normal((20 * case.batch_size, case.inputs), np.float32)
    y = x[:, :1] * x[:, 1:2]
    return NumpyTrainer(
        TrainingConfig(batch_size=case.batch_size, **case.config),
        Problem("regression", x, y, x[:10], y[:10], 1),
    )


class Products:
    """The three products of each layer, forward and backward, and nothing else."""

    def __init__(self, sizes: tuple[int, ...], rows: int) -> None:
        rng = np.random.default_rng(1)

        def draw(*shape: int) -> NDArray[np.float32]:
            return rng.standard_normal(shape, np.float32)

        self.weights = [draw(n_in, n_out) for n_in, n_out in pairwise(sizes)]
        self.gradients = [np.empty_like(weight) for weight in self.weights]
        self.activations = [draw(n, rows) for n in sizes]
        self.deltas = [draw(n, rows) for n in sizes]

    def run(self) -> None:
        """Take one step's products."""
        layers = range(len(self.weights))
        for layer in layers:
            np.matmul(self.weights[layer].T, self.activations[layer], out=self.deltas[layer + 1])
        for layer in reversed(layers):
            np.matmul(self.activations[layer], self.deltas[layer + 1].T, out=self.gradients[layer])
            if layer:  # nothing lies below the inputs
                np.matmul(self.weights[layer], self.deltas[layer + 1], out=self.deltas[layer])


def time_both(trainer: NumpyTrainer, products: Products, steps: int) -> tuple[float, float]:
    """Time both in turn, so that a slow moment of the machine hits both alike."""
    started = perf_counter()
    trainer.run_chunk(steps)
    between = perf_counter()
    for _ in range(steps):
        products.run()
    return between - started, perf_counter() - between
