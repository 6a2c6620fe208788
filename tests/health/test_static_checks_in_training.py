"""The checks of data and config on real runs: faults are told at once, and what learns is left alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from nnlab.data.config import DataConfig
from nnlab.data.preparation import prepare
from nnlab.engine.config import TrainingConfig
from nnlab.engine.problem import Problem
from nnlab.engine.training import describe, train
from nnlab.health.checks.catalogue import CHECKS
from nnlab.health.events import EventKind, Severity
from nnlab.health.facts import describe_data
from nnlab.health.monitor import Monitor
from nnlab.health.preflight import preflight

if TYPE_CHECKING:
    from nnlab.health.events import AlertEvent

STATIC = {
    "born_dead",
    "class_balance",
    "dropout",
    "initial_loss",
    "leak",
    "linear_collapse",
    "output_mismatch",
    "symmetry",
    "unscaled_data",
}
QUIZ: dict[str, Any] = {
    "hidden_units": [128, 64, 32, 16, 8],
    "activation": "sigmoid",
    "initializer": "glorot_uniform",
    "optimizer": "sgd",
    "learning_rate": 0.05,
}


def build_shipped(dataset: str, recipe: str = "default") -> Problem:
    p = prepare(DataConfig(dataset=dataset, recipe=recipe))
    return Problem(p.task, p.x_train, p.y_train, p.x_val, p.y_val, p.outputs, p.target_scale)


def build_rare_digits() -> Problem:
    """One class of ten has a twentieth of its rows in training, and all of them in validation."""
    problem = build_shipped("digits")
    threes = np.flatnonzero(problem.y_train == 3)
    kept = np.setdiff1d(np.arange(len(problem.y_train)), threes[7:])
    x, y = problem.x_train[kept], problem.y_train[kept]
    return Problem("multiclass", x, y, problem.x_val, problem.y_val, 10)


def watch(values: dict[str, Any], problem: Problem) -> list[AlertEvent]:
    config = TrainingConfig.from_dict(values)
    monitor = Monitor(describe(config, problem), config.to_dict(), facts=describe_data(problem))
    events = monitor.start()
    for records in train(config, problem):
        events += monitor.observe(records)
    return [event for event in events + monitor.close() if event.check in STATIC]


def at_end(events: list[AlertEvent]) -> dict[str, str]:
    """Severities of the alerts that are open at the end."""
    last = {event.check: event for event in events}
    return {name: str(e.severity) for name, e in last.items() if e.kind is not EventKind.RESOLVE}


def alarms(events: list[AlertEvent]) -> list[AlertEvent]:
    return [event for event in events if event.severity is not Severity.INFO]


def test_all_checks_that_need_no_steps_are_asked() -> None:
    assert {check.id for check in CHECKS} >= STATIC


@pytest.mark.parametrize(
    "values", [{}, {"optimizer": "sgd", "learning_rate": 0.05}, {"activation": "tanh"}], ids=str
)
@pytest.mark.parametrize(
    ("dataset", "recipe"),
    [
        ("digits", "default"),
        ("digits", "raw"),
        ("iris", "default"),
        ("iris", "raw"),
        ("wine", "default"),
        ("breast_cancer", "default"),
        ("diabetes", "default"),
        ("penguins", "default"),
        ("moons", "default"),
    ],
)
def test_healthy_runs_raise_no_alarm(dataset: str, recipe: str, values: dict[str, Any]) -> None:
    assert alarms(watch(values | {"epochs": 8}, build_shipped(dataset, recipe))) == []


@pytest.mark.parametrize("activation", ["sigmoid", "relu"])
def test_the_quiz_network_and_its_twin_are_neither_badly_configured_nor_badly_fed(activation: str) -> None:
    assert watch(QUIZ | {"activation": activation, "epochs": 10}, build_shipped("digits")) == []


@pytest.mark.parametrize(
    ("check", "values", "severity"),
    [
        ("symmetry", {"initializer": "zeros"}, "critical"),
        ("symmetry", {"initializer": "ones"}, "critical"),
        ("dropout", {"dropout": 0.9, "hidden_units": [16, 16, 16]}, "warning"),
    ],
)
def test_a_fault_of_the_config_is_told_before_the_first_step_and_stays(
    check: str, values: dict[str, Any], severity: str
) -> None:
    problem = build_shipped("digits")
    assert [event.check for event in preflight(TrainingConfig.from_dict(values), problem)] == [check]
    events = watch(values | {"epochs": 6}, problem)
    assert (events[0].check, events[0].kind, events[0].step) == (check, "open", 0)
    assert at_end(events)[check] == severity


def test_linear_layers_are_told_and_ease_where_a_linear_model_is_enough() -> None:
    values = {"activation": "linear", "hidden_units": [64, 32], "epochs": 8}
    events = watch(values, build_shipped("digits"))
    assert [(e.check, e.severity, e.step) for e in alarms(events)] == [("linear_collapse", "warning", 0)]
    assert at_end(events)["linear_collapse"] == "info"


def test_raw_data_that_stop_a_network_from_learning_become_critical() -> None:
    values = {"optimizer": "sgd", "epochs": 40}
    events = watch(values, build_shipped("breast_cancer", "raw"))
    assert (events[0].check, events[0].severity, events[0].step) == ("unscaled_data", "warning", 0)
    assert at_end(events)["unscaled_data"] == "critical"


def test_softmax_over_one_output_is_told_before_the_first_step_and_stays() -> None:
    values = {"loss": "cross_entropy", "output_activation": "softmax", "epochs": 5}
    events = watch(values, build_shipped("moons"))
    assert (events[0].check, events[0].severity, events[0].step) == ("output_mismatch", "critical", 0)
    assert events[0].layer_names == ("output",)
    assert at_end(events)["output_mismatch"] == "critical"


def test_softmax_for_labels_that_do_not_exclude_each_other_does_not_ease_by_learning() -> None:
    rng = np.random.default_rng(0)
    x = rng.standard_normal((600, 4)).astype(np.float32)
    y = (x[:, :3] > 0).astype(np.float32)
    problem = Problem("multilabel", x[:500], y[:500], x[500:], y[500:], 3)
    events = watch({"loss": "mse", "output_activation": "softmax", "epochs": 20}, problem)
    assert at_end(events)["output_mismatch"] == "warning"


def test_one_class_alone_is_the_cause_of_everything_else() -> None:
    digits = build_shipped("digits")
    ones = np.ones(len(digits.y_train), np.int64), np.ones(len(digits.y_val), np.int64)
    problem = Problem("binary", digits.x_train, ones[0], digits.x_val, ones[1], 1)
    events = watch({"epochs": 5}, problem)
    assert {event.check for event in events} == {"class_balance"}
    assert at_end(events) == {"class_balance": "warning"}


def test_a_rare_class_that_is_not_recognised_is_told_and_one_that_is_resolves() -> None:
    problem = build_rare_digits()
    slow = watch({"optimizer": "sgd", "learning_rate": 0.02, "epochs": 20}, problem)
    assert at_end(slow)["class_balance"] == "warning"
    quick = watch({"class_weights": True, "epochs": 20}, problem)
    assert alarms(quick) == []
    assert "class_balance" not in at_end(quick)


def test_a_network_born_dead_is_told_before_the_first_step_and_critical_when_more_rows_confirm_it() -> None:
    values = {"hidden_units": [3] * 15, "epochs": 5, "seed": 0}
    events = watch(values, build_shipped("circle"))
    assert [(event.severity, event.step) for event in events if event.check == "born_dead"][:3] == [
        ("info", 0),
        ("warning", 0),
        ("critical", 12),
    ]
    assert events[0].title.startswith("Narrow ReLU layers: up to 86.5 %")
    assert at_end(events)["born_dead"] == "critical"


def test_a_risk_of_being_born_dead_that_did_not_come_true_resolves() -> None:
    events = watch({"hidden_units": [8, 8, 8], "epochs": 5}, build_shipped("digits"))
    assert [(event.kind, event.severity) for event in events] == [("open", "info"), ("resolve", "info")]
