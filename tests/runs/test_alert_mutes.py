"""Mutes with an end: what is muted counts again by itself, and nobody has to remember it."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db.models import F
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from runs.alerts import handling
from runs.models import Alert, Channel, Mute, Notice, Run
from runs.models.alerts import AlertQuerySet
from runs.notices.messages import composed
from runs.reading import inbox, overview
from tests.runs import builders
from tests.runs.test_alert_api import Script
from tests.runs.test_alert_pages import act, titled
from tests.runs.test_alert_pages import inbox as inbox_page
from tests.runs.test_alerts_stored import event, stored

pytestmark = pytest.mark.django_db

HOUR = timedelta(hours=1)


@pytest.fixture
def keeper(client: Client) -> Client:
    client.force_login(builders.build_user("change_alert", name="ada"))
    return client


def of(*alerts: Alert) -> AlertQuerySet:
    return Alert.objects.filter(pk__in=[alert.pk for alert in alerts])


def pass_by(hours: float) -> None:
    """Let time go by: all ends come nearer."""
    Alert.objects.update(muted_until=F("muted_until") - hours * HOUR)
    Mute.objects.update(until=F("until") - hours * HOUR)


def in_hours(number: float) -> datetime:
    return timezone.now() + number * HOUR


@pytest.mark.parametrize(("choice", "hours"), [("1", 1), ("24", 24), ("168", 168)])
def test_a_mute_lasts_as_long_as_was_chosen(keeper: Client, choice: str, hours: int) -> None:
    alert = titled("a known thing")
    (said,) = act(keeper, "mute", alert, reason="tonight", **{"for": choice})
    assert said.startswith("1 alert muted until ")
    alert.refresh_from_db()
    assert alert.muted_until is not None
    assert abs(alert.muted_until - in_hours(hours)) < timedelta(minutes=1)
    text = inbox_page(keeper)
    end = f"muted until {alert.muted_until.day} {alert.muted_until:%b %Y, %H:%M} UTC: tonight"
    assert end in text
    assert end in keeper.get(reverse("run-alerts", args=[alert.run_id])).content.decode()
    pass_by(hours - 0.1)
    assert overview.badges().get("open_alerts", 0) == 0
    pass_by(0.2)
    assert overview.badges()["open_alerts"] == 1
    for text in (inbox_page(keeper), keeper.get(reverse("run-alerts", args=[alert.run_id])).content.decode()):
        assert "tonight" not in text


@pytest.mark.parametrize("choice", ["", "2", "-1", "x\x00"])
def test_any_other_length_is_for_ever(keeper: Client, choice: str) -> None:
    alert = titled("a known thing")
    assert act(keeper, "mute", alert, **{"for": choice}) == ["1 alert muted: neither counted nor told of."]
    alert.refresh_from_db()
    assert (alert.is_muted, alert.muted_until) == (True, None)


def test_a_button_on_a_card_takes_its_own_length(keeper: Client) -> None:
    alert, other = titled("this one"), titled("that one")
    fields = {f"for-{alert.pk}": "24", f"for-{other.pk}": "1", "for": "168"}
    keeper.post(reverse("alerts-selected"), {"action": f"mute {alert.pk}", **fields})
    alert.refresh_from_db()
    assert alert.muted_until is not None
    assert abs(alert.muted_until - in_hours(24)) < timedelta(minutes=1)


def test_a_check_is_muted_in_a_project_until_the_end_and_no_longer(keeper: Client) -> None:
    alert = titled("here")
    (said,) = act(keeper, "mute-check", alert, **{"for": "1"})
    assert said.startswith("Muted until ")
    order = Mute.objects.get()
    early = stored(builders.build_running_run(project=alert.run.project), event(check="vanishing"))
    assert (early.is_muted, early.muted_until) == (True, order.until)
    assert "1 check in whole projects" in inbox_page(keeper)
    pass_by(2)
    late = stored(builders.build_running_run(project=alert.run.project), event(check="vanishing"))
    assert late.muted_at is None
    assert not inbox.standing_orders(inbox.Wanted()).exists()
    assert overview.badges()["open_alerts"] == 3


def test_a_mute_is_prolonged_and_never_shortened() -> None:
    alert = titled("x")
    for until, counted in [
        (in_hours(1), 1),
        (in_hours(24), 1),
        (in_hours(2), 0),
        (None, 1),
        (in_hours(1), 0),
    ]:
        assert handling.mute(of(alert), None, "", until) == counted
    alert.refresh_from_db()
    assert (alert.is_muted, alert.muted_until) == (True, None)
    for hours, expected in [(1, 1), (24, 24), (2, 24)]:
        (order,) = handling.mute_checks(of(alert), None, "", in_hours(hours))
        assert order.until is not None
        assert abs(order.until - in_hours(expected)) < timedelta(minutes=1)


def test_muting_a_check_for_longer_prolongs_what_was_muted_alone() -> None:
    alert = titled("x")
    handling.mute(of(alert), None, "alone", in_hours(1))
    handling.mute_checks(of(alert), None, "everywhere")
    pass_by(2)
    alert.refresh_from_db()
    assert (alert.is_muted, alert.mute_reason) == (True, "everywhere")


def test_what_an_order_covers_is_muted_as_long_as_it_and_for_its_reason() -> None:
    alert = titled("x")
    handling.mute_checks(of(alert), None, "deep on purpose")
    handling.unmute(of(alert))
    handling.mute_checks(of(alert), None, "lunch", in_hours(1))
    alert.refresh_from_db()
    assert (alert.is_muted, alert.muted_until, alert.mute_reason) == (True, None, "deep on purpose")


def test_an_order_that_is_over_is_given_anew_with_its_new_date() -> None:
    alert = titled("x")
    (first,) = handling.mute_checks(of(alert), None, "old", in_hours(1))
    Mute.objects.update(created_at=in_hours(-48))
    pass_by(2)
    (second,) = handling.mute_checks(of(alert), None, "new", in_hours(1))
    assert (second.pk, second.reason) == (first.pk, "new")
    assert timezone.now() - second.created_at < HOUR
    assert Alert.objects.muted().count() == 1


def noticed(run: Run, check: str) -> int:
    return Notice.objects.filter(run=run, lines__check_id=check).count()


def test_nobody_is_told_while_it_is_muted_and_again_afterwards() -> None:
    run = builders.build_running_run()
    Channel.objects.create(project=run.project, kind="email", address="a@example.org")
    alert = stored(run, event(check="vanishing", severity="warning"))
    assert noticed(run, "vanishing") == 1
    handling.mute(of(alert), None, "", in_hours(1))
    assert not composed(Notice.objects.get()).alerts
    pass_by(2)
    assert composed(Notice.objects.get()).alerts
    Notice.objects.all().delete()
    stored(run, event(check="vanishing", severity="critical", step=60))
    assert noticed(run, "vanishing") == 1


def test_scripts_mute_for_some_hours_and_read_what_is_muted_now() -> None:
    script = Script("change_alert")
    alert = titled("x")
    answer: Any = script.post(f"/alerts/{alert.pk}/mute", {"hours": 0.5, "reason": "lunch"})
    assert answer["is_muted"]
    assert abs(datetime.fromisoformat(answer["muted_until"]) - in_hours(0.5)) < timedelta(minutes=1)
    assert len(script.get("/alerts", muted=True)["alerts"]) == 1
    pass_by(1)
    assert script.get("/alerts", muted=True)["alerts"] == []
    (found,) = script.get("/alerts", muted=False)["alerts"]
    assert not found["is_muted"]
    for hours in (0, -1, 1e9, "x"):
        script.post(f"/alerts/{alert.pk}/mute", {"hours": hours}, 422)
