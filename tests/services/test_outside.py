"""Programs outside at a running server, on either database: many at once, twice at once, too large."""

from __future__ import annotations

import http.client
import uuid
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.services.installation import Installation, installation
from tests.services.stores import postgresql

pytestmark = pytest.mark.services


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def site(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    folder: Path = tmp_path_factory.mktemp(request.param)
    with ExitStack() as stack:
        settings = {}
        if request.param == "postgresql":
            settings["DATABASE_URL"] = stack.enter_context(postgresql(folder / "postgres"))
        yield stack.enter_context(installation(folder / "home", **settings))


def begin(site: Installation, **more: Any) -> int:
    return int(site.request("POST", "runs", {"project": "outside", "name": "run", **more})["id"])


def items(steps: range) -> list[dict[str, Any]]:
    return [{"key": "loss", "value": 0.5, "step": step, "timestamp": step} for step in steps]


def test_a_batch_sent_twice_at_once_is_stored_once(site: Installation) -> None:
    run = begin(site)
    numbered = [
        {"writer": "w", "batch": batch, "metrics": items(range(batch, batch + 1))} for batch in range(20)
    ]
    unnumbered = [{"metrics": items(range(100 + place, 101 + place))} for place in range(20)]

    def send(body: dict[str, Any]) -> bool:
        return bool(site.request("POST", f"runs/{run}/log", body)["repeated"])

    with ThreadPoolExecutor(2) as threads:
        answers = [sorted(threads.map(send, [body, body])) for body in [*numbered, *unnumbered]]

    assert answers == [[False, True]] * 40
    steps, _ = site.series(run, "loss")
    assert steps == [*range(20), *range(100, 120)]


def test_many_writers_at_once_lose_nothing(site: Installation) -> None:
    run = begin(site)

    def write(writer: int) -> None:
        for batch in range(30):
            start = 1000 * batch
            body = {"writer": f"w{writer}", "batch": batch, "metrics": items(range(start, start + 1000))}
            assert site.request("POST", f"runs/{run}/log", body)["accepted"] == 1000

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(write, range(4)))
    site.request("POST", f"runs/{run}/end", {"status": "finished"})
    steps, _ = site.series(run, "loss")
    assert Counter(Counter(steps).values()) == {4: 30_000}
    assert steps == sorted(steps)


def test_beginning_twice_at_once_begins_one_run(site: Installation) -> None:
    for _ in range(5):
        name = str(uuid.uuid4())
        with ThreadPoolExecutor(4) as threads:
            runs = list(threads.map(lambda _, name=name: begin(site, client_id=name), range(4)))
        assert len(set(runs)) == 1


def test_runs_that_name_new_metrics_and_parameters_crosswise_do_not_wait_for_each_other(
    site: Installation,
) -> None:
    for turn in range(20):
        pair = begin(site), begin(site)
        names = [f"{turn} {place} {uuid.uuid4()}" for place in range(200)]
        crossed = [
            {
                "metrics": [{"key": name, "value": 0.5, "step": 1} for name in metrics],
                "params": [{"key": name, "value": 1} for name in parameters],
            }
            for metrics, parameters in ((names[:100], names[100:]), (names[100:], names[:100]))
        ]
        with ThreadPoolExecutor(2) as threads:
            log = threads.map(lambda run, body: site.request("POST", f"runs/{run}/log", body), pair, crossed)
            assert [answer.get("accepted") for answer in log] == [100, 100], turn


def test_a_run_goes_back_to_a_step_and_on_from_there(site: Installation) -> None:
    run = begin(site)
    site.request("POST", f"runs/{run}/log", {"metrics": items(range(1000))})
    site.request("POST", f"runs/{run}/end", {"status": "failed", "error": "no power"})
    assert site.request("POST", f"runs/{run}/resume", {"step": 499})["status"] == "running"
    site.request("POST", f"runs/{run}/log", {"metrics": items(range(500, 600))})
    assert site.series(run, "loss")[0] == list(range(600))


def test_a_request_to_stop_is_heard(site: Installation) -> None:
    run = begin(site)
    site.request("POST", f"runs/{run}/stop")
    assert site.request("POST", f"runs/{run}/beat", {}) == {"stop": True}
    answer = site.request("POST", f"runs/{run}/end", {"status": "cancelled"})
    assert (answer["status"], answer["stop_reason"]) == ("cancelled", "cancelled")


@pytest.mark.parametrize("megabytes", [2, 12])
def test_a_body_that_is_too_large_is_refused_and_the_connection_lives(
    site: Installation, megabytes: int
) -> None:
    run = begin(site)
    headers = {"Authorization": f"Bearer {site.token}", "Content-Type": "application/json"}
    line = http.client.HTTPConnection(urlsplit(site.address).netloc, timeout=30)
    for status, body in ((413, b" " * (megabytes * 2**20)), (200, b"{}")):
        line.request("POST", f"/api/runs/{run}/log", body, headers)
        answer = line.getresponse()
        assert (answer.status, b"stop" in answer.read()) == (status, status == 200)
    line.close()
