"""Optimizers against recurrences written by hand for one number."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from math import sqrt

import numpy as np
import pytest

from nnlab.engine.config import OPTIMIZERS, TrainingConfig
from nnlab.engine.optimizers import make_optimizer

RATE, MOMENTUM, STEPS = 0.05, 0.8, 50
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


RECURRENCES: dict[str, Recurrence] = {
    "sgd": sgd,
    "momentum": momentum,
    "nesterov": nesterov,
    "adagrad": adagrad,
    "adam": adam,
}


def test_every_optimizer_has_a_recurrence() -> None:
    assert tuple(RECURRENCES) == OPTIMIZERS


@pytest.mark.parametrize("name", RECURRENCES)
def test_fifty_steps_match_the_recurrence(name: str) -> None:
    parameters = np.array([2.0, -0.3, 1e-3])
    expected = [RECURRENCES[name](start, lambda p: p**3 + 0.1 * p) for start in parameters.tolist()]
    config = TrainingConfig(optimizer=name, learning_rate=RATE, momentum=MOMENTUM)
    optimizer = make_optimizer(config, parameters)
    for _ in range(STEPS):
        optimizer.update(parameters, parameters**3 + 0.1 * parameters)
        np.testing.assert_allclose(parameters, [next(values) for values in expected], rtol=1e-12)


@pytest.mark.parametrize("name", RECURRENCES)
def test_float32_follows_float64(name: str) -> None:
    config = TrainingConfig(optimizer=name, learning_rate=RATE, momentum=MOMENTUM)
    wide = np.array([2.0, -0.3])
    narrow = wide.astype(np.float32)
    optimizers = make_optimizer(config, wide), make_optimizer(config, narrow)
    for _ in range(STEPS):
        optimizers[0].update(wide, 0.1 * wide)
        optimizers[1].update(narrow, np.float32(0.1) * narrow)
    assert narrow.dtype == np.float32
    np.testing.assert_allclose(narrow, wide, rtol=2e-5)
