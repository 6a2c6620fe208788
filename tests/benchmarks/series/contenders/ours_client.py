"""Ours as people log to it: a loop in a program of its own, with ``nnlab.client``, to a server elsewhere."""

from __future__ import annotations

import sys
from threading import Thread
from typing import TYPE_CHECKING

from nnlab import client
from nnlab.client import spool
from tests.benchmarks.series.contender import Unable
from tests.benchmarks.series.contenders import logged
from tests.benchmarks.series.contenders.steps import Work
from tests.benchmarks.series.network import NAMES

if TYPE_CHECKING:
    from pathlib import Path

    from nnlab.client.run import Run


class Program:
    """A training program that knows nothing of the store."""

    def __init__(self, folder: Path, option: str) -> None:
        self._run: Run | None = None

    def versions(self) -> dict[str, str]:
        """Name the versions."""
        return logged.versions(["nnlab", "numpy"])

    def prepare_loop(self, steps: int, address: str, token: str) -> dict[str, float]:
        """Make the values and the work, and note where the server is; give the seconds of a step."""
        if "django" in sys.modules:
            raise Unable("expected a client that needs no Django, got one that imports it")
        self._rows = logged.rows(steps, len(NAMES))
        self._address, self._token = address, token
        self._work = Work()
        return {"step_seconds": self._work.seconds()}

    def begin_run(self) -> None:
        """Start the run that the next loop logs to."""
        self._run = client.start("benchmark", "benchmark", url=self._address, token=self._token)

    def loop(self, log: bool) -> int:
        """Do all steps, with or without logging each; give how many were done.

        After the last row the loop goes on without logging until all is sent: so the client's threads are
        never waited for, and all that they take from the loop shows in its time.
        """
        if not log:
            for row in self._rows:
                self._work.step(row)
            return len(self._rows)
        run = self._run
        if run is None or run.id is None:
            raise Unable("expected a run on the server, got none")
        for step, row in enumerate(self._rows):
            self._work.step(row)
            run.log(step, row)
        steps, ending = len(self._rows), Thread(target=run.finish)
        ending.start()
        while ending.is_alive():
            self._work.step()
            steps += 1
        left = [folder.name for folder in spool.root().iterdir()]
        if left:
            raise Unable(f"expected a server that takes everything, got {', '.join(left)} left behind")
        return steps
