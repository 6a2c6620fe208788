"""PgBouncer between a crew and PostgreSQL: many clients over few connections, a transaction at a time."""

from __future__ import annotations

import getpass
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

import psycopg

from tests.services.installation import free_port

POOL = 20  # connections to PostgreSQL

_SETTINGS = """\
[databases]
* = host={host} port={port} user={user}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {own}
unix_socket_dir =
auth_type = any
pool_mode = transaction
max_client_conn = 2000
default_pool_size = {pool}
ignore_startup_parameters = extra_float_digits,options
logfile = {folder}/pgbouncer.log
"""


def is_there() -> bool:
    """Whether the program is installed."""
    return shutil.which("pgbouncer") is not None


@contextmanager
def bouncer(address: str, folder: Path) -> Iterator[str]:
    """Serve a pool before a PostgreSQL server; the address to use in its place."""
    parts = urlsplit(address)
    options = parse_qs(parts.query)
    host = options.get("host", [unquote(parts.hostname or "")])[0]
    port = options.get("port", [str(parts.port or 5432)])[0]
    user, own = parts.username or "postgres", free_port()
    text = _SETTINGS.format(host=host, port=port, user=user, own=own, pool=POOL, folder=folder)
    settings = folder / "pgbouncer.ini"
    settings.write_text(text)
    command = ["pgbouncer", *_as_owner_of(Path(host), folder), str(settings)]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    pooled = f"postgres://{user}@127.0.0.1:{own}{parts.path}"
    try:
        _await(pooled)
        yield pooled
    finally:
        process.terminate()
        process.wait(10)


def _as_owner_of(sockets: Path, folder: Path) -> list[str]:
    """Name PostgreSQL's own user, whose sockets it has to reach: as root it refuses to run."""
    if getpass.getuser() != "root":
        return []
    shutil.chown(folder, sockets.owner())
    return ["--user", sockets.owner()]


def _await(address: str) -> None:
    deadline = time.monotonic() + 10
    while True:
        try:
            psycopg.connect(address).close()
        except psycopg.OperationalError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)
        else:
            return
