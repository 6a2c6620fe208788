"""The servers of the comparison, on the CPU that contenders leave: MLflow's, ours, and PostgreSQL."""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.error import URLError
from urllib.request import urlopen

from tests.benchmarks.pipes import ROOT, ContenderError
from tests.benchmarks.series.contender import cpu_seconds
from tests.benchmarks.series.environments import python_of
from tests.benchmarks.series.places import LOGS, STORES
from tests.benchmarks.series.processes import bind, cpus, environment
from tests.services.installation import free_port
from tests.services.stores import postgresql

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

START_TIMEOUT = 120.0  # seconds; MLflow makes its tables first


@dataclass(frozen=True)
class Server:
    """A server at work.

    Args:
        token: ours to authenticate with; MLflow's server asks for none.
    """

    address: str
    pid: int
    token: str = ""

    def cpu(self) -> float:
        """Give the CPU seconds that it has taken so far."""
        return cpu_seconds(self.pid)


@contextmanager
def mlflow_server(folder: Path, database: str = "") -> Iterator[Server]:
    """Serve MLflow with one worker, its own SQLite file where no database is named."""
    port = free_port()
    command = [
        str(python_of("mlflow")), "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port),
        "--workers", "1", "--backend-store-uri", database or f"sqlite:///{folder}/mlflow.db",
        "--default-artifact-root", str(folder / "artifacts"),
    ]  # fmt: skip
    wanted = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_DISABLE_TELEMETRY": "true"}
    python = python_of("mlflow").parent
    variables = environment(folder) | wanted | {"PATH": f"{python}:{os.environ['PATH']}"}
    with _serving(command, folder, variables, f"http://127.0.0.1:{port}", "/health") as pid:
        yield Server(f"http://127.0.0.1:{port}", pid)


@contextmanager
def nnlab_server(folder: Path, database: str = "") -> Iterator[Server]:
    """Serve nnlab as its installation does: one uvicorn process, a token asked for with every request."""
    folder.mkdir(parents=True, exist_ok=True)
    port = free_port()
    variables = environment(folder) | {"NNLAB_HOME": str(folder / "nnlab")}
    variables |= {"NNLAB_ADMIN_PASSWORD": secrets.token_urlsafe(), "NNLAB_LOG_LEVEL": "WARNING"}
    if database:
        variables["DATABASE_URL"] = database
    nnlab = [sys.executable, "-m", "nnlab"]
    subprocess.run([*nnlab, "prepare"], cwd=ROOT, env=variables, check=True, capture_output=True)
    issued = subprocess.run(
        [*nnlab, "token", "admin", "benchmark"], cwd=ROOT, env=variables, check=True, capture_output=True,
        text=True,
    )  # fmt: skip
    command = [sys.executable, "-m", "uvicorn", "nnlab.asgi:application", "--host", "127.0.0.1"]
    command += ["--port", str(port), "--no-access-log", "--lifespan", "off"]
    with _serving(command, folder, variables, f"http://127.0.0.1:{port}", "/healthz") as pid:
        yield Server(f"http://127.0.0.1:{port}", pid, issued.stdout.strip())


@contextmanager
def postgres(names: Sequence[str]) -> Iterator[dict[str, str]]:
    """Start PostgreSQL with an empty database for each name; give their addresses."""
    import psycopg  # noqa: PLC0415 - only where PostgreSQL is asked for

    folder = STORES / "postgresql"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    with _on_servers_cpu():
        server = postgresql(folder)
        address = server.__enter__()
    try:
        with psycopg.connect(address, autocommit=True) as connection:
            for name in names:
                connection.execute(f'CREATE DATABASE "{name}"')
        yield {name: _with_database(address, name) for name in names}
    finally:
        server.__exit__(None, None, None)


def _with_database(address: str, name: str) -> str:
    """Name another database of the same server; MLflow's with the driver that its environment has."""
    before, mark, options = address.partition("?")
    if name.startswith("mlflow"):
        before = before.replace("postgres://", "postgresql+psycopg2://")
    return f"{before.rpartition('/')[0]}/{name}{mark}{options}"


@contextmanager
def _serving(
    command: Sequence[str], folder: Path, variables: Mapping[str, str], address: str, path: str
) -> Iterator[int]:
    folder.mkdir(parents=True, exist_ok=True)
    LOGS.mkdir(parents=True, exist_ok=True)
    log = LOGS / f"{folder.name}-server.log"
    with log.open("wb") as stream, _on_servers_cpu():
        process = subprocess.Popen(command, cwd=ROOT, env=variables, stdout=stream, stderr=stream)
    try:
        _await_answer(process, address + path, log)
        yield process.pid
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _await_answer(process: subprocess.Popen[bytes], address: str, log: Path) -> None:
    deadline = time.monotonic() + START_TIMEOUT
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urlopen(address, timeout=5):
                return
        except (URLError, OSError):
            time.sleep(0.2)
    said = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    raise ContenderError(f"its server gave no answer: {said[-1] if said else 'nothing said'} ({log.name})")


@contextmanager
def _on_servers_cpu() -> Iterator[None]:
    before = os.sched_getaffinity(0)
    bind(cpus()[1])
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)
