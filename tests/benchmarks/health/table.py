"""The README's tables of alerts, made from the results; a test holds the README to them."""

from __future__ import annotations

import json
from math import isnan
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.stats import fisher_exact

from tests.benchmarks.health.measure import ON_THEIR_RUNS
from tests.benchmarks.health.outcomes import SICK
from tests.benchmarks.health.peers.everybody import TITLES as PEERS
from tests.benchmarks.health.suites import TITLES
from tests.benchmarks.health.targets import OURS, TARGETS
from tests.benchmarks.pipes import ROOT

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from tests.benchmarks.health.targets import Target

RESULTS = Path(__file__).parent / "results"
README = ROOT / "README.md"
START, END = "<!-- health-benchmarks -->", "<!-- /health-benchmarks -->"
MOST_LISTED = 12
REFERENCES, DIFFERS = ("outcome_by_best", "outcome_by_late_median"), 0.01
Found = dict[str, Any]
_LEGEND = (
    "Recall is the share of sick runs with an alarm open at the end, false alarms that of healthy runs; in"
    " brackets 95 % intervals, for which whole configurations are drawn again (where all are alike: the score"
    " interval of as many). Runs that are neither sick nor healthy do not count. A cause is named by the"
    " highest of our alarms, by any of a peer's. The kind (unstable, dead, vanishing, slow, data,"
    " configuration) is that of our highest alarm and of a peer's first; its F1 is the mean over kinds. The"
    " time is that of the first alarm that stays, the median over all sick runs; – where half or more are"
    " missed."
)
_SOURCES = {
    OURS: "our advice",
    "random": "changes at random",
    ON_THEIR_RUNS: "our advice, on the runs that peers see",
    "autotrainer": "AutoTrainer's order, on the same",
}


def read_results() -> dict[str, Found]:
    """Read what was measured, by suite."""
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
    known = {name: results[name] for name in TITLES if name in results}
    if not known:
        return "\n\nNot measured yet: `poe bench-health`.\n\n"
    parts = [_LEGEND, _targets(known)]
    for name, found in known.items():
        parts += [_title(name, found), _detectors(found), _repairs(found), _notes(found)]
    parts.append(_provenance(known.values()))
    return "\n\n" + "\n\n".join(part for part in parts if part) + "\n\n"


def _provenance(results: Collection[Found]) -> str:
    """Tell with what the suites were measured: more than one name where not all at once."""
    versions = [
        f"{name} {', '.join(dict.fromkeys(found[name] for found in results))}"
        for name in ("thresholds", "engine")
    ]
    minutes = sum(found.get("seconds", 0) for found in results) / 60
    loads = [load for found in results for load in found["load"]]
    return (
        f"Measured with {' and '.join(versions)}, in {minutes:.0f} minutes; trainings are kept from one"
        f" measurement to the next. Load average {min(loads):.1f} to {max(loads):.1f}."
    )


def line(target: Target, found: Found) -> list[str]:
    """Write a target's figure, its bound, the best of others and whether it is met."""
    value = target.value(found)
    bound = f"{'<=' if target.is_most else '>='} {target.bound:g}"
    share = value[0] if isinstance(value, list | tuple) else value
    if share is None or isnan(share):
        return [target.title, "–", bound, target.peer, "not measured"]
    shown = _interval(value) if isinstance(value, list | tuple) else f"{value:.3g}"
    return [target.title, shown, bound, target.peer, "met" if target.is_met(share) else "missed"]


def _targets(results: Mapping[str, Found]) -> str:
    rows = [
        [target.suite, *line(target, results[target.suite])] for target in TARGETS if target.suite in results
    ]
    return _markdown(["suite", "", "figure", "target", "best of others", ""], rows) if rows else ""


def _title(name: str, found: Found) -> str:
    ours = found["detectors"][OURS]
    expressed = found["cases"] - len(found["unable"])
    return (
        f"**{name}, {TITLES[name]}**: {expressed} of {found['cases']} configurations can be trained,"
        f" {found['runs']} runs, of which {ours['sick']} end sick and {ours['healthy']} healthy."
    )


def _detectors(found: Found) -> str:
    names = {OURS: "nnlab", ON_THEIR_RUNS: "nnlab, on the runs that peers see"} | PEERS
    rows = [
        [title, *_figures(found["detectors"][name])]
        for name, title in names.items()
        if name in found["detectors"]
    ]
    return _markdown(
        [
            "",
            "runs",
            "recall",
            "false alarms",
            "precision",
            "F1",
            "cause named",
            "F1 by kind",
            "median time",
            "median epoch",
        ],
        rows,
    )


def _figures(told: Found) -> list[str]:
    shares = [_interval(told[name]) for name in ("recall", "false_alarms", "precision", "f1")]
    runs = str(told["sick"] + told["mid"] + told["healthy"])
    shares.append(_known(told["cause"]))
    shares.append(_known(told["macro_f1"][0]))
    if told["median_share"] is None:
        return [runs, *shares, "–", "–"]
    return [runs, *shares, f"{100 * told['median_share']:.2g} %", f"{told['median_epoch']:.3g}"]


