"""What machines ask: alive needs nothing, ready names what is missing, and neither can be used to do harm."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

import pytest
from django.db import OperationalError, connection
from django.db.migrations.recorder import MigrationRecorder
from django.test import Client, override_settings
from django.urls import reverse

from nnlab.recent import Recent
from runs import queue, readiness
from runs.pages import probes

pytestmark = pytest.mark.django_db

WELL = {"ready": True, "database": "ok", "migrations": "ok", "broker": "ok"}


@pytest.fixture(autouse=True)
def looking_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probes, "readiness", readiness.look)


@pytest.fixture
def broker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queue, "waiting_messages", lambda _: 0)


def test_the_sign_of_life_needs_no_login_and_no_database(client: Client) -> None:
    with connection.execute_wrapper(refused):
        answer = client.get(reverse("healthz"))
    assert (answer.status_code, answer.json()) == (HTTPStatus.OK, {"alive": True})


@override_settings(INSTANCE="an-instance")
def test_the_sign_of_life_says_whose_it_is(client: Client) -> None:
    assert client.get(reverse("healthz"))["X-Nnlab-Instance"] == "an-instance"


@pytest.mark.usefixtures("broker")
def test_ready_is_when_database_migrations_and_broker_are_well(client: Client) -> None:
    answer = client.get(reverse("readyz"))
    assert (answer.status_code, answer.json()) == (HTTPStatus.OK, WELL)
    assert "no-store" in answer["Cache-Control"]


@pytest.mark.usefixtures("broker")
def test_a_database_that_is_away_is_named_without_its_address(client: Client) -> None:
    with connection.execute_wrapper(refused):
        answer = client.get(reverse("readyz"))
    assert answer.status_code == HTTPStatus.SERVICE_UNAVAILABLE
    assert answer.json() == {
        "ready": False,
        "database": "does not answer; the log says why",
        "migrations": "unknown without the database",
        "broker": "ok",
    }


@pytest.mark.usefixtures("broker")
def test_a_missing_migration_is_named_with_what_mends_it(client: Client) -> None:
    MigrationRecorder(connection).record_unapplied("runs", "0016_present_attempts")
    answer = client.get(reverse("readyz"))
    assert answer.status_code == HTTPStatus.SERVICE_UNAVAILABLE
    assert answer.json()["migrations"] == (
        "1 missing, the first is runs.0016_present_attempts; run `nnlab prepare`"
    )


@pytest.mark.usefixtures("broker")
def test_a_database_that_is_ahead_of_the_code_is_well(client: Client) -> None:
    MigrationRecorder(connection).record_applied("runs", "9999_of_the_future")
    assert client.get(reverse("readyz")).json() == WELL


def test_a_broker_that_is_away_is_named(client: Client) -> None:
    answer = client.get(reverse("readyz"))  # the test run has none
    assert answer.status_code == HTTPStatus.SERVICE_UNAVAILABLE
    assert answer.json()["broker"] == "does not answer; runs can be submitted, and start when it is back"


def test_nobody_can_keep_database_and_broker_busy_by_asking(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[int] = []
    monkeypatch.setattr(queue, "waiting_messages", looks.append)
    monkeypatch.setattr(probes, "readiness", Recent(readiness.look, 60.0))
    for _ in range(3):
        client.get(reverse("readyz"))
    assert len(looks) == 1


@pytest.mark.parametrize("name", ["healthz", "readyz"])
def test_nothing_is_taken(client: Client, name: str) -> None:
    assert client.post(reverse(name)).status_code == HTTPStatus.METHOD_NOT_ALLOWED


def refused(*_: Any) -> Any:
    raise OperationalError("connection to server at db.test failed: FATAL: password authentication failed")
