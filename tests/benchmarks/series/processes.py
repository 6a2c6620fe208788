"""Contenders from outside: who there is, and one process for each."""

from __future__ import annotations

import json
import os
import shutil
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tests.benchmarks import pipes
from tests.benchmarks.pipes import ContenderError
from tests.benchmarks.series.environments import python_of
from tests.benchmarks.series.places import LOGS, STORES

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

PACKAGE = "tests.benchmarks.series"


@dataclass(frozen=True)
class Entry:
    """A tool: its title, ``module:class:option``, and the environment it runs in; ours has none."""

    title: str
    path: str
    environment: str = ""

    @property
    def command(self) -> list[str]:
        """The command that starts it, without its folder."""
        python = str(python_of(self.environment)) if self.environment else sys.executable
        return [python, "-m", f"{PACKAGE}.contender", f"{PACKAGE}.contenders.{self.path}"]


@dataclass(frozen=True)
class Told:
    """What a call gave, and what it took."""

    gave: Any
    wall: float
    cpu: float


def cpus() -> tuple[int, int]:
    """Name the CPU of the contenders, and the CPU of the servers: the same where there is one only."""
    available = sorted(os.sched_getaffinity(0))
    return available[-1], available[0]


def bind(cpu: int) -> None:
    """Bind this process, and those that it starts from now on, to a CPU."""
    os.sched_setaffinity(0, {cpu})


def environment(folder: Path) -> dict[str, str]:
    """Give a contender's environment: nothing of the caller's own settings, no network, one thread."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("NNLAB", "DJANGO"))}
    for name in ("DATABASE_URL", "REDIS_URL", "SECRET_KEY"):
        kept.pop(name, None)
    threads = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")
    return (
        kept
        | dict.fromkeys(threads, "1")
        | {
            "HOME": str(folder),
            "XDG_RUNTIME_DIR": "",
            "BENCH_CPU": str(cpus()[0]),
            "PYTHONWARNINGS": "ignore",
            "GIT_PYTHON_REFRESH": "quiet",
        }
    )


class Contender(pipes.Process):
    """A tool at work, in a folder of its own, which is empty at first unless it is to be kept."""

    def __init__(
        self, entry: Entry, folder: Path, variables: Mapping[str, str] | None = None, *, kept: bool = False
    ) -> None:
        if not kept:
            shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True, exist_ok=True)
        log = LOGS / f"{folder.name}-{entry.path.replace(':', '-').strip('-')}.log"
        wanted = environment(folder) | dict(variables or {})
        super().__init__([*entry.command, str(folder)], wanted, log)

    def call(self, method: str, **arguments: Any) -> Told:
        """Let the tool do something.

        Raises:
            ContenderError: if it cannot, with its reason.
        """
        self.begin(method, **arguments)
        return self.end()

    def begin(self, method: str, **arguments: Any) -> None:
        """Let the tool begin; ``end`` waits for it."""
        self.send(json.dumps([method, arguments]))

    def end(self) -> Told:
        """Wait for what was begun."""
        told = self.answer()
        if "unable" in told:
            raise ContenderError(told["unable"])
        return Told(told["gave"], told["wall"], told["cpu"])


def store(name: str) -> Path:
    """Name the folder of a tool's store."""
    return STORES / name


def filled(entry: Entry, name: str, method: str, **arguments: Any) -> Path:
    """Name a tool's store that its method filled, now or in an earlier benchmark."""
    folder, finished = store(name), store(name).with_suffix(".finished")
    if not finished.exists():
        print(f"filling {folder.name}", flush=True)
        with Contender(entry, folder) as contender:
            contender.call(method, **arguments)
        finished.touch()
    return folder
