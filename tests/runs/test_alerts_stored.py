"""What a worker writes about an alert, and what it leaves to people."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest
from django.utils import timezone

from nnlab.health.events import AlertEvent, EventKind, Severity
from runs.models import Alert, Mute, Run
from runs.training.findings import _store_event
from tests.runs import builders

pytestmark = pytest.mark.django_db


def event(kind: EventKind = EventKind.OPEN, step: int = 40, **changes: Any) -> AlertEvent:
    values: dict[str, Any] = {
        "kind": kind,
        "check": "vanishing",
        "severity": Severity.WARNING,
        "step": step,
        "first_step": 3,
        "layers": (0,),
        "layer_names": ("hidden 1",),
        "value": 1e-5,
        "threshold": 1e-3,
        "title": "Vanishing gradient: hidden 1",
        "cause": "Gradients shrink.",
        "evidence": {"reopened": 0},
        "advice": (),
        "thresholds_hash": "0123456789ab",
    }
    return AlertEvent(**{**values, **changes})


def stored(run: Run, *events: AlertEvent) -> Alert:
    for one in events:
        _store_event(run.pk, one)
    return Alert.objects.select_related("run").get(run=run)


def acknowledge(run: Run) -> None:
    user = builders.build_user(name=f"user {uuid4()}")
    Alert.objects.filter(run=run).update(acknowledged_at=timezone.now(), acknowledged_by=user)


def test_the_worst_value_is_kept_on_the_side_on_which_the_alert_opened() -> None:
    small = stored(
        builders.build_run(),
        event(value=1e-5),
        event(EventKind.UPDATE, 60, value=1e-9),
        event(EventKind.UPDATE, 70, value=1e-4),
        event(EventKind.RESOLVE, 90, value=0.5),
    )
    large = stored(
        builders.build_run(),
        event(value=5.0, threshold=0.3),
        event(EventKind.UPDATE, 60, value=9.0, threshold=0.3),
        event(EventKind.UPDATE, 70, value=float("inf"), threshold=0.3),
        event(EventKind.RESOLVE, 90, value=0.01, threshold=0.3),
    )
    equal = stored(  # half of the units, where half is enough
        builders.build_run(),
        event(value=0.5, threshold=0.5),
        event(EventKind.UPDATE, 60, value=0.4, threshold=0.5),
        event(EventKind.UPDATE, 70, value=0.75, threshold=0.5),
    )
    assert (small.worst_value, large.worst_value, equal.worst_value) == (1e-9, 9.0, 0.75)


def test_an_update_leaves_an_acknowledgement_and_a_mute_alone() -> None:
    run = builders.build_run()
    stored(run, event())
    acknowledge(run)
    Alert.objects.filter(run=run).update(muted_at=timezone.now(), mute_reason="known")
    alert = stored(run, event(EventKind.UPDATE, 60))
    assert alert.acknowledged_at is not None
    assert (alert.muted_at is None, alert.mute_reason, alert.last_step) == (False, "known", 60)


@pytest.mark.parametrize(
    "later",
    [
        [event(EventKind.UPDATE, 60, severity=Severity.CRITICAL)],
        [event(EventKind.RESOLVE, 60), event(EventKind.UPDATE, 80)],
    ],
    ids=["worse", "open again"],
)
def test_what_is_worse_than_what_was_acknowledged_wants_attention_again(later: list[AlertEvent]) -> None:
    run = builders.build_run()
    stored(run, event())
    acknowledge(run)
    alert = stored(run, *later)
    assert (alert.acknowledged_at, alert.acknowledged_by) == (None, None)


def test_a_resolved_alert_stays_acknowledged() -> None:
    run = builders.build_run()
    stored(run, event())
    acknowledge(run)
    assert stored(run, event(EventKind.RESOLVE, 60)).acknowledged_at is not None


def test_an_alert_of_a_muted_check_is_born_muted_in_that_project_only() -> None:
    run, elsewhere = builders.build_run(), builders.build_run()
    Mute.objects.create(project=run.project, check_id="vanishing", reason="deep on purpose")
    assert (stored(run, event()).muted_at is None, stored(run, event()).mute_reason) == (
        False,
        "deep on purpose",
    )
    assert stored(elsewhere, event()).muted_at is None


def test_an_alert_that_is_open_when_its_run_ends_is_marked_so() -> None:
    over, running = builders.build_finished_run(), builders.build_running_run()
    assert (stored(over, event()).at_end, stored(running, event()).at_end) == (True, False)
    assert not stored(over, event(EventKind.RESOLVE, 60)).at_end
