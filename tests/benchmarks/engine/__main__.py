"""The command line of the benchmarks: see ``poe bench``, ``bench-quick`` and ``bench-engine``."""

from __future__ import annotations

import argparse
import json
import os
import sys
from typing import TYPE_CHECKING, Any

from tests.benchmarks.engine import machine, peers, table
from tests.benchmarks.engine.extras import EXTRAS
from tests.benchmarks.engine.processes import NETWORKS, POPULATIONS, environment
from tests.benchmarks.engine.rounds import measure, speed_ratio
from tests.benchmarks.engine.workloads import WORKLOADS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.benchmarks.engine.processes import Entry
    from tests.benchmarks.engine.workloads import Workload

ROUNDS = 11
MISSED_BELOW = 0.9  # of the target


def main() -> int:
    """Do what the arguments say."""
    parser = argparse.ArgumentParser(prog="tests.benchmarks.engine", description=__doc__)
    parser.add_argument("names", nargs="*", help=f"of {', '.join([*WORKLOADS, *EXTRAS])}; all by default")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--quick", action="store_true", help="ours against JAX only; keep no results")
    arguments = parser.parse_args()
    unknown = set(arguments.names) - {*WORKLOADS, *EXTRAS}
    if unknown:
        parser.error(
            f"expected names of {', '.join([*WORKLOADS, *EXTRAS])}, got {', '.join(sorted(unknown))}"
        )
    peers.make()
    if arguments.quick:
        return quick(arguments.names or list(WORKLOADS), arguments.rounds)
    compare(arguments.names or [*WORKLOADS, *EXTRAS], arguments.rounds)
    return 0


def quick(names: Sequence[str], rounds: int) -> int:
    """Compare ours with JAX, a line a workload; give 1 where a target is clearly missed."""
    machine.pin()
    return max(_quick_line(WORKLOADS[name], rounds) for name in names)


def _quick_line(workload: Workload, rounds: int) -> int:
    known = entries_of(workload)
    found: dict[str, Any] = {}
    for ours in ("native", "numpy"):
        entries = {name: known[name] for name in (ours, "jax")}
        found = measure(workload, entries, environment(is_cached=True), rounds)
        if "failure" not in found["contenders"][ours]:
            break
    failures = [
        f"{name}: {told['failure']}" for name, told in found["contenders"].items() if "failure" in told
    ]
    if failures:
        print(f"{workload.name:7} FAILED {'; '.join(failures)}", flush=True)
        return 1
    ratio, least, largest = speed_ratio(found, ours, "jax")
    missed = not ratio >= MISSED_BELOW * workload.target
    print(
        f"{workload.name:7} {ours:6} / JAX scan {ratio:6.2f} [{least:.2f} .. {largest:.2f}]"
        f"  target {workload.target:5g}  {'MISSED' if missed else 'ok'}  load {os.getloadavg()[0]:.1f}",
        flush=True,
    )
    return int(missed)


def compare(names: Sequence[str], rounds: int) -> None:
    """Measure workloads and extras with all peers; keep the results, and write the README's tables."""
    everywhere = os.sched_getaffinity(0)
    table.RESULTS.mkdir(exist_ok=True)
    for name in names:
        about = machine.describe()
        if name in EXTRAS:
            found = EXTRAS[name](rounds)
        else:
            machine.pin()
            found = measure(WORKLOADS[name], entries_of(WORKLOADS[name]), environment(), rounds)
        os.sched_setaffinity(0, everywhere)
        kept = json.dumps({"machine": about, **found}, indent=1)
        (table.RESULTS / f"{name}.json").write_text(kept + "\n", encoding="utf-8")
        table.write()
        print(table.section({name: json.loads(kept)}), flush=True)


def entries_of(workload: Workload) -> dict[str, Entry]:
    """Give everybody who may do a workload."""
    return POPULATIONS if workload.members > 1 else NETWORKS


if __name__ == "__main__":
    sys.exit(main())
