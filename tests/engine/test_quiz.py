"""Quiz cases on the digits: five sigmoid layers learn nothing, with ReLU they do, at a rate of 1 they die."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest
from sklearn.datasets import load_digits

from nnlab.engine.problem import Problem
from nnlab.engine.records import Ending, Records
from tests.engine.builders import run

QUIZ: dict[str, Any] = {
    "hidden_units": (128, 64, 32, 16, 8),
    "optimizer": "sgd",
    "learning_rate": 0.05,
    "batch_size": 32,
    "epochs": 20,
}


@cache
def train_digits(activation: str, seed: int, **config: Any) -> Records:
    """Train the quiz's network on a random 80/20 split."""
    digits = load_digits()
    order = np.random.default_rng(seed).permutation(len(digits.data))
    split = round(0.8 * len(order))
    x, y = digits.data[order] / 16.0, digits.target[order]
    problem = Problem("multiclass", x[:split], y[:split], x[split:], y[split:], 10)
    return run(problem, activation=activation, seed=seed, **{**QUIZ, **config})


@pytest.mark.parametrize("seed", range(8))
def test_q1_gradients_vanish_through_five_sigmoid_layers(seed: int) -> None:
    records = train_digits("sigmoid", seed)
    first = records.samples[0].gradient_rms
    assert first[0] / first[-1] < 1e-3
    assert (np.diff(first) > 0.0).all()
    assert records.evaluations[-1].metrics["val_accuracy"] < 0.2


@pytest.mark.parametrize("seed", range(8))
def test_q2_relu_and_he_learn_with_the_same_settings(seed: int) -> None:
    records = train_digits("relu", seed)
    first = records.samples[0].gradient_rms
    assert first[0] / first[-1] > 0.05
    assert records.evaluations[-1].metrics["val_accuracy"] > 0.9
    assert np.nanmax(records.evaluations[-1].dead_share) <= 0.5


@pytest.mark.parametrize("seed", range(8))
def test_q3_a_rate_of_1_kills_a_layer_or_overflows(seed: int) -> None:
    records = train_digits("relu", seed, learning_rate=1.0, epochs=10)
    if records.ended is Ending.DIVERGED:
        assert records.nonfinite is not None
        return
    last = records.evaluations[-1]
    assert last.metrics["val_accuracy"] < 0.2
    assert np.nanmax(last.dead_share) >= 0.85
