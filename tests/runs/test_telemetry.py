"""Metrics: each says what the database holds, in few queries, and only to who may know."""

from __future__ import annotations

import re
from datetime import timedelta
from http import HTTPStatus
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from django.db import OperationalError, connection
from django.db.models.functions import Now
from django.test import Client, override_settings
from django.urls import reverse
from django.utils import timezone
from prometheus_client.parser import text_string_to_metric_families
from pytest_django import DjangoAssertNumQueries

from runs import queue, retention, workers
from runs.models import ApiToken, Attempt, Ledger, Outcome, Queue, Run, Status, Sweep, Worker
from runs.telemetry import standing
from runs.telemetry.exposition import exposition
from tests.runs import builders

pytestmark = pytest.mark.django_db

MOST_QUERIES = 12  # of a scrape
DOCUMENT = Path(__file__).parents[2] / "docs" / "monitoring.md"
SECRET = "a-token-for-the-metrics"


@pytest.fixture(autouse=True)
def measured_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(standing, "measured", standing._measured)


@pytest.fixture(autouse=True)
def broker(monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """The messages that wait in each queue; empty where the broker is away."""
    messages = {"cpu": 3, "gpu": 0}
    monkeypatch.setattr(queue, "waiting_messages", messages.get)
    return messages


def scraped(name: str, **labels: str) -> float | None:
    """The value of one sample; None where there is none."""
    text = exposition("")[0].decode()
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            if sample.name == name and sample.labels == labels:
                return float(sample.value)
    return None


def build_worker(pid: int, **fields: Any) -> Worker:
    given = {"queues": ["cpu"], "concurrency": 2, "cores": 4, "versions": workers.code(), **fields}
    return Worker.objects.create(host="a", pid=pid, **given)


def build_attempt(run: Run, seconds: float | None, outcome: str = "finished", **fields: Any) -> Attempt:
    began = timezone.now() - timedelta(hours=2)
    given: dict[str, Any] = {"number": 1, "process": "a:1", "started_at": began, **fields}
    if seconds is not None:
        given |= {"outcome": outcome, "ended_at": given["started_at"] + timedelta(seconds=seconds)}
    return Attempt.objects.create(run=run, **given)


def test_runs_are_counted_by_queue_and_status_without_the_trash() -> None:
    builders.build_run()
    builders.build_run(queue=Queue.GPU)
    builders.build_finished_run()
    builders.build_finished_run(deleted_at=timezone.now())
    assert scraped("nnlab_runs", queue="cpu", status="queued") == 1
    assert scraped("nnlab_runs", queue="gpu", status="queued") == 1
    assert scraped("nnlab_runs", queue="cpu", status="finished") == 1
    assert scraped("nnlab_runs", queue="gpu", status="failed") == 0
    assert scraped("nnlab_queue_depth", queue="gpu") == 1


def test_the_age_of_a_queue_is_that_of_its_oldest_run_by_the_databases_clock() -> None:
    for minutes in (1, 10):
        builders.build_run(queued_at=timezone.now() - timedelta(minutes=minutes))
    builders.build_running_run(queued_at=timezone.now() - timedelta(minutes=60))
    age = scraped("nnlab_queue_oldest_seconds", queue="cpu")
    assert age == pytest.approx(600, abs=30)
    assert scraped("nnlab_queue_oldest_seconds", queue="gpu") == 0


def test_workers_are_counted_as_they_stand() -> None:
    workers.record_release()
    well = build_worker(1, queues=["cpu", "gpu"], memory_bytes=7_000)
    build_worker(2, seen_at=timezone.now() - timedelta(minutes=1))
    build_worker(3, versions={**workers.code(), "engine": "of-long-ago"})
    build_worker(4, ended_at=Now(), ending=Worker.Ending.STOPPED)
    build_attempt(builders.build_running_run(), None, worker=well)
    states = [
        scraped("nnlab_workers", queue="cpu", state=state) for state in ("well", "silent", "other code")
    ]
    assert states == [1, 1, 1]
    assert scraped("nnlab_workers", queue="gpu", state="silent") == 0
    assert scraped("nnlab_worker_processes", queue="cpu") == 2
    assert scraped("nnlab_worker_running_runs", worker="a:1") == 1
    assert scraped("nnlab_worker_running_runs", worker="a:2") == 0
    assert scraped("nnlab_worker_memory_bytes", worker="a:1") == 7_000
    assert scraped("nnlab_worker_running_runs", worker="a:4") is None


def test_a_lapsed_lease_shows_until_it_is_judged() -> None:
    builders.build_running_run()
    builders.build_running_run(lease_until=timezone.now() - timedelta(seconds=1), token=uuid4())
    assert scraped("nnlab_leases_lapsed") == 1


def test_attempts_are_counted_by_how_they_ended_and_spread_over_their_time() -> None:
    run = builders.build_finished_run()
    build_attempt(run, 30.0, "lost")
    build_attempt(run, 3.0, number=2)
    build_attempt(run, 70.0, number=3)
    build_attempt(builders.build_running_run(), None)
    build_attempt(builders.build_finished_run(), 5.0, process="")  # of a program outside
    assert scraped("nnlab_attempts_ended_total", outcome="finished") == 2
    assert scraped("nnlab_attempts_ended_total", outcome="lost") == 1
    assert scraped("nnlab_attempts_ended_total", outcome=Outcome.GIVEN_BACK) == 0
    under = {
        le: scraped("nnlab_attempt_seconds_bucket", outcome="finished", le=le)
        for le in ("1.0", "5.0", "60.0", "+Inf")
    }
    assert under == {"1.0": 0, "5.0": 1, "60.0": 1, "+Inf": 2}
    assert scraped("nnlab_attempt_seconds_sum", outcome="finished") == pytest.approx(73, abs=0.01)


def test_what_is_purged_does_not_lower_a_counter() -> None:
    run, other = builders.build_finished_run(), builders.build_finished_run()
    for one in (run, other):
        build_attempt(one, 30.0, "lost")
        build_attempt(one, 3.0, number=2)

    def figures() -> list[float | None]:
        return [
            scraped("nnlab_attempts_ended_total", outcome="lost"),
            scraped("nnlab_attempts_ended_total", outcome="finished"),
            scraped("nnlab_attempt_seconds_bucket", outcome="finished", le="5.0"),
            scraped("nnlab_attempt_seconds_sum", outcome="lost"),
            scraped("nnlab_start_wait_seconds_count"),
        ]

    before = figures()
    for one in (run, other):
        retention.discard(Run.objects.filter(pk=one.pk))
        retention.begin_purge(Run.objects.filter(pk=one.pk))
        retention.purge(60.0)
        assert figures() == pytest.approx(before)
    assert not Attempt.objects.exists()


def test_a_wait_is_that_from_the_submission_to_the_first_attempt() -> None:
    run = builders.build_finished_run()
    Sweep.objects.update(created_at=timezone.now() - timedelta(hours=3))
    build_attempt(run, 1.0)
    build_attempt(run, 1.0, number=2)
    assert scraped("nnlab_start_wait_seconds_count") == 1
    assert scraped("nnlab_start_wait_seconds_sum") == pytest.approx(3600, abs=30)


def test_alerts_points_and_bytes_are_told() -> None:
    run = builders.build_finished_run()
    builders.build_alert(run, severity="critical")
    builders.build_alert(run, "plateau", severity="warning", state="resolved", resolved_step=9)
    builders.build_series(run, "train_loss", [1.0, 2.0, 3.0])
    Ledger.objects.update_or_create(run=run, defaults={"stored_bytes": 400, "pending_points": 0})
    assert scraped("nnlab_alerts_open", severity="critical") == 1
    assert scraped("nnlab_alerts_open", severity="warning") == 0
    assert scraped("nnlab_points_stored") == 3
    assert scraped("nnlab_chunk_bytes") == 400


def test_a_scrape_costs_as_much_with_many_runs_as_with_none(
    django_assert_max_num_queries: DjangoAssertNumQueries,
) -> None:
    with django_assert_max_num_queries(MOST_QUERIES):
        exposition("")
    for pid in range(5):
        worker = build_worker(pid)
        build_attempt(builders.build_running_run(), None, worker=worker)
        build_attempt(builders.build_finished_run(), 1.0)
    with django_assert_max_num_queries(MOST_QUERIES):
        exposition("")


def test_a_database_that_is_away_is_told_and_the_rest_as_well() -> None:
    def refused(*_: Any) -> Any:
        raise OperationalError("the connection was refused")

    with connection.execute_wrapper(refused):
        assert scraped("nnlab_database_up") == 0
        assert scraped("nnlab_broker_messages", queue="cpu") == 3
        assert scraped("nnlab_runs", queue="cpu", status="queued") is None
    assert scraped("nnlab_database_up") == 1


def test_a_broker_that_is_away_is_told(broker: dict[str, int]) -> None:
    assert scraped("nnlab_broker_up") == 1
    broker.clear()
    assert scraped("nnlab_broker_up") == 0
    assert scraped("nnlab_broker_messages", queue="cpu") is None


def test_what_runs_is_told_and_requests_are_counted(client: Client) -> None:
    client.get(reverse("login"))
    assert scraped("nnlab_build_info", **workers.code()) == 1
    assert scraped("nnlab_http_requests_total", route="login", method="GET", status="200")


def ask(client: Client, token: str = "") -> Any:
    return client.get(reverse("metrics"), headers={"Authorization": f"Bearer {token}"} if token else {})


def test_nobody_gets_metrics_without_a_token(client: Client) -> None:
    client.force_login(builders.build_user("view_worker"))
    for token in ("", "nnlab_none", SECRET):
        answer = ask(client, token)
        assert answer.status_code == HTTPStatus.UNAUTHORIZED
        assert answer["WWW-Authenticate"] == "Bearer"
        assert b"nnlab_runs" not in answer.content


def test_a_token_needs_the_right_of_its_user_who_is_active(client: Client) -> None:
    allowed, other = builders.build_user("view_worker"), builders.build_user("submit_sweep")
    mine, theirs = (ApiToken.issue(user.pk, "scrape") for user in (allowed, other))
    assert ask(client, theirs).status_code == HTTPStatus.FORBIDDEN
    answer = ask(client, mine)
    assert answer.status_code == HTTPStatus.OK
    assert answer["Content-Type"].startswith("text/plain; version=0.0.4")
    assert b"nnlab_runs" in answer.content
    assert ApiToken.objects.get(user=allowed).last_used_at is not None
    allowed.is_active = False
    allowed.save()
    assert ask(client, mine).status_code == HTTPStatus.UNAUTHORIZED


@override_settings(METRICS_TOKEN=SECRET)
def test_the_token_of_the_settings_opens_the_metrics_alone_and_without_a_database(client: Client) -> None:
    def refused(*_: Any) -> Any:
        raise OperationalError("the connection was refused")

    with connection.execute_wrapper(refused):
        answer = ask(client, SECRET)
        assert ask(client, "another-token").status_code == HTTPStatus.SERVICE_UNAVAILABLE
    assert b"nnlab_database_up 0.0" in answer.content
    api = client.get("/api/workers", headers={"Authorization": f"Bearer {SECRET}"})
    assert api.status_code == HTTPStatus.UNAUTHORIZED


def test_statuses_that_are_known_are_all_told() -> None:
    assert all(scraped("nnlab_runs", queue="cpu", status=status) == 0 for status in Status.values)


def test_the_documentation_names_every_metric_and_none_that_is_not_there(client: Client) -> None:
    client.get(reverse("login"))
    build_worker(1)
    build_attempt(builders.build_finished_run(), 1.0)
    families = list(text_string_to_metric_families(exposition("")[0].decode()))
    samples = {sample.name for family in families for sample in family.samples}
    told = set(re.findall(r"nnlab_[a-z_]+", DOCUMENT.read_text(encoding="utf-8")))
    plain = {name for name in samples if not name.endswith(("_bucket", "_sum", "_count", "_created"))}
    histograms = {family.name for family in families if family.type == "histogram"}
    assert told == plain | histograms
