"""What the machine is, and what it can do at most on one thread: shares of that travel, times do not."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np

from tests.benchmarks.engine.processes import PACKAGE, ROOT, environment

if TYPE_CHECKING:
    from collections.abc import Callable

MATRIX, COPIED_BYTES, REPEATS = 1024, 256 * 2**20, 7


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
    rng = np.random.default_rng(0)
    a, b = rng.standard_normal((2, MATRIX, MATRIX), np.float32)
    c = np.empty_like(a)
    source = np.ones(COPIED_BYTES // 8)
    target = np.zeros_like(source)
    multiply = _best_seconds(lambda: np.matmul(a, b, out=c))
    copy = _best_seconds(lambda: np.copyto(target, source))
    return {
        "peak_gflops": 2e-9 * MATRIX**3 / multiply,
        "peak_is": f"NumPy's float32 product of two {MATRIX} x {MATRIX} matrices",
        "bandwidth_gb": 2e-9 * COPIED_BYTES / copy,
        "bandwidth_is": f"NumPy's copy of {COPIED_BYTES // 2**20} MiB, bytes read and written",
    }


def _best_seconds(work: Callable[[], object]) -> float:
    seconds = []
    for _ in range(REPEATS):
        started = perf_counter()
        work()
        seconds.append(perf_counter() - started)
    return min(seconds)


if __name__ == "__main__":
    print(json.dumps(_peaks()))
