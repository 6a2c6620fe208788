"""What deceives simple rules: small batches, late recoveries, schedules, overflow, resumed runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from nnlab.engine.config import TrainingConfig
from nnlab.engine.training import describe, train
from nnlab.health.events import EventKind, Severity
from nnlab.health.facts import describe_data
from nnlab.health.monitor import Monitor
from tests.health.builders import CONFIG, build_evaluation, build_info, build_run, build_sample
from tests.health.watching import QUIZ, build_blob, build_circle, build_digits, watch

if TYPE_CHECKING:
    from nnlab.engine.records import Evaluation, Sample

DEEP_TANH: dict[str, Any] = {
    "hidden_units": [5] * 17,
    "activation": "tanh",
    "initializer": "he_uniform",
    "optimizer": "adam",
    "learning_rate": 1e-3,
    "batch_size": 128,
    "epochs": 100,
}


@pytest.mark.parametrize("batch_size", [1, 4])
@pytest.mark.parametrize("seed", range(3))
def test_small_batches_are_not_taken_for_vanishing_signals(batch_size: int, seed: int) -> None:
    values = {"hidden_units": [16, 8], "batch_size": batch_size, "optimizer": "sgd", "learning_rate": 0.01}
    run = watch(values | {"epochs": 4, "seed": seed}, build_circle(seed))
    assert not {"vanishing", "forward_collapse"} & {event.check for event in run.events}


def test_a_vanishing_gradient_that_a_run_gets_over_is_told_early_and_eases() -> None:
    runs = [watch(QUIZ | {"optimizer": "adam", "seed": seed}, build_blob(seed)) for seed in range(4)]
    opened = [next(event for event in run.events if event.check == "vanishing") for run in runs]
    assert all(event.step <= 8 for event in opened)
    assert {event.severity for event in opened} == {Severity.WARNING}
    recovered = [run for run in runs if run.metric > 0.75]
    assert recovered
    assert all("vanishing" not in run.alarms_at_end() for run in recovered)


def test_one_lucky_evaluation_does_not_hide_a_run_that_is_stuck() -> None:
    records = build_run(
        1000, loss=1.2, evaluation=lambda step: build_evaluation(step, 0.8 if step == 100 else 0.3)
    )
    monitor = Monitor(build_info(), CONFIG)
    last = [event for event in monitor.observe(records) if event.check == "not_learning"][-1]
    assert last.severity is Severity.CRITICAL


def test_odd_updates_under_batch_normalisation_are_no_more_than_an_info() -> None:
    def sample(step: int) -> Sample:
        return build_sample(step, update_ratio=np.full(4, 1e-6))

    def evaluation(step: int) -> Evaluation:
        return build_evaluation(step, 0.3)

    records = build_run(1000, loss=1.1, sample=sample, evaluation=evaluation)
    severities = {}
    for batch_norm in (False, True):
        events = Monitor(build_info(), {**CONFIG, "batch_norm": batch_norm}).observe(records)
        severities[batch_norm] = {event.severity for event in events if event.check == "update_ratio"}
    assert severities == {False: {Severity.INFO, Severity.WARNING}, True: {Severity.INFO}}


def test_exponential_activations_that_overflow_are_told_at_the_step() -> None:
    values = QUIZ | {"hidden_units": [5] * 9, "activation": "exponential", "initializer": "he_uniform"}
    run = watch(values | {"optimizer": "adam", "learning_rate": 1e-3}, build_blob())
    event = run.events[-1]
    assert (event.kind, event.check, event.severity) == ("open", "nonfinite", "critical")
    assert event.step == event.evidence["nonfinite_step"]
    assert event.step <= 8
    assert event.layers


@pytest.mark.parametrize("schedule", ["cosine", "exponential"])
def test_a_rate_that_decays_to_nothing_alarms_nobody(schedule: str) -> None:
    values = {"hidden_units": [32], "epochs": 15, "optimizer": "sgd", "learning_rate": 0.3}
    values |= {"schedule": schedule, "warmup_steps": 50, "decay_rate": 0.01, "decay_every": 150}
    run = watch(values, build_digits())
    assert {event.severity for event in run.events} <= {Severity.INFO}
    assert "update_ratio" not in {event.check for event in run.events}


def test_a_spike_that_the_loss_comes_back_from_alarms_nobody() -> None:
    def loss(step: int) -> float:
        return 0.5 if step < 600 else 0.5 + 3.0 * 0.98 ** (step - 600)

    assert Monitor(build_info(), CONFIG).observe(build_run(1000, loss=loss)) == []


@pytest.mark.parametrize("seed", range(3))
def test_a_deep_narrow_tanh_network_has_no_vanishing_gradient(seed: int) -> None:
    run = watch(DEEP_TANH | {"seed": seed}, build_circle(seed))
    assert "vanishing" not in {event.check for event in run.events}


def test_a_resumed_run_gives_the_events_of_one_that_was_never_interrupted() -> None:
    config = TrainingConfig.from_dict(QUIZ | {"epochs": 8})
    problem = build_digits()
    monitor = Monitor(describe(config, problem), config.to_dict(), facts=describe_data(problem))
    first = train(config, problem)
    events = monitor.start()
    for records in first:
        events += monitor.observe(records)
        if records.last_step >= 1:
            break
    kept = first.checkpoint()
    first.close()
    for records in train(config, problem, resume=kept):
        events += monitor.observe(records)
    assert events + monitor.close() == watch(QUIZ | {"epochs": 8}, problem).events
    assert events[0].kind is EventKind.OPEN
