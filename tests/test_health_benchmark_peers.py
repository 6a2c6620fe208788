"""The rules of others, on runs made by hand in which one thing is wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from nnlab.engine.records import Records
from nnlab.engine.training import describe
from tests.benchmarks.health.datasets import problem_of
from tests.benchmarks.health.hard import cases
from tests.benchmarks.health.peers import (
    autotrainer,
    debugger,
    deepdiagnosis,
    deeplocalize,
    default,
    thedeepchecker,
    trivial,
)
from tests.benchmarks.health.peers.firing import streak
from tests.benchmarks.health.probe import Probe, saturation
from tests.benchmarks.health.training import Run

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.benchmarks.health.alarms import Alarm

LAYERS, EPOCHS, EPOCH_STEPS = 3, 100, 10
STEPS = EPOCHS * EPOCH_STEPS
# A step of a network that nobody should complain of.
CALM = {
    "g_mean": 1e-3, "g_sum": 1e-2, "g_count": 10.0, "g_zero": 0.1, "g_norm": 1.0, "g_spread": 0.1,
    "g_average": 1e-4, "w_mean": 0.1, "w_average": 0.01, "w_small": 0.0, "w_unchanged": 0.0, "u_mean": 1e-4,
    "u_ratio": 1e-3, "finite": 1.0, "z_variance": 1.0, "z_large": 0.0, "a_average": 0.5, "a_size": 0.5,
    "a_deviation": 1.0, "a_zero": 0.5, "a_finite": 1.0, "dead_units": 0.0, "silent_units": 0.0,
    "outside": 0.0, "saturated": 0.0, "answer_low": 0.0, "answer_high": 1.0, "row_sum": 1.0,
}  # fmt: skip


def probe(accuracy: Any = None, losses: Any = None, **tensors: Any) -> Probe:
    """A run that learns well, with some of its statistics replaced, at every step or from a step on."""
    at = np.arange(1, STEPS + 1)
    calm = {name: np.full((STEPS, LAYERS), value) for name, value in CALM.items()}
    calm["w_average"] += at[:, None] * 1e-6
    for name, value in tensors.items():
        calm[name] = np.broadcast_to(value, (STEPS, LAYERS)).astype(float)
    falling = 0.5 * np.exp(-np.arange(STEPS) / 5)
    rising = 0.9 - 0.6 * np.exp(-np.arange(EPOCHS) / 10)
    train = rising if accuracy is None else accuracy
    loss = falling if losses is None else losses
    epochs = {"train_loss": loss.reshape(EPOCHS, -1).mean(axis=1), "train_accuracy": train}
    epochs |= {"val_loss": epochs["train_loss"] * 1.01, "val_accuracy": train}
    return Probe(at, calm, loss, epochs, EPOCH_STEPS, (True, True, False))


def told(alarms: Sequence[Alarm]) -> dict[str, int]:
    return {alarm.rule: alarm.step for alarm in alarms}


FLAT = np.full(EPOCHS, 0.4)


def test_autotrainer_says_nothing_of_a_run_that_learns() -> None:
    assert told(autotrainer.replay(probe(), EPOCHS)) == {}


@pytest.mark.parametrize(
    ("tensors", "problem"),
    [
        ({"g_zero": 0.8}, "dying"),
        ({"g_norm": [100.0, 1.0, 1.0]}, "exploding"),
        ({"g_norm": [1e-5, 1.0, 1.0]}, "vanishing"),
        ({}, "slow"),
    ],
)
def test_autotrainer_names_the_symptom_at_thirty_percent(tensors: dict[str, Any], problem: str) -> None:
    assert told(autotrainer.replay(probe(FLAT, **tensors), EPOCHS)) == {problem: 27 * EPOCH_STEPS}


def test_autotrainer_sees_a_loss_that_is_no_number_in_its_epoch() -> None:
    losses = np.full(STEPS, 0.5)
    losses[45:] = np.nan
    assert told(autotrainer.replay(probe(losses=losses), EPOCHS))["exploding"] == 5 * EPOCH_STEPS


def test_autotrainer_counts_swings_of_the_accuracy() -> None:
    swinging = 0.8 + 0.1 * (-1.0) ** np.arange(EPOCHS)
    assert "oscillating" in told(autotrainer.replay(probe(swinging), EPOCHS))


@pytest.mark.parametrize(
    ("tensors", "rule"),
    [
        ({"g_mean": 1e-8}, "vanishing gradient"),
        ({"dead_units": 0.6}, "dead ReLU"),
        ({"outside": 0.6}, "saturated activation"),
        ({"u_ratio": 20.0}, "weight update ratio"),
        ({"w_unchanged": 1.0}, "unchanged tensor"),
        ({"g_zero": 1.0}, "all zero"),
        ({"finite": 0.0}, "exploding tensor"),
        ({"z_variance": [20.0, 1.0, 1.0]}, "poor initialisation"),
    ],
)
def test_debugger_fires_for_each_of_its_rules_alone(tensors: dict[str, Any], rule: str) -> None:
    calm = set(told(debugger.replay(probe(), 1)))
    assert set(told(debugger.replay(probe(**tensors), 1))) - calm == {rule}


def test_debugger_saving_every_500_steps_sees_nothing_in_between() -> None:
    between = np.full((STEPS, 1), 1e-3)
    between[2:499] = 1e-9
    assert "vanishing gradient" in told(debugger.replay(probe(g_mean=between), 1))
    assert "vanishing gradient" not in told(debugger.replay(probe(g_mean=between), 500))


@pytest.mark.parametrize(
    ("tensors", "rule"),
    [
        ({"a_zero": 0.8}, "dead nodes"),
        ({"z_large": 0.6}, "saturated"),
        ({"g_mean": 1e-8}, "vanishing gradient"),
        ({"w_average": 0.3}, "unchanged weights"),
        ({"answer_high": 7.0}, "out of range"),
        ({"a_size": 0.0}, "all zero"),
    ],
)
def test_deepdiagnosis_fires_for_each_of_its_symptoms_alone(tensors: dict[str, Any], rule: str) -> None:
    assert set(told(deepdiagnosis.replay(probe(), (0.0, 1.0)))) == set()
    assert set(told(deepdiagnosis.replay(probe(**tensors), (0.0, 1.0)))) == {rule}


def test_deeplocalize_stops_at_the_first_zero_and_at_a_loss_that_does_not_improve() -> None:
    assert told(deeplocalize.replay(probe(w_mean=0.0)))["all zero"] == 1
    flat = told(deeplocalize.replay(probe(losses=np.full(STEPS, 0.5))))
    assert flat == {"loss not improving": 2 * EPOCH_STEPS}


@pytest.mark.parametrize(
    ("tensors", "rule"),
    [
        ({"silent_units": 0.6}, "dead layer"),
        ({"saturated": 0.6}, "saturated layer"),
        ({"a_deviation": 3.0}, "activation range"),
        ({"w_small": 1.0}, "dead weights"),
        ({"w_mean": 1e9, "u_mean": 1e6}, "diverging weights"),
        ({"g_mean": 1e-7}, "vanishing gradient"),
        ({"g_mean": 1e7}, "exploding gradient"),
        ({"u_mean": 0.1}, "update scale"),
    ],
)
def test_thedeepchecker_fires_for_each_of_its_checks_alone(tensors: dict[str, Any], rule: str) -> None:
    steady = 0.5 * 0.9 ** np.arange(STEPS)
    assert set(told(thedeepchecker.replay(probe(losses=steady), None))) == set()
    assert set(told(thedeepchecker.replay(probe(losses=steady, **tensors), None))) == {rule}


def test_thedeepchecker_compares_the_first_loss_with_that_of_equal_shares() -> None:
    assert "initial loss" in told(thedeepchecker.replay(probe(), 2.3))
    assert "initial loss" not in told(thedeepchecker.replay(probe(), 0.5))


def test_default_pools_the_entries_of_all_layers() -> None:
    assert told(default.replay(probe())) == {}
    assert told(default.replay(probe(g_sum=[1e-2, 1e-9, 1e-9]))) == {}
    assert told(default.replay(probe(g_sum=1e-4))) == {"vanishing gradient": 1}


def test_at_thirty_percent_a_loss_at_the_baseline_is_reported() -> None:
    run = Run(cases()[7], 0)
    info = describe_run(run)
    stuck = Records(1, np.full(info.steps, info.baseline_loss), np.full(info.steps, np.nan))
    assert [alarm.step for alarm in trivial.thirty_percent(stuck, info)] == [int(np.ceil(0.3 * info.steps))]
    good = Records(1, np.full(info.steps, 0.5 * info.baseline_loss), np.full(info.steps, np.nan))
    assert trivial.thirty_percent(good, info) == []


def describe_run(run: Run) -> Any:
    from nnlab.engine.config import TrainingConfig  # noqa: PLC0415

    return describe(TrainingConfig.from_dict(run.case.training), problem_of(run.case.data))


def test_a_streak_begins_anew_after_every_break() -> None:
    assert streak(np.array([1, 1, 0, 1, 1, 1], bool), 3).tolist() == [False] * 5 + [True]


def test_saturation_is_one_at_the_ends_and_a_half_where_outputs_are_spread_evenly() -> None:
    ends = np.tile([-1.0, 1.0], 500)[None]
    even = np.linspace(-1, 1, 1000)[None]
    assert saturation(ends, -1.0, 1.0)[0] == pytest.approx(1.0)
    assert saturation(even, -1.0, 1.0)[0] == pytest.approx(0.5, abs=0.01)
