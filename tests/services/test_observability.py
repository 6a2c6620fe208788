"""What a running installation tells: logs that name what they are about, and no secret; metrics; health."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

from tests.services.installation import Installation, installation
from tests.services.stores import PASSWORD as STORES_PASSWORD
from tests.services.stores import broker, postgresql_server

pytestmark = pytest.mark.services

SHORT_RUN = {"data": {"dataset": "iris"}, "training": {"depth": 1, "width": 8, "epochs": 5}}
PASSWORD = "the-password-of-the-tests"
TOKEN = "a-token-for-the-metrics-of-the-tests"


def lines(site: Installation, name: str) -> list[dict[str, Any]]:
    """The lines of a process's log; what Celery says itself while it stops is plain text."""
    text = (site.home / "logs" / f"{name}.log").read_text()
    return [json.loads(line) for line in text.splitlines()]


def test_lines_say_which_run_task_and_request_they_are_about(tmp_path: Path) -> None:
    with installation(tmp_path, NNLAB_LOG="json", NNLAB_ADMIN_PASSWORD=PASSWORD) as site:
        (run_id,) = site.submit(**SHORT_RUN)
        site.await_status(run_id, "finished")
        request = Request(f"{site.address}accounts/login/?secret=x", headers={"X-Request-ID": "of-a-proxy-1"})
        with urlopen(request) as answer:
            assert answer.headers["X-Request-ID"] == "of-a-proxy-1"
        worker, web = lines(site, "worker"), lines(site, "web")
        lines(site, "scheduler")
        (attempt,) = site.request("GET", f"runs/{run_id}/attempts")
        logs = "".join(log.read_text() for log in (site.home / "logs").glob("*.log"))

    about = [line for line in worker if run_id in line.get("run_ids", [])]
    assert about
    assert {line["worker"] for line in about} == {attempt["process"]}
    assert len({line["task_id"] for line in about}) == 1
    assert [line["attempt"] for line in about if line["event"].startswith("training")] == [1]
    assert [line for line in worker if line["logger"] == "celery.app.trace"]
    (line,) = (line for line in web if line.get("request_id") == "of-a-proxy-1")
    assert (line["path"], line["status"]) == ("/accounts/login/", 200)
    assert [line for line in web if line["logger"] == "uvicorn.error"]
    assert not [secret for secret in (PASSWORD, site.token, "secret=x") if secret in logs]


def ask(site: Installation, path: str) -> tuple[int, str]:
    request = Request(f"{site.address}{path}", headers={"Authorization": f"Bearer {TOKEN}"})
    try:
        with urlopen(request, timeout=30) as answer:
            return answer.status, answer.read().decode()
    except HTTPError as error:
        return error.code, error.read().decode()


def await_answer(site: Installation, path: str, status: int) -> str:
    deadline = time.monotonic() + 60
    while True:
        found, text = ask(site, path)
        if found == status:
            return text
        assert time.monotonic() < deadline, f"{path} answers {found}: {text}"
        time.sleep(0.5)


def test_a_deployment_is_scraped_and_says_when_its_database_is_away(tmp_path: Path) -> None:
    with (
        postgresql_server(tmp_path / "postgres") as database,
        broker(tmp_path) as redis_url,
        installation(
            tmp_path / "home", DATABASE_URL=database.address, REDIS_URL=redis_url, NNLAB_METRICS_TOKEN=TOKEN
        ) as site,
    ):
        (run_id,) = site.submit(**SHORT_RUN)
        site.await_status(run_id, "finished")
        assert json.loads(await_answer(site, "readyz", 200))["ready"]
        _, text = ask(site, "metrics")
        for line in (
            'nnlab_runs{queue="cpu",status="finished"} 1.0',
            'nnlab_attempts_ended_total{outcome="finished"} 1.0',
            'nnlab_workers{queue="cpu",state="well"} 1.0',
            "nnlab_start_wait_seconds_count 1.0",
            "nnlab_broker_up 1.0",
            "nnlab_database_up 1.0",
        ):
            assert f"{line}\n" in text
        database.stop()
        try:
            told = json.loads(await_answer(site, "readyz", 503))
            assert told["database"] == "does not answer; the log says why"
            assert ask(site, "healthz")[0] == 200
            assert "nnlab_database_up 0.0\n" in ask(site, "metrics")[1]
        finally:
            database.start()
        await_answer(site, "readyz", 200)
        logs = "".join(log.read_text() for log in (site.home / "logs").glob("*.log"))
        assert not [secret for secret in (TOKEN, STORES_PASSWORD) if secret in logs]
