"""The web server of ``streams_program.py`` and its clients."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path
from threading import Lock
from time import monotonic, sleep
from typing import Any
from urllib.parse import urlencode
from urllib.request import urlopen

from tests.services.installation import CHECKOUT, clean_environment, free_port


@dataclass
class StreamServer:
    """A server of streams, with people who are signed in and a run that trains when it is told to."""

    port: int
    process: subprocess.Popen[str]
    log: Path
    cookies: list[str]
    run: int
    slug: str

    def __post_init__(self) -> None:
        self._lock = Lock()

    def tell(self, command: str) -> dict[str, Any]:
        """Give a command; what it says."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        with self._lock:
            self.process.stdin.write(f"{command}\n")
            self.process.stdin.flush()
            return dict(json.loads(self.process.stdout.readline()))

    def open(self, person: int = 0, **query: Any) -> Stream:
        """Open a stream as a browser does."""
        return Stream(self.port, self.cookies[person], query)

    def await_streams(self, wanted: int, timeout: float = 20) -> None:
        """Wait until the server holds so many streams."""
        deadline = monotonic() + timeout
        while (found := self.tell("streams")["streams"]) != wanted:
            assert monotonic() < deadline, f"the server holds {found} streams, expected {wanted}"
            sleep(0.1)


class Stream:
    """An open stream of events."""

    def __init__(self, port: int, cookie: str, query: dict[str, Any]) -> None:
        self._connection = HTTPConnection("127.0.0.1", port, timeout=30)
        target = f"/events?{urlencode(query, doseq=True)}"
        self._connection.request("GET", target, headers={"Cookie": f"sessionid={cookie}"})
        self._answer: HTTPResponse = self._connection.getresponse()
        self.status = self._answer.status

    def event(self) -> dict[str, str]:
        """Wait for the next event; empty at the end of the stream."""
        fields: dict[str, str] = {}
        while line := self._answer.readline().decode():
            name, _, value = line.rstrip("\n").partition(": ")
            if name:
                fields[name] = value
            elif "data" in fields:
                return fields
        return {}

    def close(self) -> None:
        """Hang up."""
        self._connection.close()
        self._answer.close()


@contextmanager
def stream_server(home: Path, people: int = 1, /, **settings: str) -> Iterator[StreamServer]:
    """Start the server in a data folder of its own; stop it at the end."""
    port, log = free_port(), home.parent / "streams.log"
    with log.open("w") as errors:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.services.streams_program", str(port), str(people)],
            cwd=CHECKOUT,
            env=clean_environment(home, DJANGO_SETTINGS_MODULE="nnlab.settings", **settings),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            assert line, log.read_text()
            said = json.loads(line)
            _await_answer(port)
            yield StreamServer(port, process, log, said["cookies"], said["run"], said["slug"])
        finally:
            process.terminate()
            process.wait(30)
            for pipe in (process.stdin, process.stdout):
                if pipe is not None:
                    pipe.close()


def _await_answer(port: int) -> None:
    deadline = monotonic() + 60
    while monotonic() < deadline:
        try:
            with urlopen(f"http://127.0.0.1:{port}/healthz", timeout=5):
                return
        except OSError:
            sleep(0.1)
    raise AssertionError("the server does not answer")
