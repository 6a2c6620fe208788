"""What workers cost PostgreSQL, at several numbers of them; see ``poe bench-scale``.

Crews of workers that do not train do to a real PostgreSQL what workers do to it. What counts is the CPU time
of the server, which is the same on a busy machine and an idle one, its memory by connection, and the bytes
that it writes; from these follows what a thousand workers need.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median, quantiles
from time import monotonic
from typing import Any

import psycopg

from tests.benchmarks.jobs import bouncer
from tests.services.installation import CHECKOUT, clean_environment, nnlab
from tests.services.stores import Postgresql, postgresql_server

RESULTS = Path(__file__).parent / "scale.json"
CREWS = (10, 30, 100)
SECONDS = 40.0
CREW = 50  # workers in a process of the simulation, which shares one interpreter
CONNECTIONS = 400
SWEEP = {
    "project": "scale",
    "name": "runs for the crew",
    "data": {"dataset": "digits"},
    "training": {"hidden_units": [16], "steps": 5_000_000},
    "grid": {"learning_rate": [0.001 * (number + 1) for number in range(10)]},
    "seeds": 100,
}
_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")


def main() -> int:
    """Let crews of several sizes work, print a line for each, keep the results; 1 where any work failed."""
    parser = argparse.ArgumentParser(prog="tests.benchmarks.jobs.scale", description=__doc__)
    parser.add_argument("--crews", type=int, nargs="*", default=list(CREWS), help="numbers of workers")
    parser.add_argument("--seconds", type=float, default=SECONDS, help="that each crew works")
    arguments = parser.parse_args()
    with (
        tempfile.TemporaryDirectory(prefix="nnlab-scale-") as folder,
        postgresql_server(Path(folder) / "postgres") as server,
    ):
        environment = _prepared(server, Path(folder))
        found = [_measured(server, environment, crew, arguments.seconds) for crew in arguments.crews]
        if bouncer.is_there():
            pool = Path(folder) / "pool"
            pool.mkdir()
            with bouncer.bouncer(server.address, pool) as pooled:
                through = {**environment, "DATABASE_URL": pooled}
                last = _measured(server, through, arguments.crews[-1], arguments.seconds)
            found.append({**last, "pool": bouncer.POOL})
        else:
            print("no pgbouncer on PATH: the pool is not measured", flush=True)
    for one in found:
        print(json.dumps(one), flush=True)
    RESULTS.write_text(json.dumps({"machine": platform.platform(), "crews": found}, indent=1))
    return int(any(one["errors"] for one in found))


def _prepared(server: Postgresql, folder: Path) -> dict[str, str]:
    with psycopg.connect(server.address, autocommit=True) as admin:
        admin.execute(f"ALTER SYSTEM SET max_connections = {CONNECTIONS}")
    server.stop()
    server.start()
    environment = clean_environment(folder / "home", DATABASE_URL=server.address)
    nnlab(environment, "prepare", "--no-static")
    sweep = folder / "sweep.json"
    sweep.write_text(json.dumps(SWEEP))
    nnlab(environment, "submit", str(sweep))
    return environment


def _measured(server: Postgresql, environment: dict[str, str], crew: int, seconds: float) -> dict[str, Any]:
    """Let a crew work; give what the server's processes took of CPU, memory and log."""
    with psycopg.connect(server.address, autocommit=True) as admin:
        log, cpu, begun = _log_bytes(admin), _cpu(server), monotonic()
        parts = [min(CREW, crew - start) for start in range(0, crew, CREW)]
        programs = [_program(environment, part, seconds) for part in parts]
        memory = _memory_soon(server, admin, crew, begun)
        answers = [json.loads(program.communicate()[0].splitlines()[-1]) for program in programs]
        wall = monotonic() - begun
        cpu, log = _cpu(server) - cpu, _log_bytes(admin) - log
    took: dict[str, list[float]] = {}
    for answer in answers:
        for what, times in answer["took"].items():
            took.setdefault(what, []).extend(times)
    flushes = len(took["flush"])
    return {
        "workers": crew,
        "flushes_a_second": round(flushes / wall, 1),
        "server_cpu_ms_a_worker_second": round(1000 * cpu / flushes, 2),
        "write_ahead_log_bytes_a_worker_second": round(log / flushes),
        "server_mb_a_connection": round(memory, 2),
        "milliseconds": {what: _spread(times) for what, times in sorted(took.items())},
        "errors": sorted({error for answer in answers for error in answer["errors"]}),
    }


def _program(environment: dict[str, str], workers: int, seconds: float) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.benchmarks.jobs.crew", str(workers), str(seconds)]
    return subprocess.Popen(command, cwd=CHECKOUT, env=environment, stdout=subprocess.PIPE, text=True)


def _spread(times: list[float]) -> dict[str, float]:
    worst = quantiles(times, n=100)[98] if len(times) > 1 else times[0]
    return {"median": round(1000 * median(times), 1), "p99": round(1000 * worst, 1)}


def _cpu(server: Postgresql) -> float:
    """Give the CPU seconds of the server's processes, those that have ended among them."""
    ticks = 0
    for pid in (_postmaster(server), *_children(server)):
        fields = (Path("/proc") / str(pid) / "stat").read_text().rpartition(")")[2].split()
        ticks += sum(map(int, fields[11:15] if pid == _postmaster(server) else fields[11:13]))
    return ticks / _TICKS


def _memory_soon(server: Postgresql, admin: psycopg.Connection[Any], crew: int, begun: float) -> float:
    """Wait until all are connected; give the private megabytes of a connection, in the middle."""
    statement = "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'"
    while monotonic() - begun < SECONDS / 2:
        row = admin.execute(statement).fetchone()
        if row and row[0] > crew:
            break
    found = admin.execute(
        "SELECT pid FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
    )
    return median(_private_mb(pid) for (pid,) in found.fetchall())


def _private_mb(pid: int) -> float:
    pages = (Path("/proc") / str(pid) / "statm").read_text().split()
    return (int(pages[1]) - int(pages[2])) * _PAGE / 2**20


def _postmaster(server: Postgresql) -> int:
    return int((Path(server.server.pgdata) / "postmaster.pid").read_text().split()[0])


def _children(server: Postgresql) -> list[int]:
    postmaster = _postmaster(server)
    return [int(pid) for pid in Path(f"/proc/{postmaster}/task/{postmaster}/children").read_text().split()]


def _log_bytes(admin: psycopg.Connection[Any]) -> int:
    row = admin.execute("SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')").fetchone()
    return int(row[0]) if row else 0


if __name__ == "__main__":
    sys.exit(main())
