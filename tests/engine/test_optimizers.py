"""Optimizers against recurrences written by hand for one number."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from math import sqrt
from typing import Any

import numpy as np
import pytest

from nnlab.engine.config import OPTIMIZERS, TrainingConfig
from nnlab.engine.optimizers import Optimizer, make_optimizer
from nnlab.engine.problem import Problem
from nnlab.engine.tiers import make_trainer
from tests.engine.builders import build_problem, build_trainer, run

RATE, MOMENTUM, DECAY, STEPS = 0.05, 0.8, 0.3, 50
L1, L2 = 0.02, 0.01
Recurrence = Callable[[float, Callable[[float], float]], Iterator[float]]


def sgd(p: float, slope: Callable[[float], float]) -> Iterator[float]:
    while True:
        p -= RATE * slope(p)
        yield p


def momentum(p: float, slope: Callable[[float], float]) -> Iterator[float]:
    v = 0.0
    while True:
        v = MOMENTUM * v + slope(p)
        p -= RATE * v
        yield p


def nesterov(p: float, slope: Callable[[float], float]) -> Iterator[float]:
    """In Sutskever's own form: the gradient is taken at q = p + mu v, and q is what the engine holds."""
    v, q = 0.0, p
    while True:
        v_next = MOMENTUM * v - RATE * slope(q)
        p, v = p + v_next, v_next
        q = p + MOMENTUM * v
        yield q


def adagrad(p: float, slope: Callable[[float], float]) -> Iterator[float]:
    s = 0.1
    while True:
        g = slope(p)
        s += g * g
        p -= RATE * g / sqrt(s)
        yield p


def adam(p: float, slope: Callable[[float], float]) -> Iterator[float]:
    m = v = 0.0
    step = 0
    while True:
        step += 1
        g = slope(p)
        m = 0.9 * m + (1 - 0.9) * g
        v = 0.999 * v + (1 - 0.999) * g * g
        p -= RATE * (m / (1 - 0.9**step)) / (sqrt(v / (1 - 0.999**step)) + 1e-8)
        yield p


def adamw(p: float, slope: Callable[[float], float]) -> Iterator[float]:
    m = v = 0.0
    step = 0
    while True:
        step += 1
        g = slope(p)
        m = 0.9 * m + 0.1 * g
        v = 0.999 * v + 0.001 * g * g
        adapted = (m / (1 - 0.9**step)) / (sqrt(v / (1 - 0.999**step)) + 1e-8)
        p -= RATE * (adapted + DECAY * p)
        yield p


def rmsprop(p: float, slope: Callable[[float], float]) -> Iterator[float]:
    s = 0.0
    while True:
        g = slope(p)
        s = 0.9 * s + 0.1 * g * g
        p -= RATE * g / (sqrt(s) + 1e-7)
        yield p


def ftrl(p: float, slope: Callable[[float], float]) -> Iterator[float]:
    """As TensorFlow's ApplyFtrl documents it, with learning_rate_power -0.5."""
    accumulator, linear = 0.1, 0.0
    while True:
        g = slope(p)
        new = accumulator + g * g
        linear += g - (new**0.5 - accumulator**0.5) / RATE * p
        quadratic = new**0.5 / RATE + 2 * L2
        p = ((L1 if linear > 0 else -L1) - linear) / quadratic if abs(linear) > L1 else 0.0
        accumulator = new
        yield p


RECURRENCES: dict[str, Recurrence] = {
    "sgd": sgd,
    "momentum": momentum,
    "nesterov": nesterov,
    "adagrad": adagrad,
    "rmsprop": rmsprop,
    "adam": adam,
    "adamw": adamw,
    "ftrl": ftrl,
}


def test_every_optimizer_has_a_recurrence() -> None:
    assert tuple(RECURRENCES) == OPTIMIZERS


def build_optimizer(name: str, parameters: np.ndarray[Any, Any], weights: bool = True) -> Optimizer:
    config = TrainingConfig(
        optimizer=name, learning_rate=RATE, momentum=MOMENTUM, weight_decay=DECAY, l1=L1, l2=L2
    )
    return make_optimizer(config, parameters, np.full(parameters.shape, weights))


