"""Ingest in process: everybody logs the same float32 values, and closes; then counts what it reads.

The points a second include the end of the run: what is flushed there is part of the work.
"""

from __future__ import annotations

import os
from contextlib import ExitStack
from math import ceil
from typing import TYPE_CHECKING, Any

from tests.benchmarks.pipes import ContenderError
from tests.benchmarks.series.network import NAMES
from tests.benchmarks.series.processes import Contender, Entry, store
from tests.benchmarks.series.rounds import Row, measurement, play

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from tests.benchmarks.series.rounds import Figures

KEYS = len(NAMES)
SECONDS = 0.8  # at least, of a round's work
DATABASES = ("nnlab_pg", "mlflow_pg")
MOST_STEPS = {KEYS: 100_000, 1: 1_000_000}

DICTS = {
    "nnlab": Entry("nnlab, SQLite", "ours:Store:"),
    "nnlab_full": Entry("nnlab, SQLite, synchronous=FULL", "ours:Store:full"),
    "nnlab_pg": Entry("nnlab, PostgreSQL", "ours:Store:"),
    "mlflow": Entry("MLflow log_batch, SQLite", "mlflow_store:Store:batch", "mlflow"),
    "mlflow_dict": Entry("MLflow log_metrics, SQLite", "mlflow_store:Store:dict", "mlflow"),
    "mlflow_async": Entry("MLflow log_metrics, not waiting, SQLite", "mlflow_store:Store:async", "mlflow"),
    "mlflow_pg": Entry("MLflow log_batch, PostgreSQL", "mlflow_store:Store:batch", "mlflow"),
    "aim": Entry("Aim track(dict)", "aim_repo:Tracked:dict", "aim"),
    "tensorboard": Entry("tensorboardX add_scalar", "tensorboard_events:Events:", "tensorboard"),
    "trackio": Entry("trackio log(dict)", "trackio_table:Table:log", "trackio"),
    "trackio_bulk": Entry("trackio, its internal bulk_log", "trackio_table:Table:bulk", "trackio"),
    "wandb": Entry("W&B offline log(dict)", "wandb_offline:Offline:", "wandb"),
}
SINGLES = {
    "nnlab": Entry("nnlab, SQLite", "ours:Store:"),
    "nnlab_pg": Entry("nnlab, PostgreSQL", "ours:Store:"),
    "mlflow": Entry("MLflow log_metric, SQLite", "mlflow_store:Store:one", "mlflow"),
    "mlflow_batch": Entry("MLflow log_batch, SQLite", "mlflow_store:Store:batch", "mlflow"),
    "mlflow_pg": Entry("MLflow log_metric, PostgreSQL", "mlflow_store:Store:one", "mlflow"),
    "aim": Entry("Aim track", "aim_repo:Tracked:one", "aim"),
    "tensorboard": Entry("tensorboardX add_scalar", "tensorboard_events:Events:", "tensorboard"),
    "trackio": Entry("trackio log", "trackio_table:Table:log", "trackio"),
    "wandb": Entry("W&B offline log", "wandb_offline:Offline:", "wandb"),
}


def dicts(rounds: int, databases: Mapping[str, str], only: Collection[str] = ()) -> dict[str, Any]:
    """Log 28 values a step."""
    return _measure("ingest_28_keys", DICTS, KEYS, rounds, databases, only)


def singles(rounds: int, databases: Mapping[str, str], only: Collection[str] = ()) -> dict[str, Any]:
    """Log one value a call."""
    return _measure("ingest_1_key", SINGLES, 1, rounds, databases, only)


def _measure(
    name: str,
    entries: Mapping[str, Entry],
    keys: int,
    rounds: int,
    databases: Mapping[str, str],
    only: Collection[str],
) -> dict[str, Any]:
    load = os.getloadavg()[0]
    rows = {key: Row(entry.title) for key, entry in entries.items() if not only or key in only}
    turns = {}
    with ExitStack() as stack:
        for key, row in rows.items():
            try:
                variables = {"BENCH_DATABASE": databases[key]} if key in databases else {}
                if key.endswith("_pg") and not variables:
                    raise ContenderError("no PostgreSQL server was started")
                contender = Contender(entries[key], store(f"{name}-{key}"), variables)
                stack.enter_context(contender)
                row.notes = dict(contender.hello)
                turns[key] = _turn(contender, _calibrated(contender, keys), keys, row)
            except ContenderError as error:
                row.failure = str(error)
        play(rows, turns, rounds)
    return measurement(name, rows, load, keys=keys)


def _calibrated(contender: Contender, keys: int) -> int:
    """Find how many steps take long enough."""
    steps = max(8, 256 // keys)
    while True:
        contender.call("begin", steps=steps, keys=keys)
        told = contender.call("log")
        if told.wall >= SECONDS or steps == MOST_STEPS[keys]:
            return steps
        steps = min(MOST_STEPS[keys], ceil(steps * min(10.0, 1.2 * SECONDS / max(told.wall, 1e-9))))


def _turn(contender: Contender, steps: int, keys: int, row: Row) -> Callable[[], Figures]:
    row.notes["steps"] = steps

    def take() -> Figures:
        contender.call("begin", steps=steps, keys=keys)
        told = contender.call("log")
        if told.gave != steps * keys:
            raise ContenderError(f"logged {told.gave:,} points of {steps * keys:,}")
        figures = {
            "points_per_second": told.gave / told.wall,
            "cpu_points_per_second": told.gave / max(told.cpu, 0.01),
        }
        if row.notes.get("unread") is None:
            figures |= _counted(contender, told.gave, row)
        return figures

    return take


def _counted(contender: Contender, expected: int, row: Row) -> Figures:
    """Count by the contender's own reader; a wrong count ends it, a tool without a reader is noted."""
    try:
        told = contender.call("readable")
    except ContenderError as error:
        row.notes["unread"] = str(error)
        return {}
    if told.gave != expected:
        raise ContenderError(f"reads {told.gave:,} points where {expected:,} were logged")
    return {"readable_seconds": told.wall}
