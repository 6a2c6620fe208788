"""What the machine is, and what it can do at most on one thread: shares of that travel, times do not."""

from __future__ import annotations

import ctypes
import json
import os
import platform
import subprocess
import sys
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np

from nnlab.engine.native import library
from tests.benchmarks.engine.processes import PACKAGE, environment
from tests.benchmarks.pipes import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable

MATRIX, COPIED_BYTES, REPEATS = 1024, 256 * 2**20, 7
ACCUMULATORS, PEAK_ROUNDS = 12, 1_000_000  # of the core's nn_peak


def pin() -> int:
    """Bind this process, and those it starts from now on, to one CPU: the last, which is the least busy."""
    chosen = max(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {chosen})
    return chosen


def describe() -> dict[str, Any]:
    """Name the machine, and measure its peaks in a process of one thread."""
    measured = subprocess.run(
        [sys.executable, "-m", f"{PACKAGE}.machine"],
        cwd=ROOT,
        env=environment(),
        check=True,
        capture_output=True,
        text=True,
    )
    model = [
        line.partition(":")[2].strip()
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        if line.startswith("model name")
    ]
    return {
        "cpu": model[0],
        "cpus": os.cpu_count(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        **json.loads(measured.stdout),
    }


def _peaks() -> dict[str, Any]:
    source = np.ones(COPIED_BYTES // 8)
    target = np.zeros_like(source)
    copy = _best_seconds(lambda: np.copyto(target, source))
    gflops, meaning = _peak_gflops()
    return {
        "peak_gflops": gflops,
        "peak_is": meaning,
        "bandwidth_gb": 2e-9 * COPIED_BYTES / copy,
        "bandwidth_is": f"a copy of {COPIED_BYTES // 2**20} MiB, bytes read and written",
    }


def _peak_gflops() -> tuple[float, str]:
    """Measure fused multiply-adds in registers, or without our core a product of large matrices."""
    core = library.load()
    if core is not None:
        multiply_add = core.functions.nn_peak
        multiply_add.argtypes, multiply_add.restype = [ctypes.c_int64], ctypes.c_double
        operations = 2 * ACCUMULATORS * core.functions.nn_lanes() * PEAK_ROUNDS
        return 1e-9 * operations / _best_seconds(
            lambda: multiply_add(PEAK_ROUNDS)
        ), "multiply-adds in registers"
    rng = np.random.default_rng(0)
    a, b = rng.standard_normal((2, MATRIX, MATRIX), np.float32)
    c = np.empty_like(a)
    multiply = _best_seconds(lambda: np.matmul(a, b, out=c))
    return 2e-9 * MATRIX**3 / multiply, f"NumPy's product of two {MATRIX} x {MATRIX} matrices"


def _best_seconds(work: Callable[[], object]) -> float:
    seconds = []
    for _ in range(REPEATS):
        started = perf_counter()
        work()
        seconds.append(perf_counter() - started)
    return min(seconds)


if __name__ == "__main__":
    print(json.dumps(_peaks()))