@pytest.mark.parametrize("name", RECURRENCES)
def test_fifty_steps_match_the_recurrence(name: str) -> None:
    parameters = np.array([2.0, -0.3, 1e-3])
    expected = [RECURRENCES[name](start, lambda p: p**3 + 0.1 * p) for start in parameters.tolist()]
    optimizer = build_optimizer(name, parameters)
    for _ in range(STEPS):
        optimizer.update(parameters, parameters**3 + 0.1 * parameters)
        # Near 0 a step may be much larger than the number itself, and its rounding with it.
        np.testing.assert_allclose(parameters, [next(values) for values in expected], rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("name", RECURRENCES)
def test_a_network_takes_the_steps_of_the_recurrence(name: str, tier: str) -> None:
    """One weight under the squared error of one row: its gradient is 2 x (w x + b - y)."""
    x, y = 1.5, -0.7
    rows = np.full((2, 1), x), np.full((2, 1), y)
    l1, l2 = (L1, L2) if name == "ftrl" else (0.0, 0.0)
    config = TrainingConfig(
        hidden_units=(),
        initializer="ones",
        optimizer=name,
        learning_rate=RATE,
        momentum=MOMENTUM,
        weight_decay=DECAY,
        batch_size=1,
        steps=STEPS,
        l1=l1,
        l2=l2,
    )
    trainer = make_trainer(config, Problem("regression", *rows, *rows, 1), tier)
    parameters = trainer.network.parameters
    expected = RECURRENCES[name](1.0, lambda _: 2.0 * x * float(parameters[0] * x + parameters[1] - y))
    for _ in range(STEPS):
        after = next(expected)
        trainer.run_chunk(1)
        assert parameters[0] == pytest.approx(after, rel=1e-5, abs=1e-6)


@pytest.mark.parametrize("name", RECURRENCES)
def test_float32_follows_float64(name: str) -> None:
    wide = np.array([2.0, -0.3])
    narrow = wide.astype(np.float32)
    optimizers = build_optimizer(name, wide), build_optimizer(name, narrow)
    for _ in range(STEPS):
        optimizers[0].update(wide, 0.1 * wide - 1.0)
        optimizers[1].update(narrow, np.float32(0.1) * narrow - np.float32(1.0))
    assert narrow.dtype == np.float32
    np.testing.assert_allclose(narrow, wide, rtol=2e-5)


def test_decay_leaves_what_is_no_weight_alone() -> None:
    plain, decayed = np.array([2.0, -0.3]), np.array([2.0, -0.3])
    for name, parameters in (("adam", plain), ("adamw", decayed)):
        build_optimizer(name, parameters, weights=False).update(parameters, np.array([1.0, 1.0]))
    np.testing.assert_array_equal(plain, decayed)


def test_ftrl_sets_useless_weights_to_0_and_penalises_no_bias() -> None:
    weight, bias = np.array([0.4]), np.array([0.4])
    optimizers = build_optimizer("ftrl", weight), build_optimizer("ftrl", bias, weights=False)
    for _ in range(STEPS):
        optimizers[0].update(weight, 1e-5 * np.ones(1))
        optimizers[1].update(bias, 1e-5 * np.ones(1))
    assert weight[0] == 0.0
    assert bias[0] < 0.0


def test_penalties_of_ftrl_are_its_own() -> None:
    trainer = build_trainer(build_problem(), optimizer="ftrl", l1=1.0, l2=1.0, hidden_units=(4,))
    assert (trainer._l1, trainer._l2) == (None, None)


@pytest.mark.usefixtures("tier")
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_every_optimizer_learns(name: str) -> None:
    rate = {"ftrl": 0.3, "adagrad": 0.1}.get(name, 0.01)
    records = run(build_problem(rows=200), optimizer=name, learning_rate=rate, epochs=30)
    assert records.losses[-1] < 0.2 * records.losses[0]
