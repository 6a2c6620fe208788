"""Bytes a point: all that a tool keeps after its close, less what it keeps of runs with one step.

On PostgreSQL after a plain VACUUM, which the server does by itself within minutes, and before it.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from tests.benchmarks.pipes import ContenderError
from tests.benchmarks.series.ingest import DICTS, KEYS
from tests.benchmarks.series.processes import Contender, store
from tests.benchmarks.series.rounds import Row, measurement

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from tests.benchmarks.series.rounds import Figures

# Figure: runs, steps of each.
SHAPES = {"short_runs": (20, 200), "long_run": (1, 10_000), "longest_run": (1, 100_000)}
NAMES = ("nnlab", "nnlab_pg", "mlflow", "mlflow_pg", "aim", "tensorboard", "trackio", "wandb")
LONGEST = ("nnlab", "nnlab_pg", "trackio", "wandb")  # the others would log for minutes what changes nothing
DATABASES = ("nnlab_pg", "mlflow_pg")


def sizes(
    rounds: int,
    databases: Mapping[str, str],
    only: Collection[str] = (),
    shapes: Mapping[str, tuple[int, int]] = SHAPES,
) -> dict[str, Any]:
    """Measure the bytes of 28 series, once: they do not scatter."""
    del rounds
    load = os.getloadavg()[0]
    rows = {name: Row(DICTS[name].title) for name in NAMES if not only or name in only}
    for name, row in rows.items():
        try:
            if name.endswith("_pg") and name not in databases:
                raise ContenderError("no PostgreSQL server was started")
            for figure, (runs, steps) in shapes.items():
                if figure != "longest_run" or name in LONGEST:
                    row.add(_bytes_a_point(name, figure, runs, steps, databases))
        except ContenderError as error:
            row.failure = str(error)
    return measurement("sizes", rows, load, keys=KEYS, shapes=shapes)


def _bytes_a_point(name: str, figure: str, runs: int, steps: int, databases: Mapping[str, str]) -> Figures:
    variables = {"BENCH_DATABASE": databases[name]} if name in databases else {}
    with Contender(DICTS[name], store(f"sizes-{name}-{figure}"), variables) as contender:
        _log(contender, runs, 1)
        before = _kept(contender, name)
        _log(contender, runs, steps)
        kept = {}
        if name.endswith("_pg"):
            kept[f"{figure}_unvacuumed_bytes"] = contender.call("kept").gave
        kept[f"{figure}_bytes"] = _kept(contender, name)
    return {figure: (size - before) / (runs * steps * KEYS) for figure, size in kept.items()}


def _log(contender: Contender, runs: int, steps: int) -> None:
    for _ in range(runs):
        contender.call("begin", steps=steps, keys=KEYS)
        contender.call("log")


def _kept(contender: Contender, name: str) -> int:
    if name.endswith("_pg"):
        contender.call("vacuum")
    return int(contender.call("kept").gave)
