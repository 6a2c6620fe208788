"""The monitor as a whole, on records built by hand."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nnlab.engine.records import NonFinite
from nnlab.health.monitor import AlertEvent, Monitor, Severity
from nnlab.health.thresholds import THRESHOLDS
from tests.health.builders import (
    CONFIG,
    build_dead_sample,
    build_evaluation,
    build_info,
    build_relu_info,
    build_run,
    build_sample,
    build_vanishing_sample,
    cut,
)

if TYPE_CHECKING:
    from nnlab.engine.records import Evaluation, Records, RunInfo, Sample


def watch(records: Records, info: RunInfo | None = None, config: Any = CONFIG) -> list[AlertEvent]:
    monitor = Monitor(info or build_info(), config)
    return monitor.observe(records) + monitor.close()


def story(events: list[AlertEvent]) -> list[tuple[str, str, str, int]]:
    return [(event.kind, event.check, event.severity, event.step) for event in events]


def build_sick_run() -> Records:
    """Vanishing from the start, stuck for 600 steps, then learning and healthy."""
    return build_run(
        1500,
        loss=lambda step: 1.12 if step <= 600 else 1.1 * 0.99 ** (step - 600),
        sample=lambda step: build_vanishing_sample(step) if step <= 600 else build_sample(step),
        evaluation=lambda step: build_evaluation(step, accuracy=0.3 if step <= 600 else 0.9),
    )


def test_a_healthy_run_has_no_events() -> None:
    assert watch(build_run(1000)) == []


def test_a_vanishing_gradient_opens_at_the_third_hit_and_becomes_critical_when_the_run_is_stuck() -> None:
    events = watch(build_sick_run())
    assert story(events)[0] == ("open", "vanishing", "warning", 3)
    critical = next(event for event in events if event.severity == "critical")
    assert (critical.kind, critical.check, critical.step) == ("update", "vanishing", 200)
    assert story(events)[-1] == ("resolve", "vanishing", "critical", 650)
    assert events[-1].layer_names == ("hidden 1", "hidden 2")


def test_symptoms_wait_in_the_evidence_of_their_cause() -> None:
    events = watch(build_sick_run())
    assert {event.check for event in events} == {"vanishing"}
    children = [event.evidence["children"] for event in events if event.evidence["children"]]
    value = pytest.approx(1.018, abs=1e-3)
    assert children[0] == [{"check": "not_learning", "value": value, "layers": [], "first_step": 200}]


def build_dying_run() -> Records:
    """A layer dies after step 150, gradients explode on the way, and at step 400 numbers are not finite."""
    return build_run(
        400,
        loss=lambda step: 1.0 if step < 100 else 3.0 if step < 400 else np.nan,
        norm=lambda step: 1.0 if step < 100 else 1e4,
        sample=lambda step: build_dead_sample(step, 2) if step > 150 else build_sample(step),
        evaluation=lambda step: build_evaluation(
            step, 0.3, dead_share=np.array([0.5, 0.5, 1.0 if step > 150 else 0.5])
        ),
        nonfinite=NonFinite(400, "gradient", 1, 3.0),
    )


@settings(deadline=None, max_examples=50)
@given(
    run=st.sampled_from([build_sick_run(), build_dying_run()]), at=st.lists(st.integers(1, 1499), max_size=30)
)
def test_events_do_not_depend_on_how_records_are_cut(run: Records, at: list[int]) -> None:
    monitor = Monitor(build_relu_info(), CONFIG)
    chunks = cut(run, [step for step in at if step < run.last_step])
    events = [event for chunk in chunks for event in monitor.observe(chunk)] + monitor.close()
    assert repr(events) == repr(watch(run, build_relu_info()))


def test_each_stage_of_a_dying_run_is_told() -> None:
    opened = [event for event in watch(build_dying_run(), build_relu_info()) if event.kind == "open"]
    assert [event.check for event in opened] == ["exploding", "dead_layer", "nonfinite"]


def test_evidence_is_json_with_nothing_but_finite_numbers() -> None:
    records = build_run(
        40, nonfinite=NonFinite(40, "activations", 1, None), loss=lambda step: np.nan if step == 40 else 1.0
    )
    for event in watch(records) + watch(build_sick_run()):
        json.dumps(event.evidence, allow_nan=False)


def test_every_event_names_its_thresholds() -> None:
    assert {event.thresholds_hash for event in watch(build_sick_run())} == {THRESHOLDS.hash}


def test_a_dead_layer_opens_when_an_evaluation_confirms_it() -> None:
    dead = np.array([0.1, 1.0, 0.2])
    records = build_run(
        300,
        loss=1.1,
        sample=lambda step: build_dead_sample(step, 1),
        evaluation=lambda step: build_evaluation(step, accuracy=0.3, dead_share=dead * (step > 0)),
    )
    events = watch(records, build_relu_info())
    assert story(events)[:2] == [
        ("open", "dead_layer", "warning", 50),
        ("update", "dead_layer", "critical", 100),
    ]
    assert events[0].layer_names == ("hidden 2",)


def test_records_that_leave_steps_out_are_refused() -> None:
    monitor = Monitor(build_info(), CONFIG)
    with pytest.raises(ValueError, match="expected records from step 1, got 11"):
        monitor.observe(cut(build_run(20), [10])[1])


def test_zero_shares_alarm_nobody() -> None:
    records = build_run(1000, sample=lambda step: build_sample(step, zero_share=np.full(3, 0.99)))
    assert watch(records, build_relu_info()) == []


def test_tiny_gradients_of_a_converged_network_alarm_nobody() -> None:
    def converged(step: int) -> Sample:
        return build_sample(
            step,
            gradient_rms=np.full(4, 1e-9),
            delta_rms=np.array([1e-9, 1.5e-9, 2e-9, 3e-9]),
            update_ratio=np.full(4, 1e-11),
        )

    assert watch(build_run(1000, loss=1e-8, norm=1e-8, sample=converged)) == []


def test_a_perfect_fit_alarms_nobody() -> None:
    def perfect(step: int) -> Sample:
        return build_sample(step, gradient_rms=np.zeros(4), delta_rms=np.zeros(4), update_ratio=np.zeros(4))

    assert watch(build_run(1000, loss=0.0, norm=0.0, sample=perfect)) == []


def test_large_first_updates_of_adam_alarm_nobody() -> None:
    def adam(step: int) -> Sample:
        return build_sample(step, update_ratio=np.full(4, 0.5 if step <= 34 else 0.01))

    assert watch(build_run(1000, loss=lambda step: 2.0 * 0.99**step, sample=adam)) == []


def test_labels_of_one_class_leave_nothing_critical() -> None:
    records = build_run(
        1000,
        loss=1e-6,
        sample=lambda step: build_dead_sample(step, 1),
        evaluation=lambda step: build_evaluation(step, 1.0, dead_share=np.array([0.0, step > 0, 0.0])),
    )
    events = watch(records, build_relu_info(baseline_loss=0.0, baseline_metric=1.0))
    assert {(event.check, event.severity.value) for event in events} == {("dead_layer", "info")}


def test_a_run_that_ends_is_closed_once() -> None:
    monitor = Monitor(build_info(steps=100), CONFIG)
    monitor.observe(build_run(100, loss=1.2, evaluation=lambda step: build_evaluation(step, 0.3)))
    assert [(event.check, event.severity) for event in monitor.close()] == [("not_learning", "warning")]
    assert monitor.close() == []


def test_a_bad_loss_that_ends_a_run_without_a_word_on_its_origin_is_told_at_the_end() -> None:
    monitor = Monitor(build_info(), CONFIG)
    assert (
        monitor.observe(build_run(30, loss=lambda step: 1.0 if step < 30 else np.inf, samples_at=[1])) == []
    )
    event = monitor.close()[0]
    assert (event.check, event.evidence["last_finite_loss"], event.evidence["value"]) == (
        "nonfinite",
        1.0,
        "NaN",
    )


def test_a_network_without_hidden_layers_can_be_watched() -> None:
    info = build_info(widths=(3,), activations=("softmax",))

    def sample(step: int) -> Sample:
        return build_sample(
            step,
            gradient_rms=np.ones(1),
            delta_rms=np.ones(1),
            weight_norm=np.ones(1),
            update_ratio=np.full(1, 1e-3),
            spread=np.empty(0),
            zero_share=np.empty(0),
            saturated_share=np.zeros(1),
            active_counts=(),
        )

    def evaluation(step: int) -> Evaluation:
        return build_evaluation(step, dead_share=np.empty(0), zero_share=np.empty(0))

    assert watch(build_run(500, sample=sample, evaluation=evaluation), info) == []


def test_a_symptom_that_outlives_its_cause_opens_after_as_many_hits_as_any_other() -> None:
    def sample(step: int) -> Sample:
        delta = build_vanishing_sample(step).delta_rms if step <= 200 else build_sample(step).delta_rms
        return build_sample(step, delta_rms=delta, update_ratio=np.full(4, 0.5))

    events = watch(
        build_run(300, loss=1.4, sample=sample, evaluation=lambda step: build_evaluation(step, 0.5))
    )
    assert ("resolve", "vanishing", "warning", 250) in story(events)
    assert ("open", "exploding", "critical", 270) in story(events)


def test_vanishing_under_batch_normalisation_is_no_more_than_an_info() -> None:
    events = watch(build_sick_run(), config={**CONFIG, "batch_norm": True})
    severities = {event.severity for event in events if event.check == "vanishing"}
    assert severities == {Severity.INFO}
    assert {event.severity for event in watch(build_sick_run()) if event.check == "vanishing"} != severities
