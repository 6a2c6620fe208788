"""Sending: signed, tried again, each notice in its time, and nothing that is no longer wanted."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.conf import LazySettings
from django.core import mail
from django.utils import timezone

from runs.management.commands import scheduler
from runs.models import Alert, Channel, Notice, Run
from runs.notices import sending
from runs.notices.outbox import add_test
from tests.runs import builders
from tests.runs.receiver import Receiver, receiver

pytestmark = pytest.mark.django_db


@pytest.fixture
def hook(settings: LazySettings) -> Iterator[Receiver]:
    settings.ALLOW_PRIVATE_WEBHOOKS = True
    settings.PUBLIC_URL = "https://nnlab.example.org"
    with receiver() as here:
        yield here


def build_notice(address: str, *checks: str, run: Run | None = None, **fields: Any) -> Notice:
    """Make a notice that is due, of alerts that are open."""
    run = run or builders.build_running_run(name="run <1>")
    kind = "email" if "@" in address else "webhook"
    channel = Channel.objects.get_or_create(project=run.project, kind=kind, address=address)[0]
    notice = Notice.objects.create(channel=channel, run=run, due_at=timezone.now(), **fields)
    for check in checks or ("vanishing",):
        builders.build_alert(run, check)
        notice.lines.create(check_id=check, severity="warning", step=40)
    return notice


def due_again() -> None:
    Notice.objects.update(due_at=timezone.now())


def test_a_webhook_gets_what_slack_shows_and_our_own_fields(hook: Receiver) -> None:
    notice = build_notice(hook.url, "vanishing", "saturated")
    sending.send_due()
    notice.refresh_from_db()
    assert (notice.state, notice.answer, notice.tries) == ("sent", "200 OK", 1)
    (path, headers, _), body = hook.requests[0], hook.json()
    assert path == "/hook/of/a-team?x=1"
    assert headers["Host"] == f"127.0.0.1:{hook.port}"
    assert headers["Idempotency-Key"] == body["nnlab"]["delivery"] == str(notice.key)
    assert "2 alerts" in body["text"]
    assert all(block["type"] == "section" for block in body["blocks"])
    assert "run &lt;1&gt;" in body["blocks"][0]["text"]["text"]
    assert [alert["check"] for alert in body["nnlab"]["alerts"]] == ["vanishing", "saturated"]
    alert = Alert.objects.get(check_id="vanishing")
    assert body["nnlab"]["alerts"][0]["url"] == f"https://nnlab.example.org{alert.get_absolute_url()}"


def test_a_name_calls_nobody_in_slack_and_fills_no_block_beyond_its_bound(hook: Receiver) -> None:
    run = builders.build_running_run(name="<!channel> & co")
    notice = build_notice(hook.url, run=run)
    Alert.objects.update(cause="<" * 4000)
    sending.send_due()
    notice.refresh_from_db()
    body = hook.json()
    assert "&lt;!channel&gt; &amp; co" in body["text"]
    texts = [body["text"], *(block["text"]["text"] for block in body["blocks"])]
    assert not any("<" in text or len(text) > 3000 for text in texts)
    assert body["nnlab"]["run"]["name"] == "<!channel> & co"


def documented_verification() -> Any:
    """The function that the documentation gives to receivers."""
    text = (Path(__file__).parents[2] / "docs" / "notifications.md").read_text(encoding="utf-8")
    scope: dict[str, Any] = {}
    exec(text.partition("```python\n")[2].partition("```")[0], scope)
    return scope["is_from_nnlab"]


def test_a_receiver_can_verify_a_webhook_as_the_documentation_says(hook: Receiver) -> None:
    secret = build_notice(hook.url).channel.secret
    sending.send_due()
    _, headers, body = hook.requests[0]
    verify = documented_verification()
    assert verify(secret, headers, body)
    assert not verify(secret, headers, body + b" ")
    assert not verify(secret + "x", headers, body)
    assert not verify(secret, headers | {"X-Nnlab-Timestamp": "1700000000"}, body)


def test_a_server_in_trouble_is_asked_again_later_under_the_same_key(hook: Receiver) -> None:
    hook.answers = [503, 200]
    notice = build_notice(hook.url)
    before = timezone.now()
    assert sending.send_due() == 1
    notice.refresh_from_db()
    pause = (notice.due_at - before).total_seconds()
    assert (notice.state, notice.answer) == ("waiting", "503 Service Unavailable")
    assert 0.75 * 30 <= pause <= 1.25 * 30 + 15
    assert sending.send_due() == 0
    due_again()
    sending.send_due()
    notice.refresh_from_db()
    assert (notice.state, notice.tries) == ("sent", 2)
    keys = [headers["Idempotency-Key"] for _, headers, _ in hook.requests]
    assert keys == [str(notice.key)] * 2


def test_after_six_tries_a_notice_is_given_up(hook: Receiver) -> None:
    hook.answers = [500]
    notice = build_notice(hook.url)
    for _ in range(9):
        sending.send_due()
        due_again()
    notice.refresh_from_db()
    assert (notice.state, notice.tries, len(hook.requests)) == ("failed", 6, 6)


@pytest.mark.parametrize("status", [301, 307, 400, 404, 410])
def test_an_answer_that_no_second_try_would_change_is_final(hook: Receiver, status: int) -> None:
    hook.answers, hook.headers = [status], {"Location": hook.url}
    notice = build_notice(hook.url)
    sending.send_due()
    notice.refresh_from_db()
    assert (notice.state, notice.tries, len(hook.requests)) == ("failed", 1, 1)
    assert notice.answer.startswith(str(status))


def test_a_channel_that_does_not_answer_holds_up_no_other(hook: Receiver) -> None:
    with receiver(503) as silent:
        bad = [build_notice(silent.url) for _ in range(2)]
        Notice.objects.filter(pk=bad[1].pk).update(channel=bad[0].channel)
        good = build_notice(hook.url)
        sending.send_due()
        good.refresh_from_db()
        assert (good.state, len(silent.requests)) == ("sent", 1)


def test_a_sender_that_was_killed_in_the_midst_leaves_the_notice_to_the_next(hook: Receiver) -> None:
    notice = build_notice(hook.url)
    sending._claimed(set())
    assert sending.send_due() == 0
    Notice.objects.update(due_at=timezone.now())  # the lease is over
    sending.send_due()
    notice.refresh_from_db()
    assert (notice.state, notice.tries) == ("sent", 2)


def test_a_notice_that_no_sender_survives_is_given_up_too(hook: Receiver) -> None:
    notice = build_notice(hook.url)
    for _ in range(sending.MAX_TRIES):
        assert sending._claimed(set()) is not None
        due_again()
    assert sending.send_due() == 0
    notice.refresh_from_db()
    assert (notice.state, notice.tries, hook.requests) == ("failed", sending.MAX_TRIES, [])


def test_a_sender_that_was_overtaken_settles_nothing(hook: Receiver) -> None:
    build_notice(hook.url)
    slow = sending._claimed(set())
    assert slow is not None
    due_again()
    fast = sending._claimed(set())
    assert fast is not None
    sending._settle(slow, Notice.State.FAILED, "too late")
    assert Notice.objects.get().state == "waiting"


@pytest.mark.parametrize("field", ["muted_at", "acknowledged_at"])
def test_what_was_muted_or_acknowledged_meanwhile_is_left_out(hook: Receiver, field: str) -> None:
    notice = build_notice(hook.url, "vanishing", "saturated")
    alone = build_notice(f"{hook.url}&y=2")
    Alert.objects.filter(check_id="vanishing").update(**{field: timezone.now()})
    sending.send_due()
    assert [alert["check"] for alert in hook.json()["nnlab"]["alerts"]] == ["saturated"]
    assert list(notice.lines.values_list("check_id", flat=True)) == ["saturated"]
    alone.refresh_from_db()
    assert (alone.state, len(hook.requests)) == ("dropped", 1)


def test_an_alert_that_eased_meanwhile_is_left_out(hook: Receiver) -> None:
    notice = build_notice(hook.url, "vanishing", "saturated")
    Alert.objects.filter(check_id="vanishing").update(severity="info")
    sending.send_due()
    assert [alert["check"] for alert in hook.json()["nnlab"]["alerts"]] == ["saturated"]
    assert [line.check_id for line in notice.lines.all()] == ["saturated"]  # if it gets worse, it is told


def test_nothing_is_sent_of_a_deleted_run_or_through_a_channel_switched_off(hook: Receiver) -> None:
    deleted = build_notice(hook.url, run=builders.build_finished_run(deleted_at=timezone.now()))
    off = build_notice(f"{hook.url}&off")
    Channel.objects.filter(pk=off.channel_id).update(is_on=False)
    sending.send_due()
    states = {notice.pk: notice.state for notice in Notice.objects.all()}
    assert (states[deleted.pk], states[off.pk], hook.requests) == ("dropped", "dropped", [])


def test_a_test_says_that_it_is_one_even_where_the_channel_is_off(hook: Receiver) -> None:
    channel = build_notice(hook.url).channel
    Notice.objects.all().delete()
    Channel.objects.update(is_on=False)
    add_test(channel)
    sending.send_due()
    body = hook.json()
    assert (body["nnlab"]["event"], body["nnlab"]["alerts"], body["nnlab"]["run"]) == ("test", [], None)
    assert Notice.objects.get().state == "sent"


def test_an_e_mail_names_run_cause_and_advice(settings: LazySettings) -> None:
    settings.MAIL_IS_SET_UP = True
    run = builders.build_running_run(name="two\nlines")
    notice = build_notice("a@example.org", run=run)
    sending.send_due()
    (letter,) = mail.outbox
    assert letter.to == ["a@example.org"]
    assert letter.extra_headers["Message-ID"] == f"<{notice.key}@nnlab>"
    assert "two lines: Vanishing gradient: hidden 1" in letter.subject
    assert "The sigmoid's derivative" in letter.body
    assert "- Try: Use ReLU instead of sigmoid" in letter.body
    assert run.get_absolute_url() in letter.body


def test_an_e_mail_fails_with_the_remedy_where_none_is_set_up(settings: LazySettings) -> None:
    settings.MAIL_IS_SET_UP = False
    notice = build_notice("a@example.org")
    sending.send_due()
    notice.refresh_from_db()
    assert (notice.state, notice.answer) == ("failed", "no e-mail is set up: set EMAIL_URL")


def test_the_log_forgets_after_a_month(hook: Receiver) -> None:
    month = timezone.now() - timedelta(days=31)
    build_notice(hook.url, state="sent", settled_at=month)
    build_notice(hook.url, state="sent", settled_at=timezone.now())
    sending.send_due()
    assert Notice.objects.count() == 1


def test_neither_secret_nor_path_of_a_webhook_is_logged(
    hook: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    hook.answers = [500]
    channel = build_notice(hook.url).channel
    with caplog.at_level(logging.DEBUG):
        sending.send_due()
    assert "500 Internal Server Error" in caplog.text
    assert channel.secret not in caplog.text
    assert "hook/of" not in caplog.text


def test_the_scheduler_sends_beside_its_own_work(monkeypatch: pytest.MonkeyPatch, hook: Receiver) -> None:
    rounds, held, go_on = [], threading.Event(), threading.Event()

    def slow() -> None:  # a round of a thread, without a database of its own
        rounds.append(threading.current_thread().name)
        held.set()
        go_on.wait(10)

    monkeypatch.setattr(scheduler, "_send", slow)
    courier = scheduler._Courier()
    courier.look()
    assert rounds == []  # nothing is due
    build_notice(hook.url)
    courier.look()
    held.wait(10)
    courier.look()  # a round is under way
    assert rounds == ["notices"]
    go_on.set()
    assert courier._thread is not None
    courier._thread.join()
    courier.look()
    courier._thread.join()
    assert len(rounds) == 2
