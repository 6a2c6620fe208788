"""What is not a step's time: cold starts, the cost of probes, and too many threads."""

from __future__ import annotations

import os
import subprocess
from contextlib import ExitStack
from statistics import median
from time import perf_counter
from typing import TYPE_CHECKING, Any

from tests.benchmarks.engine import machine
from tests.benchmarks.engine.processes import BLIND, NETWORKS, Process, command, environment
from tests.benchmarks.engine.rounds import measure
from tests.benchmarks.engine.workloads import WORKLOADS
from tests.benchmarks.pipes import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.benchmarks.engine.processes import Entry

COLD_STEPS, COLD_ROUNDS = 10_000, 5
COLD_CONTENDERS = ("native", "numpy", "jax", "torch", "sklearn", "keras")
CROWDED = "W4"  # whose products are large enough for a BLAS to share among threads


def cold_start(rounds: int) -> dict[str, Any]:
    """Time a whole process, from its start to the end of its steps of W3."""
    machine.pin()
    found: dict[str, dict[str, Any]] = {name: {"cpu": [], "wall": []} for name in COLD_CONTENDERS}
    for _ in range(min(rounds, COLD_ROUNDS)):
        for name, told in found.items():
            if "failure" not in told:
                _add_cold_start(NETWORKS[name], told)
    return {"extra": "cold_start", "steps": COLD_STEPS, "contenders": found, "load": [os.getloadavg()[0]]}


def _add_cold_start(entry: Entry, found: dict[str, Any]) -> None:
    started = perf_counter()
    process = subprocess.Popen(
        command(entry, "W3"),
        cwd=ROOT,
        env=environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(f"run {COLD_STEPS}\n")
    process.stdin.close()
    told = process.stdout.read()
    _, status, used = os.wait4(process.pid, 0)
    wall = perf_counter() - started
    process.stdout.close()
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode or '"steps"' not in told:
        found["failure"] = told.strip() or f"exit {process.returncode}"
        return
    found["cpu"].append(used.ru_utime + used.ru_stime)
    found["wall"].append(wall)


def probes(rounds: int) -> dict[str, Any]:
    """Compare the native tier with itself, its probes off, in as many rounds as make the scatter small."""
    machine.pin()
    pair = {"native": NETWORKS["native"], "native-blind": BLIND}
    names = [name for name, workload in WORKLOADS.items() if workload.members == 1]
    found = {name: measure(WORKLOADS[name], pair, environment(), 2 * rounds) for name in names}
    return {"extra": "probes", "workloads": found, "load": [os.getloadavg()[0]]}


def threads(rounds: int) -> dict[str, Any]:
    """Let two processes train at once with one BLAS thread each, and with two, on two CPUs."""
    walls: dict[int, list[float]] = {1: [], 2: []}
    with ExitStack() as stack:
        pairs = {
            count: [
                stack.enter_context(Process(NETWORKS["numpy"], CROWDED, environment(count))) for _ in range(2)
            ]
            for count in walls
        }
        for _ in range(rounds):
            for count, pair in pairs.items():
                for process in pair:
                    process.send("run 50")
                told = [process.answer() for process in pair]
                walls[count].append(max(one["wall"] / one["steps"] for one in told))
    slowdown = median(two / one for one, two in zip(walls[1], walls[2], strict=True))
    return {
        "extra": "threads",
        "workload": CROWDED,
        "wall": walls,
        "slowdown": slowdown,
        "load": [os.getloadavg()[0]],
    }


EXTRAS: dict[str, Callable[[int], dict[str, Any]]] = {
    "cold_start": cold_start,
    "probes": probes,
    "threads": threads,
}
