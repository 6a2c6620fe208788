"""A contender: trains one workload in a process of its own, and answers commands on a pipe.

Commands and answers are lines; an answer is JSON.

    check 60    losses of the first steps from our initial parameters in our order, without dropout
    run 1000    at least so many steps with all duties; the steps really done, CPU and wall seconds

All have the same duties: rows reshuffled each epoch, new dropout masks each step, every step's loss on the
host when the command is answered.
"""

from __future__ import annotations

import json
import os
import sys
from contextlib import redirect_stdout
from importlib import import_module
from time import perf_counter, process_time
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from numpy.typing import NDArray


class Contender(Protocol):
    """What each contender's class offers; it is built from a workload and the contender's options."""

    def check(self, steps: int) -> NDArray[np.floating]:
        """Train from the start without dropout. Shapes: (steps,), or (members, steps)."""
        ...

    def run(self, steps: int) -> int:
        """Train on; give the steps really done, by each member."""
        ...

    def versions(self) -> dict[str, str]:
        """Name the versions of what does the work."""
        ...


class Unable(Exception):  # noqa: N818
    """The contender cannot do this workload with these duties, for the reason given."""


def serve(path: str, workload: str) -> None:
    """Answer commands until the input ends. ``path`` is ``module:class:option``."""
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    with redirect_stdout(sys.stderr):
        for answer in _answers(path, workload):
            answers.write(json.dumps(answer) + "\n")


def _answers(path: str, workload: str) -> Any:
    started = perf_counter()
    module, name, option = path.split(":")
    build: Callable[..., Contender] = getattr(import_module(module), name)
    imported = perf_counter()
    from tests.benchmarks.engine.workloads import WORKLOADS  # noqa: PLC0415

    try:
        contender = build(WORKLOADS[workload], option)
        contender.run(1)
    except Unable as error:
        yield {"unable": str(error)}
        return
    yield {
        "import_seconds": imported - started,
        "compile_seconds": perf_counter() - imported,
        "versions": contender.versions(),
    }
    for line in sys.stdin:
        command, count = line.split()
        if command == "check":
            yield {"losses": contender.check(int(count)).tolist()}
        else:
            cpu, wall = process_time(), perf_counter()
            done = contender.run(int(count))
            yield {"steps": done, "cpu": process_time() - cpu, "wall": perf_counter() - wall}


if __name__ == "__main__":
    # By its name, so that contenders raise the same Unable as is caught here.
    import_module("tests.benchmarks.engine.contender").serve(*sys.argv[1:])
