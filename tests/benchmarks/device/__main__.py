"""Compares populations on a GPU: python -m tests.benchmarks.device [W1x128 ...].

Needs an environment with nnlab, CuPy, and JAX and PyTorch for the same CUDA. Each contender has a process of
its own, one after the other, so that none holds the card's memory while another is timed; times are wall
time. A contender whose first losses are not ours gets no number.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib import import_module
from statistics import median
from time import perf_counter
from typing import Any

import numpy as np

from tests.benchmarks.device.ours import WORKLOADS
from tests.benchmarks.engine.contender import Unable

CHECKED_STEPS, TOLERANCE = 60, 1e-4
ROUNDS, SECONDS = 11, 0.5
CONTENDERS = {
    "nnlab": "ours:Ours:",
    "jax": "jax_scan:OnDevice:",
    "torch": "torch_functions:OnDevice:compiled",
}


def contend(name: str, workload: str) -> dict[str, Any]:
    """Do a contender's part, in its own process."""
    module, kind, option = CONTENDERS[name].split(":")
    try:
        build = getattr(import_module(f"tests.benchmarks.device.{module}"), kind)
        contender = build(WORKLOADS[workload], option)
    except (ImportError, Unable) as error:
        return {"failure": str(error)}
    losses = np.atleast_2d(contender.check(CHECKED_STEPS)).tolist()
    steps = 1
    rounds: list[float] = []
    while len(rounds) < ROUNDS:
        started = perf_counter()
        done = contender.run(steps)
        seconds = perf_counter() - started
        if seconds < SECONDS:
            steps, rounds = 2 * steps, []
        else:
            rounds.append(seconds / done)
    return {"losses": losses, "seconds": rounds, "versions": contender.versions()}


def compare(workload: str) -> None:
    """Print a workload's line: microseconds a step of all members, and ours against the fastest peer."""
    told: dict[str, dict[str, Any]] = {}
    for name in CONTENDERS:
        command = [sys.executable, "-m", "tests.benchmarks.device", "--contend", name, workload]
        variables = os.environ | {"XLA_PYTHON_CLIENT_PREALLOCATE": "false"}
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, env=variables, check=False)
        lines = done.stdout.splitlines()
        told[name] = json.loads(lines[-1]) if lines else {"failure": f"exit status {done.returncode}"}
    ours = np.array(told["nnlab"].get("losses", []))
    for found in told.values():
        if "losses" in found and ours.size:
            off = float((np.abs(np.array(found["losses"]) - ours) / np.maximum(1.0, np.abs(ours))).max())
            if not off <= TOLERANCE:
                found["failure"] = f"its losses are off by up to {off:.1e}"
    times = {name: median(found["seconds"]) for name, found in told.items() if "failure" not in found}
    for name, found in told.items():
        spent = f"{1e6 * times[name]:10.1f} us a step" if name in times else found["failure"]
        print(f"{workload:8} {name:6} {spent} {found.get('versions', '')}", flush=True)
    peers = [seconds for name, seconds in times.items() if name != "nnlab"]
    if "nnlab" in times and peers:
        ratio = min(peers) / times["nnlab"]
        print(f"{workload:8} ratio  {ratio:10.2f}, target {WORKLOADS[workload].target:g}", flush=True)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--contend"]:
        print(json.dumps(contend(*sys.argv[2:4])))
    else:
        for chosen in sys.argv[1:] or WORKLOADS:
            compare(chosen)
