"""Notices: what is put into the outbox with an alert, and when nobody is told."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction
from django.utils import timezone

from nnlab.health.events import AlertEvent, EventKind, Severity
from runs.models import Alert, Channel, Mute, Notice, NoticeLine, Run
from runs.training.findings import _store_event
from tests.runs import builders
from tests.runs.test_alerts_stored import event

pytestmark = pytest.mark.django_db

OPEN, UPDATE, RESOLVE = EventKind.OPEN, EventKind.UPDATE, EventKind.RESOLVE
WARNING, CRITICAL, INFO = Severity.WARNING, Severity.CRITICAL, Severity.INFO


def build_channel(run: Run, address: str = "a@example.org", **fields: Any) -> Channel:
    return Channel.objects.create(project=run.project, kind="email", address=address, **fields)


def told(run: Run, *events: AlertEvent) -> list[list[tuple[str, str, int]]]:
    """Store events, each long after the one before it; the lines of each notice, the oldest first."""
    for one in events:
        _store_event(run.pk, one)
        Notice.objects.update(due_at=timezone.now() - timedelta(minutes=1))
    notices = Notice.objects.order_by("pk")
    return [list(notice.lines.values_list("check_id", "severity", "step")) for notice in notices]


def test_an_alert_that_opens_is_told_once_however_often_it_is_updated() -> None:
    run = builders.build_running_run()
    build_channel(run)
    updates = [event(UPDATE, step) for step in (60, 70, 80)]
    assert told(run, event(OPEN, 40), *updates, event(RESOLVE, 90)) == [[("vanishing", "warning", 40)]]


def test_nobody_is_told_where_a_project_has_no_channel_or_only_one_that_is_off() -> None:
    silent, off = builders.build_running_run(), builders.build_running_run()
    build_channel(off, is_on=False)
    assert told(silent, event()) == told(off, event()) == []


def test_what_is_only_of_interest_is_not_told_until_it_is_more() -> None:
    run = builders.build_running_run()
    build_channel(run)
    assert told(run, event(OPEN, 40, severity=INFO), event(UPDATE, 50, severity=INFO)) == []
    assert told(run, event(UPDATE, 60, severity=WARNING)) == [[("vanishing", "warning", 60)]]


def test_a_channel_for_critical_alerts_hears_when_an_alert_becomes_that() -> None:
    run = builders.build_running_run()
    build_channel(run, least_severity="critical")
    assert told(run, event(OPEN, 40), event(UPDATE, 60, severity=CRITICAL)) == [
        [("vanishing", "critical", 60)]
    ]


def test_an_alert_that_swings_between_severities_is_told_at_its_first_rise_only() -> None:
    run = builders.build_running_run()
    build_channel(run)
    swings = [event(UPDATE, 60 + k, severity=(CRITICAL, WARNING, INFO)[k % 3]) for k in range(9)]
    assert told(run, event(), *swings) == [[("vanishing", "warning", 40)], [("vanishing", "critical", 60)]]


def test_a_return_soon_after_a_resolve_is_not_told_and_a_late_one_is() -> None:
    soon, late = builders.build_running_run(), builders.build_running_run()
    build_channel(soon)
    assert len(told(soon, event(), event(RESOLVE, 90), event(UPDATE, 289))) == 1
    Notice.objects.all().delete()
    build_channel(late)
    found = told(late, event(), event(RESOLVE, 90), event(UPDATE, 290))
    assert found == [[("vanishing", "warning", 40)], [("vanishing", "warning", 290)]]


def test_a_return_that_is_worse_is_told_at_once_and_only_once() -> None:
    run = builders.build_running_run()
    build_channel(run)
    history = [event(), event(RESOLVE, 90), event(UPDATE, 100, severity=CRITICAL), event(UPDATE, 110)]
    expected = [[("vanishing", "warning", 40)], [("vanishing", "critical", 100)]]
    assert told(run, *history) == expected
    Alert.objects.all().delete()  # another attempt
    assert told(run, *history) == expected


def test_a_muted_or_acknowledged_alert_is_not_told() -> None:
    run = builders.build_running_run()
    build_channel(run)
    Mute.objects.create(project=run.project, check_id="vanishing")
    assert told(run, event()) == []
    told(run, event(check="plateau", severity=INFO))
    Alert.objects.filter(check_id="plateau").update(muted_at=timezone.now())
    assert told(run, event(UPDATE, 60, check="plateau")) == []


def test_a_run_that_is_trained_anew_does_not_tell_the_same_again() -> None:
    run = builders.build_running_run()
    build_channel(run)
    history = [
        event(),
        event(UPDATE, 60, severity=CRITICAL),
        event(RESOLVE, 90),
        event(UPDATE, 400, severity=CRITICAL),
    ]
    first = told(run, *history)
    Alert.objects.all().delete()
    assert len(first) == 3
    assert told(run, *history) == first


def test_what_was_dropped_unsent_counts_as_not_told() -> None:
    run = builders.build_running_run()
    build_channel(run)
    told(run, event())
    Notice.objects.update(state="dropped", settled_at=timezone.now())
    Alert.objects.all().delete()
    assert len(told(run, event())) == 2


def test_alerts_of_a_run_that_open_together_share_a_notice_until_it_is_due() -> None:
    run, other = builders.build_running_run(), builders.build_running_run()
    build_channel(run)
    build_channel(other)
    for one in (event(), event(check="saturated"), event(UPDATE, 50, severity=CRITICAL)):
        _store_event(run.pk, one)
    _store_event(other.pk, event())
    notice = Notice.objects.get(run=run)
    assert list(notice.lines.values_list("check_id", "severity")) == [
        ("vanishing", "critical"),
        ("saturated", "warning"),
    ]
    assert Notice.objects.count() == 2
    Notice.objects.update(due_at=timezone.now())
    _store_event(run.pk, event(check="plateau"))
    assert Notice.objects.count() == 3


def test_a_notice_that_was_tried_takes_no_further_alert() -> None:
    run = builders.build_running_run()
    build_channel(run)
    _store_event(run.pk, event())
    Notice.objects.update(tries=1)
    _store_event(run.pk, event(check="plateau"))
    assert Notice.objects.count() == 2


def test_an_alert_that_is_rolled_back_is_not_told() -> None:
    run = builders.build_running_run()
    build_channel(run)
    with transaction.atomic():
        _store_event(run.pk, event())
        transaction.set_rollback(True)
    assert not Notice.objects.exists()


def test_a_secret_differs_by_channel_and_is_not_in_the_database() -> None:
    run = builders.build_running_run()
    first, second = (build_channel(run, f"{name}@example.org") for name in "ab")
    assert first.secret != second.secret
    assert first.secret == Channel.objects.get(pk=first.pk).secret
    columns = Channel.objects.filter(pk=first.pk).values().get()
    assert not any(first.secret in str(value) for value in columns.values())


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("https://hooks.slack.com/services/T00/B00/secretXYZ", "https://hooks.slack.com/…tXYZ"),
        ("http://example.org:8080/", "http://example.org:8080/…"),
    ],
)
def test_the_path_of_a_webhook_is_not_shown(address: str, shown: str) -> None:
    assert Channel(kind="webhook", address=address).shown_address == shown


def test_a_notice_goes_with_its_channel_and_with_its_run() -> None:
    run = builders.build_running_run()
    channel = build_channel(run)
    told(run, event())
    channel.delete()
    assert not NoticeLine.objects.exists()
