"""The README's tables, made from the results; a test holds the README to them."""

from __future__ import annotations

import json
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from tests.benchmarks.engine.processes import NETWORKS, POPULATIONS
from tests.benchmarks.engine.rounds import fastest, speed_ratio
from tests.benchmarks.engine.workloads import WORKLOADS
from tests.benchmarks.pipes import ROOT

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.benchmarks.engine.processes import Entry

RESULTS = Path(__file__).parent / "results"
README = ROOT / "README.md"
START, END = "<!-- benchmark: start, written by poe bench-table -->", "<!-- benchmark: end -->"
Found = dict[str, Any]

_LEGEND = (
    "CPU time of a training step in microseconds, on one thread. The ratio is the median of all rounds',"
    " with the least and the largest; the share is of a thread's peak, the operations those of the products."
)
_POPULATIONS_LEGEND = "Populations, in thousands of steps of a member in a CPU second:"


def read_results() -> dict[str, Found]:
    """Read what was measured, by name."""
    return {
        path.stem: json.loads(path.read_text(encoding="utf-8")) for path in sorted(RESULTS.glob("*.json"))
    }


def write() -> None:
    """Replace the README's tables."""
    text = README.read_text(encoding="utf-8")
    before, rest = text.split(START)
    README.write_text(before + START + section(read_results()) + END + rest.split(END)[1], encoding="utf-8")


def section(results: Mapping[str, Found]) -> str:
    """Write everything that stands between the README's marks."""
    networks = [results[name] for name, known in WORKLOADS.items() if known.members == 1 and name in results]
    populations = [
        results[name] for name, known in WORKLOADS.items() if known.members > 1 and name in results
    ]
    parts = [_LEGEND, _table(networks, NETWORKS, _microseconds)] if networks else []
    if populations:
        parts += [_POPULATIONS_LEGEND, _table(populations, POPULATIONS, _thousands)]
    parts += _extras(results)
    if networks or populations:
        parts.append(_conditions([*networks, *populations]))
    return "\n\n" + "\n\n".join(parts) + "\n\n"


def _table(found: list[Found], entries: Mapping[str, Entry], cell: Any) -> str:
    titles = [entry.title for entry in entries.values()]
    rows = [
        ["", "workload", *titles, "nnlab / fastest peer", "target", "share of peak"],
        ["---"] * (len(titles) + 5),
        *(_row(one, entries, cell) for one in found),
    ]
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join(lines) + _failures(found, entries)


def _row(found: Found, entries: Mapping[str, Entry], cell: Any) -> list[str]:
    workload = WORKLOADS[found["workload"]]
    cells = ["–" if "failure" in found["contenders"][name] else cell(found, name) for name in entries]
    ratio, share = "–", "–"
    ours, peer = fastest(found, entries, ours=True), fastest(found, entries, ours=False)
    if ours is not None:
        flops = workload.flops * workload.members
        gflops = 1e-9 * flops / median(found["contenders"][ours]["cpu"])
        share = f"{gflops / found['machine']['peak_gflops']:.0%}"
    if ours is not None and peer is not None:
        middle, least, largest = speed_ratio(found, ours, peer)
        ratio = f"**{_digits(middle)}** [{_digits(least)} .. {_digits(largest)}]"
    title = f"{workload.title}, n {workload.rows:,}"
    return [workload.name, title, *cells, ratio, f"{workload.target:g}", share]


def _microseconds(found: Found, name: str) -> str:
    return _digits(1e6 * median(found["contenders"][name]["cpu"]))


def _thousands(found: Found, name: str) -> str:
    members = WORKLOADS[found["workload"]].members
    return _digits(1e-3 * members / median(found["contenders"][name]["cpu"]))


def _digits(value: float) -> str:
    """Write with three digits."""
    if value >= 100.0:
        return f"{float(f'{value:.3g}'):,.0f}"
    return f"{value:.1f}" if value >= 10.0 else f"{value:.2f}"


def _failures(found: list[Found], entries: Mapping[str, Entry]) -> str:
    """Say why there is no number."""
    lines = []
    for name, entry in entries.items():
        reasons: dict[str, list[str]] = {}
        for one in found:
            failure = one["contenders"][name].get("failure")
            if failure:
                reasons.setdefault(failure, []).append(one["workload"])
        if reasons:
            told = "; ".join(f"{reason} ({', '.join(where)})" for reason, where in reasons.items())
            lines.append(f"{entry.title}: {told}.")
    return "\n\nNo number: " + " ".join(lines) if lines else ""


def _extras(results: Mapping[str, Found]) -> list[str]:
    parts = []
    if "cold_start" in results:
        found = results["cold_start"]
        told = ", ".join(
            f"{NETWORKS[name].title} {_digits(median(seconds['wall']))}"
            for name, seconds in found["contenders"].items()
            if "failure" not in seconds
        )
        parts.append(f"From the start of a process to {found['steps']:,} steps of W3, in seconds: {told}.")
    if "probes" in results:
        costs = {name: _cost_of_probes(found) for name, found in results["probes"]["workloads"].items()}
        told = ", ".join(f"{name} {100.0 * cost:+.1f} %" for name, cost in costs.items() if cost is not None)
        parts.append(f"What the health probes of all layers cost the native tier: {told}.")
    if "threads" in results:
        found = results["threads"]
        parts.append(
            f"Two processes on two CPUs train {found['workload']} {_digits(found['slowdown'])} times slower"
            " with two BLAS threads each than with one (NumPy tier): workers use one."
        )
    return parts


def _cost_of_probes(found: Found) -> float | None:
    if any("failure" in told for told in found["contenders"].values()):
        return None
    return 1.0 / speed_ratio(found, "native", "native-blind")[0] - 1.0


def _conditions(found: list[Found]) -> str:
    """Name machine, versions and load."""
    machine = found[0]["machine"]
    versions: dict[str, str] = {}
    for one in found:
        for told in one["contenders"].values():
            versions |= told.get("versions", {})
    loads = [load for one in found for load in one["load"]]
    peaks = [one["machine"]["peak_gflops"] for one in found]
    return (
        f"{machine['cpu']}, {machine['cpus']} CPUs, {machine['system']}, Python {machine['python']},"
        f" {', '.join(f'{name} {version}' for name, version in sorted(versions.items()))}."
        f" Load average {min(loads):.1f} to {max(loads):.1f}."
        f" Peak of a thread: {min(peaks):.0f} to {max(peaks):.0f} GFLOP/s ({machine['peak_is']}),"
        f" {machine['bandwidth_gb']:.0f} GB/s ({machine['bandwidth_is']})."
    )


if __name__ == "__main__":
    write()
