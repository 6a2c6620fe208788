"""Ours at work: a training loop that logs, writers at a steady pace, and readers beside them."""

from __future__ import annotations

from time import perf_counter, sleep
from typing import Any

from tests.benchmarks.series.contenders import logged
from tests.benchmarks.series.contenders.ours import FLUSHED_EVERY, Store
from tests.benchmarks.series.contenders.steps import Work
from tests.benchmarks.series.network import NAMES

PACED_EVERY = 100  # steps


class Worker(Store):
    """A worker, or somebody who looks."""

    def prepare_loop(self, steps: int) -> dict[str, float]:
        """Make the values, a run, and work that takes a step's time; give the seconds of a step."""
        self._rows = logged.rows(steps, len(NAMES))
        self._run, self._buffer, self._logged = self._new_run(), self._buffer_of(), 0
        self._work = Work()
        return {"step_seconds": self._work.seconds()}

    def loop(self, log: bool) -> int:
        """Do all steps, with or without logging each, the writing with it; give how many were done."""
        record, first = self._buffer.log, self._logged
        for step, row in enumerate(self._rows, first):
            self._work.step(row)
            if log:
                record(step, row)
                if not (step + 1) % FLUSHED_EVERY:
                    self._flush(final=False)
        self._logged += len(self._rows) if log else 0
        return len(self._rows)

    def prepare_writer(self, seconds: float, rate: int) -> int:
        """Make the values, and a run; name it."""
        self._rows = logged.rows(min(int(seconds * rate), logged.SOURCE_STEPS), len(NAMES))
        self._run = self._new_run()
        return self._run

    def write_for(self, seconds: float, rate: int) -> dict[str, Any]:
        """Log so many steps a second, or as many as can be; give the milliseconds of each flush."""
        from django.db import OperationalError  # noqa: PLC0415

        self._buffer = self._buffer_of()
        flushes, locked, steps = [], 0, int(seconds * rate)
        began = perf_counter()
        for step in range(steps):
            self._buffer.log(step, self._rows[step % len(self._rows)])
            if not step % PACED_EVERY:
                sleep(max(0.0, began + step / rate - perf_counter()))
            if not (step + 1) % FLUSHED_EVERY or step + 1 == steps:
                flushing = perf_counter()
                try:
                    self._flush(final=step + 1 == steps)
                except OperationalError:
                    locked += 1
                flushes.append(1e3 * (perf_counter() - flushing))
        return {"points": steps * len(NAMES), "flush_ms": flushes, "lock_errors": locked}

    def prepare_reader(self, runs: list[int]) -> None:
        """Say which runs to look at."""
        self._runs = runs

    def read_for(self, seconds: float) -> dict[str, Any]:
        """Look at the loss of one run after another, as a chart asks; give each look's milliseconds."""
        from django.db import OperationalError  # noqa: PLC0415

        looks: list[float] = []
        locked = 0
        until = perf_counter() + seconds
        while perf_counter() < until:
            run = self._runs[len(looks) % len(self._runs)]
            looking = perf_counter()
            try:
                self._window([run], None, None, 1000)
            except OperationalError:
                locked += 1
            looks.append(1e3 * (perf_counter() - looking))
            sleep(0.02)
        return {"look_ms": looks, "lock_errors": locked}
