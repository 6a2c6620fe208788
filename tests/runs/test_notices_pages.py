"""The page of a project's notifications: who may see it, what it takes, and what it shows only once."""

from __future__ import annotations

from typing import Any

import pytest
from django.conf import LazySettings
from django.test import Client
from django.utils import timezone

from runs.models import Channel, Notice, Project
from runs.notices.channels import MAX_CHANNELS
from tests.runs import builders

pytestmark = pytest.mark.django_db

HOOK = "https://hooks.slack.com/services/T00/B00/secretXYZ"


@pytest.fixture
def project() -> Project:
    return builders.build_project(slug="digits")


@pytest.fixture
def owner(client: Client) -> Client:
    client.force_login(builders.build_user("change_project"))
    return client


def add(client: Client, **fields: Any) -> Any:
    values = {"kind": "webhook", "address": HOOK, "least_severity": "warning", **fields}
    return client.post("/p/digits/notifications/add/", values)


def press(client: Client, channel: Channel, action: str) -> Any:
    return client.post(f"/p/digits/notifications/{channel.pk}/", {"action": action})


def text(answer: Any) -> str:
    return str(answer.content.decode())


def test_who_may_not_change_a_project_sees_no_address_and_changes_nothing(
    client: Client, project: Project
) -> None:
    client.force_login(builders.build_user("submit_sweep"))
    channel = Channel.objects.create(project=project, kind="email", address="a@example.org")
    answers = [
        client.get("/p/digits/notifications/"),
        client.get("/p/digits/notifications/log/"),
        add(client),
        press(client, channel, "delete"),
    ]
    assert [answer.status_code for answer in answers] == [403] * 4
    assert "change the settings of projects" in text(answers[0])
    assert Channel.objects.get() == channel


def test_only_who_may_change_a_project_is_led_there(client: Client, project: Project) -> None:
    link = "/p/digits/notifications/"
    client.force_login(builders.build_user())
    assert link not in text(client.get("/p/digits/"))
    client.force_login(builders.build_user("change_project"))
    for page in ("/p/digits/", "/p/digits/sweeps/", "/p/digits/compare/"):
        assert link in text(client.get(page)), page


def test_a_project_tells_nobody_at_first_and_the_page_says_so(owner: Client, project: Project) -> None:
    assert not Channel.objects.filter(project=project).exists()
    assert "Nobody is told of this project" in text(owner.get("/p/digits/notifications/"))


def test_the_secret_of_a_webhook_is_shown_once_and_its_path_never(owner: Client, project: Project) -> None:
    first = add(owner)
    channel = Channel.objects.get()
    assert first["Cache-Control"].endswith("private")
    assert "no-store" in first["Cache-Control"]
    assert channel.secret in text(first)
    later = text(owner.get("/p/digits/notifications/"))
    for page in (text(first), later):
        assert "https://hooks.slack.com/…tXYZ" in page
        assert "secretXYZ" not in page
    assert channel.secret not in later


def test_a_new_secret_replaces_the_old_one(owner: Client, project: Project) -> None:
    add(owner)
    old = Channel.objects.get().secret
    answer = press(owner, Channel.objects.get(), "renew")
    new = Channel.objects.get().secret
    assert new != old
    assert new in text(answer)


def test_an_e_mail_address_is_added_without_a_secret(owner: Client, project: Project) -> None:
    answer = add(owner, kind="email", address="a@example.org", least_severity="critical")
    assert (answer.status_code, answer.url) == (302, "/p/digits/notifications/")
    assert "nnhook_" not in text(owner.get(answer.url))
    assert Channel.objects.values_list("kind", "address", "least_severity").get() == (
        "email",
        "a@example.org",
        "critical",
    )


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"address": "http://127.0.0.1/x"}, "is a private, local or reserved address"),
        ({"address": "ftp://example.org/"}, "Expected a web address that begins with https://"),
        ({"kind": "email", "address": "nobody"}, "Enter a valid email address"),
        ({"kind": "email", "address": "a@example.org\r\nBcc: b@example.org"}, "Enter a valid email address"),
        ({"kind": "pigeon"}, "pigeon is not one of the available choices"),
        ({"least_severity": "info"}, "info is not one of the available choices"),
        ({"address": ""}, "This field is required"),
    ],
)
def test_what_is_wrong_stands_beside_its_field(
    owner: Client, project: Project, fields: dict[str, str], message: str
) -> None:
    answer = add(owner, **fields)
    assert answer.status_code == 400
    assert message in text(answer)
    assert not Channel.objects.exists()


def test_a_channel_is_added_once_and_not_without_end(owner: Client, project: Project) -> None:
    add(owner)
    assert "has that channel already" in text(add(owner))
    for number in range(MAX_CHANNELS):
        add(owner, kind="email", address=f"{number}@example.org")
    assert Channel.objects.count() == MAX_CHANNELS


def test_a_channel_is_switched_narrowed_and_deleted(owner: Client, project: Project) -> None:
    add(owner)
    channel = Channel.objects.get()
    for action in ("switch", "severity", "nonsense"):
        assert press(owner, channel, action).status_code == 302
    channel.refresh_from_db()
    assert (channel.is_on, channel.least_severity) == (False, "critical")
    press(owner, channel, "delete")
    assert not Channel.objects.exists()


def test_a_channel_is_changed_in_its_own_project_only(owner: Client, project: Project) -> None:
    elsewhere = Channel.objects.create(
        project=builders.build_project(), kind="email", address="a@example.org"
    )
    assert press(owner, elsewhere, "delete").status_code == 404
    assert Channel.objects.exists()


def test_a_test_waits_in_the_log_until_it_was_sent(owner: Client, project: Project) -> None:
    add(owner)
    press(owner, Channel.objects.get(), "test")
    assert "data-poll-url" in text(owner.get("/p/digits/notifications/"))
    assert owner.get("/p/digits/notifications/log/")["X-Over"] == "0"
    Notice.objects.update(state="sent", answer="200 OK", settled_at="2026-11-23T00:00Z")
    rows = owner.get("/p/digits/notifications/log/")
    assert (rows["X-Over"], "200 OK" in text(rows)) == ("1", True)


def test_the_log_shows_the_last_twenty_of_the_project_with_as_many_queries_as_one(
    owner: Client, project: Project, django_assert_max_num_queries: Any
) -> None:
    run = builders.build_finished_run(builders.build_sweep(project))
    channel = Channel.objects.create(project=project, kind="email", address="a@example.org")
    for number in range(25):
        notice = Notice.objects.create(
            channel=channel, run=run, due_at=timezone.now(), state="sent", settled_at=timezone.now()
        )
        notice.lines.create(check_id="vanishing", severity="warning", step=number)
    with django_assert_max_num_queries(9):
        page = text(owner.get("/p/digits/notifications/"))
    assert page.count('id="notice-') == 20
    assert "step 24" in page


def test_the_page_says_what_the_installation_lacks(
    owner: Client, project: Project, settings: LazySettings
) -> None:
    lacking = text(owner.get("/p/digits/notifications/"))
    settings.MAIL_IS_SET_UP, settings.PUBLIC_URL = True, "https://nnlab.example.org"
    complete = text(owner.get("/p/digits/notifications/"))
    for name in ("EMAIL_URL", "NNLAB_PUBLIC_URL"):
        assert (name in lacking, name in complete) == (True, False)