def _repairs(found: Found) -> str:
    if not any(told["runs"] for told in found.get("repair", {}).values()):
        return ""
    rows = []
    for name, told in found["repair"].items():
        if not told["runs"]:
            continue
        shares = [_interval(value) for value in told["within"]]
        rows.append(
            [_SOURCES[name], str(told["runs"]), *shares, f"{told['cost']:.2g}", f"{told['gain']:.2f}"]
        )
    beyond = found["repair"][OURS]["beyond"]
    note = f"\n\nNot tried: {beyond} sick runs that no change of a configuration mends." if beyond else ""
    return (
        _markdown(
            ["repaired by", "runs", "the first change", "one of three", "cost, runs", "mean gain"], rows
        )
        + note
    )


def _notes(found: Found) -> str:
    told = found["details"]
    notes = [f"Cannot be expressed: {name}: {reason}." for name, reason in found["unable"].items()]
    if found["overflows"][0]:
        every, double = found["overflows"]
        notes.append(f"{every} runs overflow, {double} of them in double precision as well.")
    notes += [*_insides(found), *_programs(told["programs"])]
    for case, changes in found["improved_by"].items():
        notes.append(f"Not healthy, since a change makes it better: {case} ({', '.join(changes)}).")
    known = [case for case, told in found["references"].items() if REFERENCES[0] in told]
    if known:
        alike = len(known) - len(differing(found))
        notes.append(f"Outcomes are those of the reference in {alike} of {len(known)} configurations.")
    for title, names in (("Missed", told["misses"]), ("False alarms", told["false"]),
                         ("Another cause named", told["wrong_cause"])):  # fmt: skip
        if names:
            more = f", and {len(names) - MOST_LISTED} more" if len(names) > MOST_LISTED else ""
            notes.append(f"{title}: {'; '.join(names[:MOST_LISTED])}{more}.")
    return " ".join(notes)


def _insides(found: Found) -> list[str]:
    """Tell of alarms that passed, of kinds and of layers."""
    told, ours = found["details"], found["detectors"][OURS]
    if "layers" not in told:  # measured before layers were
        return []
    passed = f"{told['passing_alarms']} of {ours['healthy']} healthy runs had one"
    missed = f"{told['passing_alarms_of_sick']} of {ours['sick']} sick ones no other"
    flaps = f"{told['flaps_per_run']:.2g} reopenings a run"
    notes = [f"Alarms that passed: {passed}, {missed}; {flaps}."]
    if ours["kinds"]:
        kinds = [f"{kind} {f1:.2f} (n = {runs})" for kind, (f1, runs) in ours["kinds"].items()]
        notes.append(f"F1 of our highest alarm by kind: {', '.join(kinds)}.")
    layers = told["layers"]
    if layers["runs"]:
        kinds = [f"{kind} {value:.2f}, n = {runs}" for kind, (value, runs) in layers["by_kind"].items()]
        notes.append(
            f"Layers named against those that are sick, mean Jaccard index: {layers['jaccard']:.2f} in"
            f" {layers['runs']} runs, of which {layers['named']} have layers named ({'; '.join(kinds)})."
        )
    return notes


def _programs(told: Found | None) -> list[str]:
    if not told:
        return []
    right = [name for name, (named, sick) in told["cause"].items() if 2 * named > sick]
    each = [f"{name} {named} of {sick}" for name, (named, sick) in told["cause"].items()]
    (alarmed, healthy), (all_alarmed, fixed) = told["fixed_healthy"], told["fixed"]
    return [
        f"Category right in most of the sick runs: {len(right)} of {len(each)} programs ({', '.join(each)}).",
        f"Alarms on fixed versions: in {alarmed} of {healthy} healthy runs, in {all_alarmed} of all {fixed}.",
    ]


def differing(found: Found) -> list[str]:
    """Name the configurations whose counts of sick runs are not the reference's, by Fisher's exact test."""
    names = []
    for case, told in found["references"].items():
        ours = _sick_and_not(found["outcomes"][case])
        tables = [[ours, _sick_and_not(told[name])] for name in REFERENCES if name in told]
        if tables and all(fisher_exact(np.array(table)).pvalue < DIFFERS for table in tables):
            names.append(case)
    return names


def _sick_and_not(counts: Mapping[str, int]) -> list[int]:
    return [counts.get(SICK, 0), sum(counts.values()) - counts.get(SICK, 0)]


def _known(value: float | None) -> str:
    return "–" if value is None or isnan(value) else f"{value:.2f}"


def _interval(value: Any) -> str:
    middle, low, high = (float("nan") if each is None else each for each in value)
    if isnan(middle):
        return "–"
    return f"{middle:.3f}" + ("" if isnan(low) or low == high == middle else f" [{low:.2f} .. {high:.2f}]")


def _markdown(head: list[str], rows: Iterable[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(row) + " |" for row in lines)


if __name__ == "__main__":
    write()
