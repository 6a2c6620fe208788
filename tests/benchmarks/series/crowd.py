"""Four writers at 10,000 steps a second of 28 series each, and two readers, on the same database at once."""

from __future__ import annotations

import os
from contextlib import ExitStack
from statistics import median
from typing import TYPE_CHECKING, Any

from tests.benchmarks.pipes import ContenderError
from tests.benchmarks.series.processes import Contender, Entry, store
from tests.benchmarks.series.rounds import Row, measurement

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from tests.benchmarks.series.rounds import Figures

ENTRIES = {
    "nnlab": Entry("nnlab, SQLite", "ours_work:Worker:"),
    "nnlab_pg": Entry("nnlab, PostgreSQL", "ours_work:Worker:"),
}
DATABASES = ("nnlab_pg",)
WRITERS, READERS, STEPS_PER_SECOND, SECONDS = 4, 2, 10_000, 20.0


def crowd(
    rounds: int, databases: Mapping[str, str], only: Collection[str] = (), seconds: float = SECONDS
) -> dict[str, Any]:
    """Let all of them work for so many seconds; once, since they do so for long."""
    del rounds
    load = os.getloadavg()[0]
    rows = {name: Row(entry.title) for name, entry in ENTRIES.items() if not only or name in only}
    for name, row in rows.items():
        try:
            if name.endswith("_pg") and name not in databases:
                raise ContenderError("no PostgreSQL server was started")
            row.add(_together(name, databases, seconds, row))
        except ContenderError as error:
            row.failure = str(error)
    return measurement("crowd", rows, load, seconds=seconds, writers=WRITERS, readers=READERS)


def _together(name: str, databases: Mapping[str, str], seconds: float, row: Row) -> Figures:
    folder = store(f"crowd-{name}")
    variables = {"BENCH_CPU": ",".join(map(str, sorted(os.sched_getaffinity(0))))}
    if name in databases:
        variables["BENCH_DATABASE"] = databases[name]
    with ExitStack() as stack:
        workers = [
            stack.enter_context(Contender(ENTRIES[name], folder, variables, kept=place > 0))
            for place in range(WRITERS + READERS)
        ]
        writers, readers = workers[:WRITERS], workers[WRITERS:]
        runs = [
            writer.call("prepare_writer", seconds=seconds, rate=STEPS_PER_SECOND).gave for writer in writers
        ]
        for reader in readers:
            reader.call("prepare_reader", runs=runs)
        for writer in writers:
            writer.begin("write_for", seconds=seconds, rate=STEPS_PER_SECOND)
        for reader in readers:
            reader.begin("read_for", seconds=seconds)
        wrote, read = [one.end() for one in writers], [one.end() for one in readers]
        held = [workers[0].call("stored", run=run).gave for run in runs]
    expected = [told.gave["points"] for told in wrote]
    if held != expected:
        raise ContenderError(f"holds {held} points of {expected}")
    flushes = [value for told in wrote for value in told.gave["flush_ms"]]
    looks = [value for told in read for value in told.gave["look_ms"]]
    row.notes = {"flushes": len(flushes), "looks": len(looks)}
    return {
        "points_per_second": sum(held) / max(told.wall for told in wrote),
        "flush_median_ms": median(flushes),
        "flush_p99_ms": _percentile(flushes, 0.99),
        "look_median_ms": median(looks),
        "look_p99_ms": _percentile(looks, 0.99),
        "lock_errors": float(sum(told.gave["lock_errors"] for told in (*wrote, *read))),
    }


def _percentile(values: list[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]
