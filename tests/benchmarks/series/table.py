"""The README's tables, made from the results; a test holds the README to them."""

from __future__ import annotations

import json
from statistics import median
from typing import TYPE_CHECKING, Any

from tests.benchmarks.pipes import ROOT
from tests.benchmarks.series.places import RESULTS
from tests.benchmarks.series.targets import TARGETS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from tests.benchmarks.series.targets import Target

README = ROOT / "README.md"
START, END = "<!-- series-benchmarks -->", "<!-- /series-benchmarks -->"
Found = dict[str, Any]

# Measurement: what its table shows, figure by figure: column, factor, whether to set it against ours.
TITLES = {
    "ingest_28_keys": "28 values a step, in process:",
    "ingest_1_key": "One value a call, in process:",
    "http_ingest": "Over HTTP, batches of 1,000 metrics (columns: 1,024 steps):",
    "sizes": "Bytes a point, of 28 series:",
    "full_read": "Every point of a series of a million:",
    "chart_in_process": "What a tool draws of it, in process:",
    "chart_http": "What a chart asks for over HTTP, 2,000 values of a million:",
    "zooms": "Zooms into a hundred million points, 2,000 values:",
    "runs_table": "The runs table, a page of 50 over HTTP:",
    "crowd": "Four writers of 10,000 steps a second and two readers:",
    "overhead": "What logging adds to a step of 100 µs:",
}
COLUMNS = {
    "points_per_second": "points/s",
    "cpu_points_per_second": "points a CPU second",
    "server_cpu_points_per_second": "points a CPU second of the server",
    "readable_seconds": "s to read them back",
    "median_ms": "median, ms",
    "p95_ms": "p95, ms",
    "ms": "ms",
    "seconds": "s",
    "values": "values",
    "short_runs_bytes": "20 runs of 200 steps",
    "long_run_bytes": "10,000 steps",
    "longest_run_bytes": "100,000 steps",
    "short_runs_unvacuumed_bytes": "20 runs of 200 steps, not vacuumed",
    "long_run_unvacuumed_bytes": "10,000 steps, not vacuumed",
    "longest_run_unvacuumed_bytes": "100,000 steps, not vacuumed",
    "sort_ms": "sort, ms",
    "filter_none_ms": "none pass, ms",
    "filter_few_ms": "0.2 % pass, ms",
    "filter_some_ms": "5 % pass, ms",
    "filter_many_ms": "20 % pass, ms",
    "far_page_ms": "a far page, ms",
    "flush_median_ms": "flush, ms",
    "flush_p99_ms": "flush p99, ms",
    "look_median_ms": "look, ms",
    "look_p99_ms": "look p99, ms",
    "lock_errors": "lock errors",
    "wall_share": "of its time",
    "cpu_share": "of its CPU time",
}
_LEGEND = (
    "Ratios are those of a round, ours and the peer's next to each other: the median of all rounds, with the"
    " least and the largest. Loss of an answer's spike or NaN is told where it was found."
)


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
    known = [results[name] for name in TITLES if name in results]
    if not known:
        return "\n\nNot measured yet: `poe bench-series`.\n\n"
    parts = [_LEGEND, _targets(results)]
    for found in known:
        parts += [TITLES[found["measurement"]], _figures(found)]
    parts.append(_conditions(known))
    return "\n\n" + "\n\n".join(part for part in parts if part) + "\n\n"


def line(target: Target, found: Mapping[str, Any]) -> list[str]:
    """Write a target's figure, its bound and whether it is met."""
    value = target.value(found)
    bound = f"{'<=' if target.is_most else '>='} {_digits(target.bound)}"
    if value is None:
        return [target.title, "–", bound, "not measured"]
    middle, least, largest = value
    shown = f"**{_digits(middle)}**"
    if least != largest:
        shown += f" [{_digits(least)} .. {_digits(largest)}]"
    verdict = "met" if target.is_met(middle) else "missed"
    if target.under is not None and least <= 1.0 <= largest:
        verdict = "no difference"
    return [target.title, f"{shown} {target.unit}".strip(), bound, verdict]


def _targets(results: Mapping[str, Found]) -> str:
    lines = [line(target, results[target.measurement]) for target in TARGETS if target.measurement in results]
    return _markdown(["", "figure", "target", ""], lines) if lines else ""


def _figures(found: Found) -> str:
    told = found["contenders"]
    named = [name for name in COLUMNS if any(name in one.get("figures", {}) for one in told.values())]
    rows = [
        [one["title"], *(_cell(one["figures"].get(name)) for name in named)]
        for one in told.values()
        if "failure" not in one
    ]
    table = _markdown(["", *(COLUMNS[name] for name in named)], rows) if rows else ""
    notes = [f"{one['title']} loses {', '.join(one['loses'])}." for one in told.values() if one.get("loses")]
    notes += [f"{one['title']}: {one['unread']}." for one in told.values() if "unread" in one]
    if found["measurement"].startswith("ingest"):
        durable = {one["title"].split()[0].rstrip(","): one.get("durability") for one in told.values()}
        notes += [f"{tool}: {said}." for tool, said in durable.items() if said]
    failures = [f"{one['title']}: {one['failure']}." for one in told.values() if "failure" in one]
    if failures:
        notes += ["No number:", *failures]
    return "\n\n".join(part for part in (table, " ".join(notes)) if part)


def _markdown(head: list[str], rows: Iterable[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(row) + " |" for row in lines)


def _cell(values: list[float] | None) -> str:
    return _digits(median(values)) if values else "–"


def _digits(value: float) -> str:
    """Write with three digits."""
    size = abs(value)
    if size >= 100.0 or value == int(value):
        return f"{float(f'{value:.3g}'):,.0f}"
    return f"{value:.1f}" if size >= 10.0 else f"{value:.2f}" if size >= 0.1 else f"{value:.4f}"


def _conditions(found: list[Found]) -> str:
    """Name machine, versions, commits and load."""
    machine = found[0]["machine"]
    versions: dict[str, str] = {}
    for one in found:
        for told in one["contenders"].values():
            versions |= told.get("versions", {})
    loads = [load for one in found for load in one["load"]]
    commits = sorted({one["commit"] for one in found})
    facts = [machine["cpu"], f"{machine['cpus']} CPUs", machine["system"], f"Python {machine['python']}"]
    facts += [f"{name} {version}" for name, version in sorted(versions.items())]
    return (
        f"{', '.join(facts)}."
        f" Load average {min(loads):.1f} to {max(loads):.1f}. Measured at {', '.join(commits)}."
    )


if __name__ == "__main__":
    write()
