"""A whole installation in a folder of its own, started as a user starts it and spoken to over HTTP."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

CHECKOUT = Path(__file__).parents[2]
START_TIMEOUT = 120.0


@dataclass
class Installation:
    """A running ``nnlab up``."""

    home: Path
    environment: Mapping[str, str]
    process: subprocess.Popen[bytes]
    address: str
    token: str

    def request(self, method: str, path: str, payload: object = None) -> Any:
        """Ask the API; the answer's JSON, whatever its status."""
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
        body = None if payload is None else json.dumps(payload).encode()
        request = Request(f"{self.address}api/{path}", data=body, headers=headers, method=method)
        try:
            with urlopen(request, timeout=120) as answer:
                return json.load(answer)
        except HTTPError as error:
            return json.load(error)

    def answers(self) -> bool:
        """Whether the API answers; without its database it cannot."""
        try:
            return "workers" in self.request("GET", "workers")
        except (OSError, ValueError):
            return False

    def submit(self, **specification: Any) -> list[int]:
        """Submit a sweep; the ids of its runs."""
        answer = self.request("POST", "sweeps", {"project": "tests", "name": "test", **specification})
        assert "runs" in answer, answer
        return list(answer["runs"])

    def await_run(self, run_id: int, reached: Callable[[Mapping[str, Any]], bool], timeout: float) -> Any:
        """Wait until a run is as wanted; the run."""
        deadline = time.monotonic() + timeout
        while True:
            run = self.request("GET", f"runs/{run_id}")
            if reached(run):
                return run
            assert time.monotonic() < deadline, f"after {timeout} s the run is {run}\n{self.logs()}"
            time.sleep(0.2)

    def await_status(self, run_id: int, status: str, timeout: float = 60) -> Any:
        """Wait until a run has a status; the run."""
        return self.await_run(run_id, lambda run: run["status"] == status, timeout)

    def series(self, run_id: int, metric: str) -> tuple[list[int], list[float]]:
        """All points of a run-wide metric."""
        (found,) = self.request("GET", f"runs/{run_id}/series?metric={metric}")
        return found["steps"], found["values"]

    def count_of(self, run_id: int, metric: str) -> tuple[int, int, int]:
        """How many points a run-wide metric has, however many, and its first and last step."""
        (found,) = self.request("GET", f"series?runs={run_id}&metrics={metric}&format=lists")["series"]
        end = self.request("GET", f"runs/{run_id}/series?metric={metric}&after={found['steps'][-1] - 1}")[0]
        counts = found.get("counts") or [1] * len(found["steps"])
        return sum(counts), found["steps"][0], end["steps"][-1]

    def processes(self, words: str = "") -> list[int]:
        """The processes of this installation whose command line has these words."""
        mark = f"NNLAB_HOME={self.home}".encode()
        return [
            pid
            for pid, command, environ, folder in _processes()
            # The broker writes its title over its environment, and works in the data folder.
            if words in command and (mark in environ or folder.is_relative_to(self.home))
        ]

    def interrupt(self, timeout: float = 20) -> int:
        """Press Ctrl-C; the exit code."""
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(timeout)

    def logs(self) -> str:
        """The ends of all logs, for a failing test."""
        return "\n".join(
            f"== {log.name}\n{log.read_text()[-2000:]}" for log in (self.home / "logs").glob("*.log")
        )


@contextmanager
def installation(home: Path, **settings: str) -> Iterator[Installation]:
    """Start ``nnlab up`` on a free port, with a token for its administrator; stop it at the end."""
    environment = clean_environment(home, **settings)
    port = free_port()
    output = (home / "up.log").open("wb")
    process = subprocess.Popen(
        [sys.executable, "-m", "nnlab", "up", "--port", str(port), "--workers", "2"],
        cwd=CHECKOUT,
        env=environment,
        stdout=output,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    site = Installation(home, environment, process, f"http://127.0.0.1:{port}/", "")
    try:
        _await_answer(site)
        site.token = nnlab(environment, "token", "admin", "tests").strip()
        yield site
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
            process.wait(30)
        output.close()


def clean_environment(home: Path, **settings: str) -> dict[str, str]:
    """The environment of an installation: nothing of the test run's own."""
    home.mkdir(parents=True, exist_ok=True)
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("NNLAB", "DJANGO"))}
    return {**kept, "NNLAB_HOME": str(home), "XDG_RUNTIME_DIR": "", **settings}


def nnlab(environment: Mapping[str, str], *command: str) -> str:
    """Run one command of the installation; its output."""
    done = subprocess.run(
        [sys.executable, "-m", "nnlab", *command],
        cwd=CHECKOUT,
        env=dict(environment),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def free_port() -> int:
    """A TCP port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _await_answer(site: Installation) -> None:
    deadline = time.monotonic() + START_TIMEOUT
    while time.monotonic() < deadline:
        assert site.process.poll() is None, (site.home / "up.log").read_text()
        try:
            with urlopen(f"{site.address}healthz", timeout=5):
                return
        except OSError:
            time.sleep(0.2)
    raise AssertionError(
        f"no answer in {START_TIMEOUT} s\n{(site.home / 'up.log').read_text()}\n{site.logs()}"
    )


def _processes() -> Iterator[tuple[int, str, bytes, Path]]:
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            environ, working = (folder / "environ").read_bytes(), (folder / "cwd").readlink()
        except OSError:  # it ended, or it is somebody else's
            continue
        yield int(folder.name), command, environ, working
