"""The command line of the alerts' benchmark: see ``poe bench-health`` and ``bench-health-quick``."""

from __future__ import annotations

import argparse
import json
import sys
from math import isnan
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any

from tests.benchmarks.health import exchange, suites, table
from tests.benchmarks.health.measure import measure
from tests.benchmarks.health.outcomes import HEALTHY, SICK
from tests.benchmarks.health.targets import TARGETS
from tests.benchmarks.health.training import runs_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.benchmarks.health.cases import Case

# Peers look at every tensor, on the NumPy tier, which costs most of the time.
PEER_SEEDS = {"A": 3, "quiz": 5, "controls": 5, "B": 2, "C": 1, "D": 3, "E": 5}


def main() -> int:
    """Do what the arguments say."""
    parser = argparse.ArgumentParser(prog="tests.benchmarks.health", description=__doc__)
    parser.add_argument("names", nargs="*", help=f"of {', '.join(suites.SUITES)}; all by default")
    parser.add_argument("--quick", action="store_true", help="a tenth of the runs; keep no results")
    parser.add_argument("--cases", type=Path, help="a file of other labelled cases instead; keep no results")
    parser.add_argument(
        "--peer-seeds", type=int, help="peers see so many seeds of a case; else 1 to 5, by suite"
    )
    parser.add_argument("--no-repairs", action="store_true", help="do not train with the advice")
    parser.add_argument("--seeds", type=int, help="at most so many of each case")
    arguments = parser.parse_args()
    unknown = set(arguments.names) - set(suites.SUITES)
    if unknown:
        parser.error(f"expected names of {', '.join(suites.SUITES)}, got {', '.join(sorted(unknown))}")
    if arguments.cases:
        return judge_file(arguments)
    names = arguments.names or list(suites.SUITES)
    return quick(names) if arguments.quick else compare(names, arguments)


def quick(names: Sequence[str]) -> int:
    """Judge our alerts on a tenth of the runs, a line a target; give 1 where a share is clearly missed."""
    failed = 0
    for name in names:
        began, cases = monotonic(), suites.cases_of([name])
        found = measure(name, cases, suites.quick_runs(cases), peer_seeds=0, repairs=False)
        failed |= _lines(name, found)
        print(f"{name:9} {found['runs']} runs, {monotonic() - began:.0f} s", flush=True)
    return failed


def _lines(name: str, found: dict[str, Any]) -> int:
    failed = 0
    for target in TARGETS:
        value = target.value(found) if target.suite == name else None
        if value is None:
            continue
        share = value[0] if isinstance(value, list | tuple) else value
        outcome = HEALTHY if target.is_most else SICK
        configurations = sum(outcome in counts for counts in found["outcomes"].values())
        missed = target.is_share and not isnan(share) and target.is_clearly_missed(share, configurations)
        failed |= missed
        print(f"{name:9} {' | '.join(table.line(target, found))}{', clearly' if missed else ''}", flush=True)
    for kind in ("misses", "false"):
        for line in found["details"][kind]:
            print(f"{'':9} {kind}: {line}", flush=True)
    return int(failed)


def compare(names: Sequence[str], arguments: argparse.Namespace) -> int:
    """Measure whole suites with everybody; keep the results, and write the README's tables."""
    table.RESULTS.mkdir(exist_ok=True)
    for name in names:
        found = _measured(name, suites.cases_of([name]), arguments)
        (table.RESULTS / f"{name}.json").write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
        table.write()
        print(table.section({name: json.loads(json.dumps(found))}), flush=True)
    return 0


def judge_file(arguments: argparse.Namespace) -> int:
    """Judge the cases of a file, and print what the README says of ours."""
    cases = exchange.read(arguments.cases)
    for suite in sorted({case.suite for case in cases}):
        found = _measured(suite, [case for case in cases if case.suite == suite], arguments)
        print(table.section({suite: json.loads(json.dumps(found))}), flush=True)
        _lines(suite, found)
        print(json.dumps({"outcomes": found["outcomes"], "references": found["references"]}, indent=1))
    return 0


def _measured(name: str, cases: list[Case], arguments: argparse.Namespace) -> dict[str, Any]:
    began = monotonic()
    most = arguments.seeds or sys.maxsize
    runs = [run for run in runs_of(cases) if run.seed < most]
    seeds = PEER_SEEDS[name] if arguments.peer_seeds is None else arguments.peer_seeds
    found = measure(name, cases, runs, peer_seeds=seeds, repairs=not arguments.no_repairs)
    return {**found, "seconds": round(monotonic() - began)}


if __name__ == "__main__":
    sys.exit(main())
