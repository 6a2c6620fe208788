"""Checks of the series of evaluations on real training runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer, load_diabetes, make_blobs, make_moons

from nnlab.engine.problem import Problem
from nnlab.health.events import EventKind, Severity
from tests.health.watching import Watched, build_digits, build_problem, watch

if TYPE_CHECKING:
    from collections.abc import Callable

SEEDS = range(4)
OSCILLATING: dict[str, Any] = {
    "hidden_units": [50],
    "initializer": "he_uniform",
    "optimizer": "momentum",
    "momentum": 0.9,
    "learning_rate": 0.01,
    "batch_size": 1,
    "epochs": 60,
}
OVERFITTING: dict[str, Any] = {"hidden_units": [64], "learning_rate": 0.003, "epochs": 300}
DYING: dict[str, Any] = {
    "hidden_units": [64, 64, 32],
    "optimizer": "sgd",
    "learning_rate": 1.0,
    "epochs": 10,
}
EPOCH_CHECKS = {"dying_units", "oscillation", "overfitting", "constant_prediction"}


def standardised(x: Any) -> Any:
    return (x - x.mean(axis=0)) / x.std(axis=0)


def build_diabetes(seed: int = 0) -> Problem:
    x, y = load_diabetes(return_X_y=True)
    return build_problem("regression", standardised(x), standardised(y)[:, None].astype(np.float32), seed, 1)


def build_breast_cancer(seed: int = 0) -> Problem:
    x, y = load_breast_cancer(return_X_y=True)
    return build_problem("binary", standardised(x), y.astype(np.int64), seed, 1)


def build_moons(seed: int = 0) -> Problem:
    x, y = make_moons(500, noise=0.2, random_state=seed)
    return build_problem("binary", x, y.astype(np.int64), seed, 1)


def build_ordered_blob(_seed: int = 0) -> Problem:
    """700 rows to learn from and 300 to validate, in the order in which they are drawn."""
    x, y = make_blobs(1000, centers=3, n_features=2, cluster_std=2, random_state=2)
    x, y = x.astype(np.float32), y.astype(np.int64)
    return Problem("multiclass", x[:700], y[:700], x[700:], y[700:], outputs=3)


def epoch_alarms(run: Watched) -> set[str]:
    """Checks of the series that were open at warning or critical at any time."""
    loud = {event.check for event in run.events if event.severity is not Severity.INFO}
    return loud & EPOCH_CHECKS


@pytest.mark.parametrize("seed", SEEDS)
def test_momentum_at_batches_of_one_oscillates_and_a_lower_rate_is_advised(seed: int) -> None:
    run = watch(OSCILLATING | {"seed": seed}, build_ordered_blob())
    opened = next(event for event in run.events if event.check == "oscillation")
    assert (opened.kind, opened.severity) == (EventKind.OPEN, Severity.WARNING)
    assert opened.step <= 50 * 700
    assert opened.advice[0].code == "A3"


@pytest.mark.parametrize("seed", SEEDS)
def test_the_same_network_at_batches_of_32_settles(seed: int) -> None:
    values = OSCILLATING | {"seed": seed, "batch_size": 32, "optimizer": "adam", "learning_rate": 0.003}
    run = watch(values, build_ordered_blob())
    assert epoch_alarms(run) == set()
    assert run.metric > 0.8


@pytest.mark.parametrize("seed", SEEDS)
def test_long_training_on_few_rows_overfits(seed: int) -> None:
    run = watch(OVERFITTING | {"seed": seed}, build_diabetes(seed))
    assert "overfitting" in run.alarms_at_end()


def test_early_stopping_gives_back_a_network_that_does_not_overfit() -> None:
    run = watch(OVERFITTING | {"epochs": 600, "early_stopping_epochs": 100}, build_diabetes())
    kinds = [event.kind for event in run.events if event.check == "overfitting"]
    assert (kinds[0], kinds[-1]) == (EventKind.OPEN, EventKind.RESOLVE)


@pytest.mark.parametrize("seed", SEEDS)
def test_large_updates_kill_units_or_whole_layers(seed: int) -> None:
    run = watch(DYING | {"seed": seed}, build_digits(seed))
    assert {"dying_units", "dead_layer"} & {event.check for event in run.events}


@pytest.mark.parametrize("seed", SEEDS)
def test_updates_twice_as_large_kill_a_layer_for_good(seed: int) -> None:
    run = watch(DYING | {"seed": seed, "learning_rate": 2.0}, build_digits(seed))
    assert "dead_layer" in run.alarms_at_end()


SHORT: dict[str, Any] = {"hidden_units": [32, 16], "learning_rate": 0.003, "epochs": 20}
HEALTHY: dict[str, tuple[dict[str, Any], Callable[[int], Problem]]] = {
    "digits": (SHORT, build_digits),
    "breast cancer": (SHORT, build_breast_cancer),
    "breast cancer, class weights": (SHORT | {"class_weights": True}, build_breast_cancer),
    "breast cancer, dropout": (SHORT | {"dropout": 0.5}, build_breast_cancer),
    "diabetes": (SHORT, build_diabetes),
    "diabetes, dropout": (SHORT | {"dropout": 0.5, "epochs": 60}, build_diabetes),
    "moons": (SHORT | {"epochs": 60}, build_moons),
    "moons, batch normalisation": (SHORT | {"epochs": 60, "batch_norm": True}, build_moons),
    "moons, evaluated every 5 steps": (SHORT | {"epochs": 60, "validate_every": 5}, build_moons),
    "unscaled blob": (SHORT | {"epochs": 60}, build_ordered_blob),
}


@pytest.mark.parametrize("name", HEALTHY)
@pytest.mark.parametrize("seed", range(2))
def test_healthy_series_raise_no_alarm(name: str, seed: int) -> None:
    values, build = HEALTHY[name]
    assert epoch_alarms(watch(values | {"seed": seed}, build(seed))) == set()
