"""The command line of the metric store's benchmarks: see ``poe bench-series`` and ``bench-series-quick``."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from functools import partial
from time import monotonic
from typing import TYPE_CHECKING, Any

from tests.benchmarks.engine import machine
from tests.benchmarks.pipes import ROOT
from tests.benchmarks.series import (
    charts,
    crowd,
    environments,
    http_ingest,
    ingest,
    overhead,
    reads,
    sizes,
    table,
    tables,
    zooms,
)  # fmt: skip
from tests.benchmarks.series.places import RESULTS
from tests.benchmarks.series.rounds import ROUNDS
from tests.benchmarks.series.servers import postgres
from tests.benchmarks.series.targets import SLACK, TARGETS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

# Name: what measures it, and the contenders that need a database of PostgreSQL.
MEASUREMENTS: dict[str, tuple[Callable[..., dict[str, Any]], Sequence[str]]] = {
    "ingest_28_keys": (ingest.dicts, ingest.DATABASES),
    "ingest_1_key": (ingest.singles, ingest.DATABASES),
    "http_ingest": (http_ingest.batches, http_ingest.DATABASES),
    "sizes": (sizes.sizes, sizes.DATABASES),
    "full_read": (reads.full, reads.DATABASES),
    "chart_in_process": (reads.charts, reads.DATABASES),
    "chart_http": (charts.charts, charts.DATABASES),
    "zooms": (zooms.zooms, zooms.DATABASES),
    "runs_table": (tables.tables, tables.DATABASES),
    "crowd": (crowd.crowd, crowd.DATABASES),
    "overhead": (overhead.overhead, overhead.DATABASES),
}
QUICK: dict[str, Callable[..., dict[str, Any]]] = {
    "ingest_28_keys": ingest.dicts,
    "http_ingest": partial(http_ingest.batches, shapes=((1, 1), (28, 1))),
    "sizes": partial(sizes.sizes, shapes=sizes.SHAPES | {"short_runs": (5, 200), "long_run": (1, 500)}),
    "full_read": partial(reads.full, points=150_000),
    "chart_http": partial(charts.charts, windows=("whole",)),
    "zooms": partial(zooms.zooms, runs=4, long=4_000_000),
    "runs_table": partial(tables.tables, sizes={"small": 2_000}, states=("",)),
    "crowd": partial(crowd.crowd, seconds=4.0),
    "overhead": partial(overhead.overhead, pairs=11),
}
QUICK_ROUNDS = 2  # what it has to notice is a loss by half
AGAINST = ("nnlab", "mlflow")


def main() -> int:
    """Do what the arguments say."""
    parser = argparse.ArgumentParser(prog="tests.benchmarks.series", description=__doc__)
    parser.add_argument("names", nargs="*", help=f"of {', '.join(MEASUREMENTS)}; all by default")
    parser.add_argument("--rounds", type=int, default=0)
    parser.add_argument("--quick", action="store_true", help="ours against MLflow on SQLite; keep no results")
    arguments = parser.parse_args()
    known = QUICK if arguments.quick else MEASUREMENTS
    unknown = set(arguments.names) - set(known)
    if unknown:
        parser.error(f"expected names of {', '.join(known)}, got {', '.join(sorted(unknown))}")
    failures = environments.make(AGAINST[1:] if arguments.quick else environments.REQUIREMENTS)
    for name, reason in failures.items():
        print(f"{name}: {reason}; its measurements will say so", file=sys.stderr)
    names = arguments.names or list(known)
    if arguments.quick:
        return quick(names, arguments.rounds or QUICK_ROUNDS)
    compare(names, arguments.rounds or ROUNDS)
    return 0


def quick(names: Sequence[str], rounds: int) -> int:
    """Compare ours with MLflow, a line a target; give 1 where a figure is below half of its target."""
    return max(_quick_lines(name, rounds) for name in names)


def _quick_lines(name: str, rounds: int) -> int:
    began = monotonic()
    found = QUICK[name](rounds, {}, AGAINST)
    failed = 0
    for told in found["contenders"].values():
        if "failure" in told:
            print(f"{name:15} FAILED {told['title']}: {told['failure']}", flush=True)
            failed = 1
        elif told.get("loses") and told["title"].startswith("nnlab"):
            print(f"{name:15} FAILED {told['title']} loses {', '.join(told['loses'])}", flush=True)
            failed = 1
    for target in TARGETS:
        value = target.value(found) if target.measurement == name else None
        if value is not None:
            is_met = target.is_met(value[0], SLACK)
            failed |= not is_met
            title, figure, bound, verdict = table.line(target, found)
            print(f"{name:15} {title:42} {figure.replace('*', ''):34} {bound:10} {verdict}"
                  f"{'' if is_met else ', by more than half'}", flush=True)  # fmt: skip
    print(f"{name:15} {monotonic() - began:.0f} s, load {os.getloadavg()[0]:.1f}", flush=True)
    return int(failed)


def compare(names: Sequence[str], rounds: int) -> None:
    """Measure with everybody; keep the results, and write the README's tables."""
    RESULTS.mkdir(exist_ok=True)
    about, commit = machine.describe(), _commit()
    for name in names:
        measure, databases = MEASUREMENTS[name]
        began = monotonic()
        with postgres(databases) as addresses:
            found = measure(rounds, addresses)
        kept = {"machine": about, "commit": commit, "seconds": round(monotonic() - began), **found}
        (RESULTS / f"{name}.json").write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")
        table.write()
        print(table.section({name: json.loads(json.dumps(kept))}), flush=True)


def _commit() -> str:
    """Name the commit that is measured, and whether code differs from it: results are written on the way."""
    results = RESULTS.relative_to(ROOT)
    changed = _git("status", "--porcelain", "--untracked-files=no", "--", ".", ":!README.md", f":!{results}")
    return (_git("describe", "--always") or "an unknown commit") + ("-dirty" if changed else "")


def _git(*arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    return done.stdout.strip()


if __name__ == "__main__":
    sys.exit(main())
