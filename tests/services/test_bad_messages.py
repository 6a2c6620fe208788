"""Messages that come twice, or that are rubbish: no run is trained twice, and the worker lives."""

from __future__ import annotations

import base64
import json
import re
import sys
import time
from collections.abc import Iterator
from typing import Any

import pytest
from redis import Redis

from nnlab.home import broker_socket
from runs.queue import TRAIN_TASK
from tests.services.chaos.sites import Part
from tests.services.chaos.verdict import stored, tell
from tests.services.installation import Installation, installation

pytestmark = pytest.mark.services

LONG_RUN: dict[str, Any] = {
    "project": "tests",
    "name": "long",
    "data": {"dataset": "california_housing", "recipe": "lab6"},
    "training": {"hidden_units": [256, 256], "batch_size": 200, "steps": 20_000},
}
SHORT_RUN: dict[str, Any] = {"data": {"dataset": "iris"}, "training": {"depth": 1, "width": 8, "epochs": 5}}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    with installation(tmp_path_factory.mktemp("home")) as running:
        yield running


@pytest.fixture
def impatient(site: Installation) -> Iterator[None]:
    """A second worker, which takes messages for lost after seconds and lets them come again."""
    command = [sys.executable, "-m", "celery", "-A", "tests.services.impatient", "worker"]
    command += ["--queues", "cpu", "--concurrency", "1", "--hostname", "impatient@%h", "--loglevel", "INFO"]
    part = Part(command, site.environment, site.home / "logs" / "impatient.log")
    part.start()
    yield
    assert part.process is not None
    part.process.terminate()
    part.process.wait(30)


def queue(site: Installation) -> Redis:
    return Redis(unix_socket_path=str(broker_socket(site.home)))


def log(site: Installation) -> str:
    return "\n".join((site.home / "logs" / f"{name}.log").read_text() for name in ("worker", "impatient"))


@pytest.mark.usefixtures("impatient")
def test_a_message_that_comes_again_while_its_run_trains_trains_nothing_twice(site: Installation) -> None:
    tell(site, "watch")
    sweep = site.request("POST", "sweeps", LONG_RUN)
    (run_id,) = sweep["runs"]
    site.await_run(run_id, lambda run: run["steps_run"] > 0, 60)
    begun = time.monotonic()
    while not came_twice(log(site)):
        assert time.monotonic() - begun < 60, f"no message came again\n{site.logs()}"
        assert site.request("GET", f"runs/{run_id}")["status"] == "running"
        time.sleep(0.5)
    assert site.await_status(run_id, "finished", 180)["attempt"] == 1
    ((record,),) = stored(site, [sweep["id"]])
    assert [attempt["outcome"] for attempt in record.attempts] == ["finished"]
    assert len(set(record.writes)) == 1
    assert len(re.findall(rf"training .*together: {run_id}\b", log(site))) == 1


def came_twice(text: str) -> list[str]:
    """The tasks that were received more than once."""
    received = re.findall(r"Task [\w.]+\[([0-9a-f-]+)\] received", text)
    return [task for task in set(received) if received.count(task) > 1]


def message(task: str, arguments: object, number: int) -> str:
    """A message as Celery sends it."""
    body = base64.b64encode(json.dumps([arguments, {}, {}]).encode()).decode()
    headers = {"lang": "py", "task": task, "id": f"rubbish-{number}", "root_id": None, "retries": 0}
    delivery = {"exchange": "", "routing_key": "cpu"}
    properties = {"delivery_tag": f"rubbish-{number}", "delivery_info": delivery, "body_encoding": "base64"}
    return json.dumps(
        {
            "body": body,
            "content-encoding": "utf-8",
            "content-type": "application/json",
            "headers": headers,
            "properties": properties,
        }
    )


RUBBISH = {
    "an unknown task": message("runs.no_such_task", [1], 1),
    "too many arguments": message(TRAIN_TASK, ["cpu", 1, 2, 3], 2),
    "arguments of the wrong kind": message(TRAIN_TASK, [{"a": [None]}], 3),
    "no list of arguments": message(TRAIN_TASK, 17, 4),
    "a queue that does not exist": message(TRAIN_TASK, ["no such queue"], 5),
    "a run that does not exist": message(TRAIN_TASK, [987_654_321], 6),
    "16 MB": message(TRAIN_TASK, ["x" * 2**24], 7),
    "no body": '{"headers": {}, "properties": {"delivery_tag": "rubbish-8", "delivery_info": {}}}',
    "no message": '{"a": 1}',
    "no object": "[1, 2]",
    "no JSON": "rubbish",
    "no text": b"\xff\xfe\x00",
}


@pytest.mark.parametrize("rubbish", RUBBISH.values(), ids=RUBBISH.keys())
def test_a_worker_lives_through_rubbish_and_gets_rid_of_it(site: Installation, rubbish: str | bytes) -> None:
    (main,) = (pid for pid, worker in workers(site).items() if worker["state"] == "well")
    broker = queue(site)
    broker.lpush("cpu", rubbish)
    (run_id,) = site.submit(**SHORT_RUN)

    site.await_status(run_id, "finished", 40)

    deadline = time.monotonic() + 30
    while rubbish_left(broker):
        assert time.monotonic() < deadline, f"still there: {rubbish_left(broker)}\n{site.logs()}"
        time.sleep(0.2)
    assert [pid for pid, worker in workers(site).items() if worker["state"] == "well"] == [main]


def rubbish_left(broker: Redis) -> list[bytes | str]:
    """Messages that wait, or that a worker has and has not done with."""
    waiting = broker.lrange("cpu", 0, -1)
    return [*waiting, *broker.hvals("unacked")]


def workers(site: Installation) -> dict[int, dict[str, Any]]:
    return {worker["pid"]: worker for worker in site.request("GET", "workers")["workers"]}
