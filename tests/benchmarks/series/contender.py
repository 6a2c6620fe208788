"""A contender: one tool in a process of its own, bound to one CPU, that answers calls on a pipe.

A call is a line ``[method, {argument: value}]``; its answer is a line of JSON with what the method gave
and the CPU and wall seconds that it took. The CPU time of processes that the tool starts is counted.
"""

from __future__ import annotations

import json
import os
import sys
from contextlib import redirect_stdout
from importlib import import_module
from pathlib import Path
from time import perf_counter
from typing import Any

TICKS = os.sysconf("SC_CLK_TCK")


class Unable(Exception):  # noqa: N818
    """The contender cannot do this, for the reason given."""


def serve(path: str, folder: str) -> None:
    """Answer calls until the input ends. ``path`` is ``module:class:option``."""
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    with redirect_stdout(sys.stderr):
        for answer in _answers(path, Path(folder)):
            answers.write(json.dumps(answer) + "\n")
    # What a tool leaves in threads and children must not hold up the next contender.
    answers.close()
    sys.stderr.flush()
    os._exit(0)


def _answers(path: str, folder: Path) -> Any:
    if "BENCH_CPU" in os.environ:
        os.sched_setaffinity(0, set(map(int, os.environ["BENCH_CPU"].split(","))))
    place, name, option = path.split(":")
    try:
        module = import_module(place)
        contender = getattr(module, name)(folder, option)
    except Unable as error:
        yield {"unable": str(error)}
        return
    yield {"versions": contender.versions(), "durability": getattr(module, "DURABILITY", "")}
    for line in sys.stdin:
        method, arguments = json.loads(line)
        before, wall = cpu_seconds(os.getpid()), perf_counter()
        try:
            answer = {"gave": getattr(contender, method)(**arguments)}
        except Unable as error:
            answer = {"unable": str(error)}
        seconds = perf_counter() - wall
        yield {**answer, "wall": seconds, "cpu": cpu_seconds(os.getpid()) - before}


def cpu_seconds(pid: int) -> float:
    """Give the CPU time of a process and of all its living descendants."""
    parents: dict[int, int] = {}
    times: dict[int, float] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            told = (folder / "stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        except OSError:  # it ended
            continue
        parents[int(folder.name)] = int(told[1])
        times[int(folder.name)] = sum(map(int, told[11:15])) / TICKS  # with those of its ended children
    return sum(seconds for one, seconds in times.items() if _descends(one, pid, parents))


def _descends(pid: int, ancestor: int, parents: dict[int, int]) -> bool:
    while pid != ancestor and pid in parents:
        pid = parents[pid]
    return pid == ancestor


def kept_bytes(folder: Path) -> int:
    """Add up all files in a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


if __name__ == "__main__":
    # By its name, so that contenders raise the same Unable as is caught here.
    import_module("tests.benchmarks.series.contender").serve(*sys.argv[1:])
