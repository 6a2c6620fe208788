"""Bytes a point: all that a tool keeps after its close, less what it keeps of runs with one step."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from tests.benchmarks.pipes import ContenderError
from tests.benchmarks.series.ingest import DICTS, KEYS
from tests.benchmarks.series.processes import Contender, store
from tests.benchmarks.series.rounds import Row, measurement

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

# Figure: runs, steps of each.
SHAPES = {"short_runs": (20, 200), "long_run": (1, 10_000), "longest_run": (1, 100_000)}
NAMES = ("nnlab", "nnlab_pg", "mlflow", "mlflow_pg", "aim", "tensorboard", "trackio", "wandb")
LONGEST = ("nnlab", "nnlab_pg", "trackio", "wandb")  # the others would log for minutes what changes nothing
DATABASES = ("nnlab_pg", "mlflow_pg")


def sizes(rounds: int, databases: Mapping[str, str], only: Collection[str] = ()) -> dict[str, Any]:
    """Measure the bytes of 28 series, once: they do not scatter."""
    del rounds
    load = os.getloadavg()[0]
    rows = {name: Row(DICTS[name].title) for name in NAMES if not only or name in only}
    for name, row in rows.items():
        try:
            if name.endswith("_pg") and name not in databases:
                raise ContenderError("no PostgreSQL server was started")
            for figure, (runs, steps) in SHAPES.items():
                if figure != "longest_run" or name in LONGEST:
                    row.add({f"{figure}_bytes": _bytes_a_point(name, figure, runs, steps, databases)})
        except ContenderError as error:
            row.failure = str(error)
    return measurement("sizes", rows, load, keys=KEYS, shapes=SHAPES)


def _bytes_a_point(name: str, figure: str, runs: int, steps: int, databases: Mapping[str, str]) -> float:
    variables = {"BENCH_DATABASE": databases[name]} if name in databases else {}
    with Contender(DICTS[name], store(f"sizes-{name}-{figure}"), variables) as contender:
        before = _kept_after(contender, runs, 1)
        return (_kept_after(contender, runs, steps) - before) / (runs * steps * KEYS)


def _kept_after(contender: Contender, runs: int, steps: int) -> int:
    for _ in range(runs):
        contender.call("begin", steps=steps, keys=KEYS)
        contender.call("log")
    return int(contender.call("kept").gave)
