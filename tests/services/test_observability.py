"""What a running installation logs: every line is JSON, says what it is about, and holds no secret."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pytest

from tests.services.installation import Installation, installation

pytestmark = pytest.mark.services

SHORT_RUN = {"data": {"dataset": "iris"}, "training": {"depth": 1, "width": 8, "epochs": 5}}
PASSWORD = "the-password-of-the-tests"


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
    assert [line for line in worker if line["logger"] == "celery.app.trace"]
    (line,) = (line for line in web if line.get("request_id") == "of-a-proxy-1")
    assert (line["path"], line["status"]) == ("/accounts/login/", 200)
    assert [line for line in web if line["logger"] == "uvicorn.error"]
    assert not [secret for secret in (PASSWORD, site.token, "secret=x") if secret in logs]
