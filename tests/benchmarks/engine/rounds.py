"""One workload: every contender's losses are checked, then each is asked in turn for its steps."""

from __future__ import annotations

import os
from contextlib import ExitStack
from math import ceil
from statistics import median
from typing import TYPE_CHECKING, Any

import numpy as np

from tests.benchmarks.engine.processes import Process
from tests.benchmarks.pipes import ContenderError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from tests.benchmarks.engine.processes import Entry
    from tests.benchmarks.engine.workloads import Workload

CHECKED_STEPS = 60
SECONDS = 0.12  # at least, of CPU, in a round
# Of the reference's loss. Ours are held to more.
TOLERANCE = {"numpy": 1e-5, "native": 1e-5, "native-blind": 1e-5}
PEERS_TOLERANCE = 1e-4


def measure(
    workload: Workload, entries: Mapping[str, Entry], variables: dict[str, str], rounds: int
) -> dict[str, Any]:
    """Compare contenders on a workload; the reference for losses is torch eager, or who comes first.

    Returns:
        For each contender, ``failure`` alone where it cannot do the workload or gives other losses; else
        ``loss_error``, ``versions``, ``import_seconds``, ``compile_seconds``, ``steps`` of a round, and
        ``cpu`` and ``wall`` with a round's seconds a step.
    """
    load = [os.getloadavg()[0]]
    found: dict[str, dict[str, Any]] = {name: {} for name in entries}
    with ExitStack() as stack:
        processes: dict[str, Process] = {}
        for name, entry in entries.items():
            try:
                processes[name] = stack.enter_context(Process(entry, workload.name, variables))
            except ContenderError as error:
                found[name]["failure"] = str(error)
        for name, verdict in _checked(processes).items():
            found[name] |= verdict
        able = {name: process for name, process in processes.items() if "failure" not in found[name]}
        for name, process in able.items():
            found[name] |= {**process.hello, "steps": _calibrated(process), "cpu": [], "wall": []}
        for _ in range(rounds):
            for name, process in able.items():
                _run_round(process, found[name])
    load.append(os.getloadavg()[0])
    return {"workload": workload.name, "load": load, "contenders": found}


def _run_round(process: Process, found: dict[str, Any]) -> None:
    told = process.ask(f"run {found['steps']}")
    for clock in ("cpu", "wall"):
        found[clock].append(told[clock] / told["steps"])


def _checked(processes: Mapping[str, Process]) -> dict[str, dict[str, Any]]:
    """Compare the first losses with the reference's, as a share of the loss where that is above 1."""
    losses: dict[str, NDArray[np.float64]] = {}
    verdicts: dict[str, dict[str, Any]] = {}
    for name, process in processes.items():
        try:
            losses[name] = np.array(process.ask(f"check {CHECKED_STEPS}")["losses"])
        except ContenderError as error:
            verdicts[name] = {"failure": str(error)}
    reference = losses.get("torch", next(iter(losses.values()), np.zeros(0)))
    for name, found in losses.items():
        off = float((np.abs(found - reference) / np.maximum(1.0, np.abs(reference))).max())
        allowed = TOLERANCE.get(name, PEERS_TOLERANCE)
        wrong = {"failure": f"its losses are off by up to {off:.1e}, and {allowed:.0e} is allowed"}
        verdicts[name] = {"loss_error": off} if off <= allowed else wrong
    return verdicts


def _calibrated(process: Process) -> int:
    """Find how many steps take long enough."""
    steps = 1
    while True:
        told = process.ask(f"run {steps}")
        if told["cpu"] >= SECONDS:
            return int(told["steps"])
        steps = ceil(told["steps"] * min(10.0, 1.2 * SECONDS / max(told["cpu"], 1e-9)))


def speed_ratio(found: Mapping[str, Any], ours: str, peer: str) -> tuple[float, float, float]:
    """Compute how many times faster ``ours`` is: median, least and largest of the rounds' ratios."""
    pairs = zip(found["contenders"][ours]["cpu"], found["contenders"][peer]["cpu"], strict=True)
    ratios = [theirs / our for our, theirs in pairs]
    return median(ratios), min(ratios), max(ratios)


def fastest(found: Mapping[str, Any], entries: Mapping[str, Entry], *, ours: bool) -> str | None:
    """Name the fastest of our contenders, or of the peers; None where none could do it."""
    times = {
        name: median(told["cpu"])
        for name, told in found["contenders"].items()
        if name in entries and entries[name].is_ours == ours and "failure" not in told
    }
    return min(times, key=times.__getitem__) if times else None
