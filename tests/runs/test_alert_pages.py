"""The inbox and a run's alerts: who may do what with them, and what is counted then."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

import pytest
from django.contrib.messages import get_messages
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from runs.models import Alert, Fix, Mute, Run
from tests.runs import builders
from tests.runs.test_alert_fixing import finish, sick_alert

pytestmark = pytest.mark.django_db


@pytest.fixture
def keeper(client: Client) -> Client:
    client.force_login(builders.build_user("change_alert", "submit_sweep", name="ada"))
    return client


def inbox(client: Client, **filters: str) -> str:
    answer = client.get(reverse("alerts"), filters)
    assert answer.status_code == HTTPStatus.OK
    return answer.content.decode()


def page_of(client: Client, run: Run) -> str:
    return client.get(reverse("run-alerts", args=[run.pk])).content.decode()


def act(client: Client, action: str, *alerts: Alert, **fields: Any) -> list[str]:
    posted = {"action": action, "alerts": [alert.pk for alert in alerts], **fields}
    answer = client.post(reverse("alerts-selected"), posted)
    assert answer.status_code == HTTPStatus.FOUND
    return [str(message) for message in get_messages(answer.wsgi_request)]


def badge(client: Client) -> int:
    return int(client.get(reverse("datasets")).context["open_alerts"])


def titled(title: str, run: Run | None = None, check: str = "vanishing", **fields: Any) -> Alert:
    return builders.build_alert(run or builders.build_finished_run(), check, title=title, **fields)


def test_acknowledged_alerts_leave_the_badge_and_the_list_of_open_ones(keeper: Client) -> None:
    alerts = [titled("number one"), titled("number two"), titled("number three")]
    assert badge(keeper) == 3
    assert act(keeper, "acknowledge", *alerts[:2]) == ["2 alerts acknowledged."]
    assert badge(keeper) == 1
    assert "number one" not in inbox(keeper)
    assert "acknowledged by ada" in inbox(keeper, state="acknowledged")
    assert "acknowledged by ada" in page_of(keeper, alerts[0].run)
    assert act(keeper, "acknowledge", alerts[0]) == ["0 alerts acknowledged."]


def test_muted_alerts_are_in_a_fold_with_their_reason_and_can_be_unmuted(keeper: Client) -> None:
    alert = titled("a known thing")
    act(keeper, "mute", alert, reason="teaching material")
    assert badge(keeper) == 0
    text = inbox(keeper)
    assert text.index("Muted: 1 alert") < text.index("a known thing")
    assert "muted: teaching material" in text
    assert "Muted: 1 alert, neither counted" in page_of(keeper, alert.run)
    act(keeper, "unmute", alert)
    alert.refresh_from_db()
    assert (alert.muted_at, alert.muted_by, alert.mute_reason, badge(keeper)) == (None, None, "", 1)


def test_muting_a_check_covers_its_project_and_no_other_until_it_is_lifted(keeper: Client) -> None:
    project = builders.build_project()
    here = [titled("here", builders.build_finished_run(project=project)) for _ in range(2)]
    elsewhere, other = titled("elsewhere"), titled("other", here[0].run, "exploding")
    act(keeper, "mute-check", here[0], reason="deep on purpose")
    muted = set(Alert.objects.filter(muted_at__isnull=False).values_list("pk", flat=True))
    assert muted == {alert.pk for alert in here}
    assert (Mute.objects.get().reason, badge(keeper)) == ("deep on purpose", 2)
    assert "1 check in whole projects" in inbox(keeper)
    keeper.post(reverse("mute-delete", args=[Mute.objects.get().pk]))
    assert badge(keeper) == 4
    assert not Mute.objects.exists()
    assert {elsewhere.pk, other.pk}.isdisjoint(muted)


def test_lifting_an_order_leaves_what_was_muted_for_a_reason_of_its_own(keeper: Client) -> None:
    project = builders.build_project()
    here, known = (titled(name, builders.build_finished_run(project=project)) for name in ("here", "known"))
    act(keeper, "mute", known, reason="trained so on purpose")
    act(keeper, "mute-check", here, reason="a quiet week")
    keeper.post(reverse("mute-delete", args=[Mute.objects.get().pk]))
    assert list(Alert.objects.muted().values_list("title", "mute_reason")) == [
        ("known", "trained so on purpose")
    ]


def test_a_button_on_a_card_takes_its_own_alert_and_reason_and_leads_back(keeper: Client) -> None:
    alert, other = titled("this one"), titled("that one")
    back = f"{alert.run.get_absolute_url()}#alerts"
    fields = {f"reason-{alert.pk}": "mine", f"reason-{other.pk}": "not mine", "next": back}
    answer = keeper.post(reverse("alerts-selected"), {"action": f"mute {alert.pk}", **fields})
    assert answer.headers["Location"] == back
    assert dict(Alert.objects.values_list("title", "mute_reason")) == {"this one": "mine", "that one": ""}


def test_nobody_is_led_to_another_site(keeper: Client) -> None:
    fields = {"action": f"acknowledge {titled('x').pk}", "next": "https://elsewhere.example/"}
    assert keeper.post(reverse("alerts-selected"), fields).headers["Location"] == reverse("alerts")


@pytest.mark.parametrize("action", ["acknowledge", "nonsense", "mute 99999", ""])
def test_nothing_ticked_changes_nothing(keeper: Client, action: str) -> None:
    titled("x")
    assert act(keeper, action) == ["Tick one alert or more first."]
    assert badge(keeper) == 1


def test_alerts_need_the_right_to_change_them_and_a_fix_the_right_to_submit(client: Client) -> None:
    client.force_login(builders.build_user("stop_run"))
    alert = sick_alert()
    order = Mute.objects.create(project=alert.run.project, check_id="dropout")
    for address in (
        reverse("alerts-selected"),
        reverse("mute-delete", args=[order.pk]),
        reverse("alert-fix", args=[alert.pk]),
    ):
        assert client.get(address).status_code == HTTPStatus.METHOD_NOT_ALLOWED
        assert client.post(address, {"action": f"mute {alert.pk}"}).status_code == HTTPStatus.FORBIDDEN
    for text in (page_of(client, alert.run), inbox(client)):
        for word in ("Rerun with this fix", "Acknowledge", ">Mute<", "Select "):
            assert word not in text


def test_the_inbox_is_filtered_by_check_and_shows_open_before_resolved(keeper: Client) -> None:
    run = builders.build_finished_run()
    titled("an old disaster", run, "a", severity="critical", state="resolved", resolved_step=9)
    titled("a new trifle", run, "b", severity="info")
    titled("gone dead", run, "dead_layer")
    text = inbox(keeper, state="")
    assert text.index("gone dead") < text.index("a new trifle") < text.index("an old disaster")
    assert "open at the end" in text
    only = inbox(keeper, state="", check="dead_layer")
    assert "gone dead" in only
    assert "a new trifle" not in only


def test_alerts_of_deleted_runs_cannot_be_handled(keeper: Client) -> None:
    alert = sick_alert()
    Run.objects.update(deleted_at=timezone.now())
    assert act(keeper, "acknowledge", alert) == ["Tick one alert or more first."]
    assert keeper.post(reverse("alert-fix", args=[alert.pk])).status_code == HTTPStatus.NOT_FOUND


# Fixes


def fix(client: Client, alert: Alert, **fields: Any) -> str:
    answer = client.post(reverse("alert-fix", args=[alert.pk]), fields)
    assert answer.status_code == HTTPStatus.FOUND
    return [str(message) for message in get_messages(answer.wsgi_request)][-1]


def test_a_fix_is_one_click_and_its_card_follows_it_to_the_verdict(keeper: Client) -> None:
    alert = sick_alert()
    assert "Rerun with this fix" in page_of(keeper, alert.run)
    assert fix(keeper, alert, only="A1", **{f"seeds-{alert.pk}": "3"}) == "advice A1: 5 runs queued."
    begun = Fix.objects.get()
    state = reverse("fix-state", args=[begun.pk])
    assert begun.created_by is not None
    text = page_of(keeper, alert.run)
    assert "0 of 3 pairs done." in text
    assert f'data-poll-url="{state}"' in text
    assert keeper.get(state).headers["X-Over"] == "0"

    finish(Run.objects.filter(pairs_before__fix=begun), score=0.1)
    finish(Run.objects.filter(pairs_after__fix=begun), score=0.9)
    answer = keeper.get(state)
    assert (answer.headers["X-Over"], b"80.0 points higher" in answer.content) == ("1", True)
    text = page_of(keeper, alert.run)
    assert "data-poll-url" not in text
    for words in (
        "✓</span> helped",
        "helped 1 of 1 time in this project",
        "90.0 %",
        "not open at the end of 3",
    ):
        assert words in text, words
    assert "What has helped" in inbox(keeper)


def test_ticked_advice_is_followed_together_and_a_conflict_is_told(keeper: Client) -> None:
    alert = sick_alert()
    name = f"advice-{alert.pk}"
    assert "choose one of them" in fix(keeper, alert, **{name: ["A3", "A5"]})
    assert "tick one" in fix(keeper, alert)
    assert not Fix.objects.exists()
    assert fix(keeper, alert, **{name: ["A1", "A3"]}) == "advice A1 + advice A3: 9 runs queued."


def test_advice_that_sets_the_seed_is_cloned_not_paired(keeper: Client) -> None:
    alert = sick_alert()
    Alert.objects.update(advice=[advice for advice in alert.advice if advice["code"] == "A15"])
    text = page_of(keeper, alert.run)
    assert "Clone with this change" in text
    assert "Rerun with this fix" not in text


def test_the_card_says_what_diverged_and_what_was_left_out(keeper: Client) -> None:
    alert = sick_alert()
    fix(keeper, alert, only="A1", **{f"seeds-{alert.pk}": "3"})
    begun = Fix.objects.get()
    finish(Run.objects.filter(pairs_before__fix=begun), score=0.1)
    finish(Run.objects.filter(pairs_after__fix=begun), score=0.9)
    lost, diverged = (pair.after_id for pair in begun.pairs.all()[:2])
    Run.objects.filter(pk=lost).update(status="cancelled", stop_reason="cancelled")
    Run.objects.filter(pk=diverged).update(status="failed", stop_reason="diverged")
    text = page_of(keeper, alert.run)
    assert "1 run diverged and counts as a constant guess. 1 pair left out" in text
    assert "10.0 % (diverged)" in text


def test_a_fix_that_does_not_exist_is_not_found(keeper: Client) -> None:
    assert keeper.get(reverse("fix-state", args=[1])).status_code == HTTPStatus.NOT_FOUND


def test_the_live_answer_brings_the_marks_of_the_alerts(keeper: Client) -> None:
    alert = titled("x", builders.build_running_run(), severity="critical", opened_step=40)
    titled("y", alert.run, "dropout", muted_at=timezone.now(), opened_step=50)
    titled("z", alert.run, "plateau", state="resolved", opened_step=60, resolved_step=80)
    marks = keeper.get(reverse("run-live", args=[alert.run_id])).json()["marks"]
    assert marks["ids"] == ["loss", "headline", "gradients"]
    drawn = [(note["x"], note["text"], note["hovertext"]) for note in marks["layout"]["annotations"]]
    assert drawn == [
        (40, "●", "vanishing: critical, first seen at step 3 (step 40)"),
        (60, "▼", "plateau: warning, first seen at step 3 (step 60)"),
        (80, "✓", "plateau resolved (step 80)"),
    ]
