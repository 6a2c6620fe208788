"""Every request has an id, a line in the log without what is private, and a part in the counts."""

from __future__ import annotations

import json
import logging
import logging.config
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from nnlab import logs, traffic
from runs.models import ApiToken
from tests.runs import builders

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def own_handlers() -> Iterator[None]:
    """Give the test run its own handlers back."""
    root = logging.getLogger()
    handlers = list(root.handlers)
    yield
    root.handlers[:] = handlers


class Log:
    """What is logged as JSON from now on."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys
        logging.config.dictConfig(logs.configuration("json", "INFO", []))

    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self._capsys.readouterr().err.splitlines()]


def count(route: str, status: int, method: str = "GET") -> float:
    samples = (sample for metric in traffic.counts() for sample in metric.samples)
    labels = {"route": route, "method": method, "status": str(status)}
    return sum(
        found.value
        for found in samples
        if found.name == "nnlab_http_requests_total" and found.labels == labels
    )


def test_a_page_is_one_line_with_its_user_and_without_its_query(
    client: Client, capsys: pytest.CaptureFixture[str]
) -> None:
    log = Log(capsys)
    user = builders.build_user()
    client.force_login(user)
    answer = client.get(reverse("workers"), {"token": "private"})
    (line,) = log.lines()
    assert (line["method"], line["path"], line["status"]) == ("GET", "/workers/", 200)
    assert line["duration_ms"] > 0
    assert line["user_id"] == user.pk
    assert line["request_id"] == answer[traffic.HEADER]
    assert "private" not in json.dumps(line)


def test_a_script_is_known_by_its_token_which_is_not_printed(
    client: Client, capsys: pytest.CaptureFixture[str]
) -> None:
    log = Log(capsys)
    user = builders.build_user()
    secret = ApiToken.issue(user.pk, "a script")
    client.get("/api/workers", headers={"Authorization": f"Bearer {secret}"})
    (line,) = log.lines()
    assert (line["user_id"], line["status"]) == (user.pk, 200)
    assert secret not in json.dumps(line)


def test_who_is_not_logged_in_leaves_no_user_of_an_earlier_request(
    client: Client, capsys: pytest.CaptureFixture[str]
) -> None:
    log = Log(capsys)
    client.force_login(builders.build_user())
    client.get(reverse("workers"))
    Client().get(reverse("login"))
    first, second = log.lines()
    assert "user_id" in first
    assert "user_id" not in second


@pytest.mark.parametrize("given", ["0123456789abcdef", "2b1d7c9e-8a3f-4c1e-9f0a-1c2d3e4f5a6b"])
def test_the_id_of_a_proxy_is_kept(client: Client, given: str) -> None:
    assert client.get(reverse("login"), headers={traffic.HEADER: given})[traffic.HEADER] == given


@pytest.mark.parametrize(
    "given", ["", "short", "x" * 65, "with space", "new\\nline1234", "<script>1234", "é" * 10]
)
def test_an_id_that_is_none_is_replaced(client: Client, given: str) -> None:
    found = client.get(reverse("login"), headers={traffic.HEADER: given})[traffic.HEADER]
    assert found != given
    assert len(found) == 32


def test_requests_are_counted_by_route_and_not_by_address(client: Client) -> None:
    client.force_login(builders.build_user())
    run, other = builders.build_run(), builders.build_run()
    before = count("run", 200)
    client.get(run.get_absolute_url())
    client.get(other.get_absolute_url())
    assert count("run", 200) == before + 2


def test_strangers_cannot_make_counts_of_their_own(client: Client) -> None:
    before = count("unmatched", 404), count("login", 405, "other")
    client.get("/no/such/page/1")
    client.get("/no/such/page/2")
    client.generic("BREW", reverse("login"))
    assert (count("unmatched", 404), count("login", 405, "other")) == (before[0] + 2, before[1] + 1)


def test_probes_are_not_in_the_log(client: Client, capsys: pytest.CaptureFixture[str]) -> None:
    log = Log(capsys)
    client.get(reverse("healthz"))
    assert log.lines() == []


def test_several_processes_of_a_web_server_count_together(tmp_path: Path) -> None:
    code = """
import django
django.setup()
from django.http import HttpResponse
from django.test import RequestFactory
from nnlab import traffic
answer = traffic.watched(lambda request: HttpResponse())
request = RequestFactory().get("/x")
request.resolver_match = None
answer(request)
found = [s.value for m in traffic.counts() for s in m.samples if s.name == "nnlab_http_requests_total"]
print(*found)
"""
    environment = {
        "PROMETHEUS_MULTIPROC_DIR": str(tmp_path),
        "NNLAB_HOME": str(tmp_path / "home"),
        "DJANGO_SETTINGS_MODULE": "nnlab.settings",
        "PATH": "",
    }
    told = [
        subprocess.run(
            [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
        )
        for _ in range(3)
    ]
    assert [one.stdout.strip() for one in told] == ["1.0", "2.0", "3.0"]
