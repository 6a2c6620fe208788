"""Schedules against their formulas, and the rate that a run really takes."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from math import cos, pi
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nnlab.engine.config import SCHEDULES, TrainingConfig
from nnlab.engine.schedules import make_schedule
from tests.engine.builders import build_problem, build_trainer, run

STEPS, WARM_UP, EVERY = 100, 10, 30
SETTINGS: dict[str, Any] = {"learning_rate": 0.2, "decay_rate": 0.7, "decay_every": EVERY}
AFTER_WARM_UP: dict[str, Callable[[int], float]] = {
    "constant": lambda t: 0.2,
    "step": lambda t: 0.2 * 0.7 ** (0 if t < 30 else 1 if t < 60 else 2 if t < 90 else 3),
    "exponential": lambda t: 0.2 * 0.7 ** (t / 30),
    "cosine": lambda t: 0.1 * (1 + cos(pi * t / 90)),
}


def rates(schedule: str, *, warmup_steps: int = 0) -> list[float]:
    config = TrainingConfig(schedule=schedule, warmup_steps=warmup_steps, **SETTINGS)
    made = make_schedule(config, STEPS)
    return [0.2 if made is None else made.rate(step) for step in range(1, STEPS + 1)]


@pytest.mark.parametrize("schedule", AFTER_WARM_UP)
def test_a_schedule_follows_its_formula(schedule: str) -> None:
    expected = [0.02 * step for step in range(1, WARM_UP + 1)]
    expected += [AFTER_WARM_UP[schedule](t) for t in range(STEPS - WARM_UP)]
    assert rates(schedule, warmup_steps=WARM_UP) == pytest.approx(expected, rel=1e-13)


@pytest.mark.parametrize("schedule", ["step", "exponential", "cosine"])
def test_without_warm_up_the_first_rate_is_the_configs_own(schedule: str) -> None:
    found = rates(schedule)
    assert found[0] == 0.2
    assert all(later <= earlier for earlier, later in pairwise(found))


def test_a_plateau_multiplies_by_the_decay_rate_for_each_reduction() -> None:
    config = TrainingConfig(schedule="reduce_on_plateau", warmup_steps=WARM_UP, **SETTINGS)
    schedule = make_schedule(config, STEPS)
    assert schedule is not None
    found = [schedule.rate(50, reductions) for reductions in range(3)]
    assert found == pytest.approx([0.2, 0.14, 0.098], rel=1e-13)
    assert schedule.rate(5, 1) == 0.1


def test_cosine_ends_near_0_and_never_below() -> None:
    assert 0.0 < rates("cosine")[-1] < 1e-3 * 0.2


def test_a_constant_rate_needs_no_schedule() -> None:
    assert make_schedule(TrainingConfig(), STEPS) is None
    assert make_schedule(TrainingConfig(warmup_steps=1), STEPS) is not None


@given(
    schedule=st.sampled_from(SCHEDULES),
    warmup_steps=st.integers(0, 300),
    step=st.integers(1, 200),
    decay_rate=st.floats(1e-6, 0.999),
)
def test_a_rate_is_never_negative_and_never_above_the_configs_own(
    schedule: str, warmup_steps: int, step: int, decay_rate: float
) -> None:
    config = TrainingConfig(
        schedule=schedule, warmup_steps=warmup_steps, decay_rate=decay_rate, decay_every=3, learning_rate=0.2
    )
    made = make_schedule(config, 200)
    assert made is None or 0.0 <= made.rate(step) <= 0.2


def test_a_run_takes_and_yields_the_scheduled_rates() -> None:
    problem = build_problem()
    values: dict[str, Any] = {"optimizer": "sgd", "dtype": "float64", "hidden_units": (4,), "steps": 6}
    config = TrainingConfig(schedule="cosine", warmup_steps=2, **values)
    trainer = build_trainer(problem, **config.to_dict())
    schedule = make_schedule(config, 6)
    assert schedule is not None
    for step in range(1, 7):
        before = trainer.network.parameters.copy()
        assert trainer.run_chunk(1).learning_rates.tolist() == [schedule.rate(step)]
        np.testing.assert_allclose(
            before - schedule.rate(step) * gradient_at(trainer, before),
            trainer.network.parameters,
            rtol=1e-12,
        )
    assert len(run(problem, **config.to_dict()).learning_rates) == 6


def gradient_at(trainer: Any, parameters: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Compute the gradient of the trainer's last batch at other parameters."""
    network, passed = trainer.network, trainer._pass
    now = network.parameters.copy()
    network.parameters[:] = parameters
    x, targets = trainer._batch()
    trainer.head.loss_and_gradient(passed.forward(x), targets, passed.d)
    passed.backward()
    network.parameters[:] = now
    return np.asarray(network.gradients)


def test_l1_pulls_by_the_rate_of_the_step() -> None:
    values: dict[str, Any] = {"hidden_units": (4,), "learning_rate": 0.01, "dtype": "float64"}
    warm: dict[str, Any] = {"warmup_steps": 4, **values}
    plain, pulled = build_trainer(build_problem(), **warm), build_trainer(build_problem(), l1=0.001, **warm)
    before = plain.network.parameters.copy()
    plain.run_chunk(1)
    pulled.run_chunk(1)
    difference = pulled.network.parameters - plain.network.parameters
    np.testing.assert_allclose(difference, -0.25e-5 * np.sign(before) * plain.network.is_weight, atol=1e-15)


def test_a_constant_rate_is_not_yielded() -> None:
    assert len(run(build_problem(), steps=5).learning_rates) == 0
