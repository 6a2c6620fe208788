"""Ours, filled: one series, a hundred runs, a very long run, and the runs of a table."""

from __future__ import annotations

import json
from math import log10
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np

from tests.benchmarks.series.contenders import logged
from tests.benchmarks.series.contenders.ours import Store
from tests.benchmarks.series.network import marked_loss, values

if TYPE_CHECKING:
    from numpy.typing import NDArray

BLOCK = 2**18  # points a write
LONGEST = 1_000_000  # steps of the training that everything is made of
NARROWEST = 1000  # steps of a window
TABLE = "many"


class Filled(Store):
    """A store to read from."""

    def fill(self, steps: int) -> int:
        """Store one run with one series; name the run."""
        self._run = self._new_run()
        self._write_loss(self._run, 0, marked_loss(steps))
        self._end(self._run)
        return self._run

    def fill_many(self, runs: int, steps: int) -> list[int]:
        """Store runs of one series each: the same training, begun elsewhere; name them."""
        found = []
        loss = values(LONGEST)[0][:steps].astype(np.float64)
        for place in range(runs):
            found.append(self._new_run())
            self._write_loss(found[-1], 0, np.roll(loss, 7919 * place))
            self._end(found[-1])
        return found

    def fill_long(self, steps: int) -> int:
        """Store a run of one very long series, the training over and over; name it."""
        run = self._new_run()
        loss = values(LONGEST)[0].astype(np.float64)
        for start in range(0, steps, LONGEST):
            part = np.roll(loss, 7919 * (start // LONGEST))[: steps - start]
            self._write_loss(run, start, part)
        self._end(run)
        return run

    def run(self) -> int:
        """Name the run that was filled."""
        return self._run

    def read(self) -> dict[str, Any]:
        """Read every point of the last run; into an array, so that is what it is asked in, too."""
        (found,) = self._read_all(self._run)
        finite = found[np.isfinite(found)]
        return {"points": len(found), "maximum": float(finite.max()), "nans": len(found) - len(finite)}

    def chart(self) -> dict[str, Any]:
        """Read what a chart of the whole run shows, 2,000 values."""
        (found,) = self._window([self._run], None, None, 1000)
        drawn = [*found.buckets.minimum.tolist(), *found.buckets.maximum.tolist()]
        marked = [float("nan")] * int((found.buckets.flags > 0).sum())
        return {**logged.summary_of(drawn + marked), "shown": True}

    def zoom(self, runs: list[int], steps: int, times: int, columns: int) -> list[float]:
        """Read so many random windows, of widths on all scales; give the milliseconds of each."""
        rng = np.random.default_rng(len(runs))
        spent = []
        for _ in range(times):
            width = int(10 ** rng.uniform(log10(min(NARROWEST, steps)), log10(steps)))
            first = int(rng.integers(0, steps - width + 1))
            run = runs[int(rng.integers(len(runs)))]
            began = perf_counter()
            self._window([run], first, first + width - 1, columns)
            spent.append(1e3 * (perf_counter() - began))
        return spent

    def fill_table(self, count: int) -> list[str]:
        """Store runs with 28 metrics and their parameters, as the runs table reads them; name the metrics."""
        from tests.runs.many_runs import METRICS, build_many_runs  # noqa: PLC0415 - after django.setup()

        build_many_runs(count, slug=TABLE)
        return list(METRICS)

    def write_table(self, path: str) -> None:
        """Write the runs out, a line of JSON each, for the peers' tables."""
        from runs.models import Run, RunMetric, RunParam  # noqa: PLC0415

        told: dict[int, dict[str, Any]] = {
            pk: {"name": name, "metrics": {}, "params": {}}
            for pk, name in Run.objects.filter(project__slug=TABLE).values_list("pk", "name")
        }
        for run, name, last in RunMetric.objects.values_list("run_id", "name__text", "last"):
            told[run]["metrics"][name] = float("nan") if last is None else last
        for run, name, number, text in RunParam.objects.values_list("run_id", "name__text", "number", "text"):
            told[run]["params"][name] = text if number is None else number
        Path(path).write_text("".join(json.dumps(one) + "\n" for one in told.values()), encoding="utf-8")

    def _write_loss(self, run: int, first: int, loss: NDArray[np.float64]) -> None:
        for start in range(0, len(loss), BLOCK):
            part = loss[start : start + BLOCK]
            steps = np.arange(first + start, first + start + len(part), dtype=np.int64)
            self._write(run, {("loss", None): (steps, part)}, final=False)
