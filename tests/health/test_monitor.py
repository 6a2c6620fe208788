"""The monitor as a whole, on records built by hand."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nnlab.engine.records import NonFinite
from nnlab.health.monitor import AlertEvent, Monitor
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
    from nnlab.engine.records import Records, RunInfo


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


def test_symptoms_wait_in_the_evidence_of_their_cause() -> None:
    events = watch(build_sick_run())
    assert {event.check for event in events} == {"vanishing"}
    children = [event.evidence["children"] for event in events if event.evidence["children"]]
    value = pytest.approx(1.018, abs=1e-3)
    assert children[0] == [{"check": "not_learning", "value": value, "layers": [], "first_step": 200}]


@given(at=st.lists(st.integers(1, 1499), max_size=30))
def test_events_do_not_depend_on_how_records_are_cut(at: list[int]) -> None:
    records = build_sick_run()
    monitor = Monitor(build_info(), CONFIG)
    events = [event for chunk in cut(records, at) for event in monitor.observe(chunk)] + monitor.close()
    assert events == watch(records)


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
        evaluation=lambda step: build_evaluation(step, accuracy=0.3, dead_share=dead),
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
