"""What logging costs a training loop of 10,000 steps a second: the same steps with and without it, paired."""

from __future__ import annotations

import os
from functools import partial
from typing import TYPE_CHECKING, Any

from tests.benchmarks.pipes import ContenderError
from tests.benchmarks.series.processes import Contender, Entry, store
from tests.benchmarks.series.rounds import Row, measurement, play

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from tests.benchmarks.series.rounds import Figures

ENTRIES = {
    "nnlab": Entry("nnlab, SQLite", "ours_work:Worker:"),
    "nnlab_pg": Entry("nnlab, PostgreSQL", "ours_work:Worker:"),
}
DATABASES = ("nnlab_pg",)
PAIRS = 21  # the difference is small
STEPS = 4096  # of a half of a pair: as many as fill a chunk of each series, so that all halves do the same


def overhead(
    rounds: int, databases: Mapping[str, str], only: Collection[str] = (), pairs: int = PAIRS
) -> dict[str, Any]:
    """Measure the share of the step's time, wall and CPU."""
    load = os.getloadavg()[0]
    rows = {name: Row(entry.title) for name, entry in ENTRIES.items() if not only or name in only}
    for name, row in rows.items():
        try:
            if name.endswith("_pg") and name not in databases:
                raise ContenderError("no PostgreSQL server was started")
            variables = {"BENCH_DATABASE": databases[name]} if name in databases else {}
            with Contender(ENTRIES[name], store(f"overhead-{name}"), variables) as contender:
                row.notes = {"step_seconds": contender.call("prepare_loop", steps=STEPS).gave}
                play({name: row}, {name: partial(_pair, contender)}, max(rounds, pairs))
        except ContenderError as error:
            row.failure = str(error)
    return measurement("overhead", rows, load, steps=STEPS)


def _pair(contender: Contender) -> Figures:
    plain, logging = contender.call("loop", log=False), contender.call("loop", log=True)
    return {"wall_share": logging.wall / plain.wall - 1.0, "cpu_share": logging.cpu / plain.cpu - 1.0}
