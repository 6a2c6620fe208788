"""Ten thousand queued runs: submitted, looked at, begun and cancelled; see ``poe bench-jobs``.

Everything is measured on a whole installation with two worker processes, over HTTP, on SQLite and on
PostgreSQL. The runs are small networks that would train for minutes, so that none ends by itself.
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from time import monotonic, perf_counter, sleep
from typing import Any

from tests.benchmarks.jobs.browsing import Visitor
from tests.services.installation import Installation, installation
from tests.services.stores import postgresql

RESULTS = Path(__file__).parent / "results.json"
RUNS = 10_000
PASSWORD = "the-password-of-the-benchmark"
PAGES = {"queue page": "queue/", "home page": "", "runs table": "p/benchmark/"}
TARGETS = {"submission": 10.0, "queue page": 0.2, "first run starts": 2.0, "cancelled sweep stops": 5.0}
SWEEP = {
    "project": "benchmark",
    "name": "ten thousand runs",
    "data": {"dataset": "digits"},
    "training": {"hidden_units": [16], "batch_size": 32, "steps": 5_000_000},
}


def main() -> int:
    """Measure on both databases, or on the named one; 1 where a target is missed."""
    parser = argparse.ArgumentParser(prog="tests.benchmarks.jobs", description=__doc__)
    parser.add_argument("databases", nargs="*", choices=["sqlite", "postgresql", []], help="both by default")
    parser.add_argument("--rounds", type=int, default=3, help="whole rounds; the medians count (default 3)")
    parser.add_argument("--runs", type=int, default=RUNS, help="to queue (default 10,000)")
    arguments = parser.parse_args()
    found: dict[str, dict[str, float]] = {}
    for name in arguments.databases or ["sqlite", "postgresql"]:
        rounds = [measured(name, arguments.runs) for _ in range(arguments.rounds)]
        found[name] = {what: median(one[what] for one in rounds) for what in rounds[0]}
        for what, seconds in found[name].items():
            print(f"{name:10} {what:22} {seconds:8.3f} s  {_verdict(what, seconds)}", flush=True)
    RESULTS.write_text(
        json.dumps({"machine": platform.platform(), "runs": arguments.runs, **found}, indent=1)
    )
    return int(any(found[name][what] > limit for name in found for what, limit in TARGETS.items()))


def measured(database: str, runs: int) -> dict[str, float]:
    """Give the seconds that everything took in a fresh installation."""
    with _site(database, runs) as site:
        visitor = Visitor(site.address, "admin", PASSWORD)
        begun = perf_counter()
        answer = site.request("POST", "sweeps", {**SWEEP, **_axes(runs)})
        submission = perf_counter() - begun
        first = _until(lambda: _count(site, "running") > 0)
        pages = {name: _page_time(visitor, path) for name, path in PAGES.items()}
        begun = perf_counter()
        visitor.post(f"sweeps/{answer['id']}/stop/", form="queue/", confirmed="yes", next="/queue/")
        return {
            "submission": submission,
            "first run starts": first,
            **pages,
            "cancelling": perf_counter() - begun,
            "cancelled sweep stops": perf_counter() - begun + _until(lambda: not _going_on(site)),
        }


@contextmanager
def _site(database: str, runs: int) -> Iterator[Installation]:
    with tempfile.TemporaryDirectory(prefix="nnlab-jobs-") as folder:
        home = Path(folder)
        settings = {
            "NNLAB_MAX_RUNS_PER_SWEEP": str(runs),
            "NNLAB_ADMIN_PASSWORD": PASSWORD,
            "OPENBLAS_NUM_THREADS": "1",
        }
        if database == "sqlite":
            with installation(home / "home", **settings) as site:
                yield site
            return
        with (
            postgresql(home / "postgres") as address,
            installation(home / "home", DATABASE_URL=address, **settings) as site,
        ):
            yield site


def _axes(runs: int) -> dict[str, Any]:
    """A grid of learning rates with a hundred seeds each."""
    rates = [0.001 * (number + 1) for number in range(max(1, runs // 100))]
    return {"grid": {"learning_rate": rates}, "seeds": min(runs, 100)}


def _page_time(visitor: Visitor, path: str) -> float:
    """Give the median of nine visits, the first of which warms up."""
    return median([visitor.fetch(path)[0] for _ in range(10)][1:])


def _going_on(site: Installation) -> int:
    return _count(site, "running") + _count(site, "queued")


def _count(site: Installation, status: str) -> int:
    found = site.request("GET", f"runs?project=benchmark&status={status}&limit=1")
    return len(found["runs"])


def _until(reached: Callable[[], Any], limit: float = 120.0) -> float:
    """Wait until something holds; the seconds that it took."""
    begun = monotonic()
    while not reached():
        if monotonic() - begun > limit:
            raise RuntimeError(f"nothing happened within {limit:.0f} s")
        sleep(0.02)
    return monotonic() - begun


def _verdict(what: str, seconds: float) -> str:
    limit = TARGETS.get(what)
    if limit is None:
        return ""
    return f"target {limit:g} s: {'met' if seconds <= limit else 'MISSED'}"


if __name__ == "__main__":
    sys.exit(main())
