"""The monitor on real training runs: sick ones are told early, healthy ones in silence."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from nnlab.engine.config import TrainingConfig
from nnlab.health.advice import apply
from nnlab.health.events import Severity
from tests.health.watching import QUIZ, build_blob, build_circle, build_digits, build_plane, watch

if TYPE_CHECKING:
    from collections.abc import Callable

    from nnlab.engine.problem import Problem

SEEDS = range(5)
RELU_TWIN = QUIZ | {"activation": "relu", "initializer": "he_normal"}
BROKEN_TWIN = RELU_TWIN | {"learning_rate": 1.0, "epochs": 10}
SMALL: dict[str, Any] = {"hidden_units": [64, 32], "batch_size": 32, "epochs": 8}
PLAYGROUND: dict[str, Any] = {
    "initializer": "playground",
    "optimizer": "sgd",
    "learning_rate": 0.03,
    "batch_size": 10,
    "output_activation": "tanh",
    "loss": "half_mse",
    "epochs": 60,
}


@pytest.mark.parametrize("seed", SEEDS)
def test_the_quiz_network_has_a_vanishing_gradient_by_step_8_until_the_end(seed: int) -> None:
    run = watch(QUIZ | {"seed": seed}, build_digits(seed))
    opened = run.events[0]
    assert (opened.kind, opened.check, opened.severity) == ("open", "vanishing", "warning")
    assert opened.step <= 8
    assert opened.layer_names == ("hidden 1", "hidden 2", "hidden 3")
    assert opened.advice[0].title == "Use ReLU with He initialisation instead of sigmoid"
    assert run.alarms_at_end() == ["vanishing"]
    assert run.last("vanishing").severity is Severity.CRITICAL
    assert run.metric < 0.2


@pytest.mark.parametrize("seed", SEEDS)
def test_the_relu_twin_of_the_quiz_network_learns_in_silence(seed: int) -> None:
    run = watch(RELU_TWIN | {"seed": seed}, build_digits(seed))
    assert {event.severity for event in run.events} <= {Severity.INFO}
    assert run.metric > 0.5


@pytest.mark.parametrize("seed", SEEDS)
def test_a_learning_rate_of_1_breaks_the_twin_and_a_lower_one_is_advised(seed: int) -> None:
    run = watch(BROKEN_TWIN | {"seed": seed}, build_digits(seed))
    assert {"dead_layer", "exploding", "nonfinite"} & set(run.alarms_at_end())
    first = next(event for event in run.events if event.severity is not Severity.INFO)
    rate = apply(TrainingConfig.from_dict(BROKEN_TWIN).to_dict(), first.advice[0].ops)["learning_rate"]
    assert first.advice[0].code == "A3"
    assert 0.02 <= rate <= 0.1


def test_the_first_advice_repairs_the_quiz_network() -> None:
    sick = watch(QUIZ, build_digits())
    repaired = watch(
        apply(TrainingConfig.from_dict(QUIZ).to_dict(), sick.events[0].advice[0].ops), build_digits()
    )
    assert sick.metric < 0.2
    assert repaired.metric > 0.9
    assert repaired.alarms_at_end() == []


@pytest.mark.parametrize("activation", ["relu", "tanh", "linear"])
def test_a_run_that_overflows_names_the_first_bad_layer(activation: str) -> None:
    values = SMALL | {"activation": activation, "optimizer": "sgd", "learning_rate": 1e6}
    run = watch(values | {"hidden_units": [64] * 4, "loss": "auto"}, build_plane())
    alert = run.events[-1]
    assert (alert.check, alert.severity) == ("nonfinite", "critical")
    assert alert.layers
    assert alert.advice[0].code == "A3"


HEALTHY: dict[str, tuple[dict[str, Any], Callable[[], Problem]]] = {
    "relu, Adam": (SMALL, build_digits),
    "relu, Adam 0.05": (SMALL | {"learning_rate": 0.05}, build_digits),
    "relu, SGD 0.5": (SMALL | {"optimizer": "sgd", "learning_rate": 0.5}, build_digits),
    "tanh, SGD": (SMALL | {"activation": "tanh", "optimizer": "sgd", "learning_rate": 0.1}, build_digits),
    "quiz with tanh": (QUIZ | {"activation": "tanh"}, build_digits),
    "elu, momentum": (SMALL | {"activation": "elu", "optimizer": "momentum"}, build_digits),
    "leaky relu, Nesterov": (SMALL | {"activation": "leaky_relu", "optimizer": "nesterov"}, build_digits),
    "relu6, Adagrad": (SMALL | {"activation": "relu6", "optimizer": "adagrad"}, build_digits),
    "eight tanh layers": (
        SMALL | {"hidden_units": [32] * 8, "activation": "tanh", "learning_rate": 1e-3},
        build_digits,
    ),
    "one sigmoid layer": (SMALL | {"hidden_units": [64], "activation": "sigmoid"}, build_digits),
    "linear model": (SMALL | {"hidden_units": [], "optimizer": "sgd", "learning_rate": 0.1}, build_digits),
    "linear model from zeros": (SMALL | {"hidden_units": [], "initializer": "zeros"}, build_digits),
    "dropout of a half": (SMALL | {"dropout": 0.5}, build_digits),
    "converged": (SMALL | {"epochs": 60}, build_digits),
    "batches of one": (SMALL | {"batch_size": 1, "epochs": 1, "optimizer": "sgd"}, build_digits),
    "full batches": (SMALL | {"batch_size": 1400, "epochs": 400}, build_digits),
    "unscaled blobs": (SMALL | {"epochs": 40}, build_blob),
    "circle, tanh": (PLAYGROUND | {"hidden_units": [8, 4], "activation": "tanh"}, build_circle),
    "circle, relu": (PLAYGROUND | {"hidden_units": [8, 8], "activation": "relu"}, build_circle),
    "plane, perfect linear fit": (
        PLAYGROUND | {"hidden_units": [], "output_activation": "linear"},
        build_plane,
    ),
}


@pytest.mark.parametrize("name", HEALTHY)
def test_healthy_runs_raise_no_alarm(name: str) -> None:
    values, build = HEALTHY[name]
    run = watch(values, build())
    assert [event for event in run.events if event.severity is not Severity.INFO] == []


def test_the_same_run_gives_the_same_events_however_fast_the_machine_is() -> None:
    first, second = (watch(BROKEN_TWIN, build_digits()) for _ in range(2))
    assert first == second
