"""Why inputs are scaled: two of them, one a thousand times the other, and a linear model."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from nnlab.engine.problem import Problem
from nnlab.engine.records import Ending, Records
from tests.engine.builders import run

# The loss that is reached, and the learning rate.
SCALED: dict[str, tuple[float, float]] = {"z-score": (1e-12, 0.1), "min-max": (1e-3, 0.1)}


def build_unscaled() -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    rng = np.random.default_rng(0)
    x = np.column_stack([rng.uniform(-1.0, 1.0, 200), rng.uniform(0.0, 1000.0, 200)])
    return x, (3.0 * x[:, 0] + 0.002 * x[:, 1]).reshape(-1, 1)


def train_linear(x: np.ndarray[Any, Any], y: np.ndarray[Any, Any], learning_rate: float) -> Records:
    return run(
        Problem("regression", x, y, x, y, 1),
        hidden_units=(),
        loss="half_mse",
        optimizer="sgd",
        learning_rate=learning_rate,
        batch_size=200,
        steps=1001,
        dtype="float64",
    )


def test_unscaled_inputs_diverge() -> None:
    x, y = build_unscaled()
    gram = with_intercept(x).T @ with_intercept(x) / 200
    assert np.linalg.cond(gram) > 1e6
    records = train_linear(x, y, 0.1)
    assert records.losses[:11].max() > 1e30
    assert records.ended is Ending.DIVERGED


def test_unscaled_inputs_learn_slowly_at_a_stable_rate() -> None:
    x, y = build_unscaled()
    largest = np.linalg.eigvalsh(with_intercept(x).T @ with_intercept(x) / 200).max()
    assert train_linear(x, y, 1.0 / largest).losses[-1] > 1.0


@pytest.mark.parametrize("method", SCALED)
def test_scaled_inputs_learn_fast(method: str) -> None:
    x, y = build_unscaled()
    low, high = x.min(axis=0), x.max(axis=0)
    scaled = (x - x.mean(axis=0)) / x.std(axis=0) if method == "z-score" else (x - low) / (high - low)
    bound, rate = SCALED[method]
    assert train_linear(scaled, y, rate).losses[-1] < bound


def with_intercept(x: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    return np.column_stack([x, np.ones(len(x))])
