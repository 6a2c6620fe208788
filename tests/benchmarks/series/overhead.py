"""What logging costs a training loop of 10,000 steps a second: the same steps with and without it, paired."""

from __future__ import annotations

import os
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tests.benchmarks.pipes import ContenderError
from tests.benchmarks.series.processes import Contender, Entry, store
from tests.benchmarks.series.rounds import Row, measurement, play
from tests.benchmarks.series.servers import nnlab_server

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from tests.benchmarks.series.processes import Told
    from tests.benchmarks.series.rounds import Figures

PAIRS = 21  # the difference is small
STEPS = 4096  # of a half of a pair: as many as fill a chunk of each series, so that all halves do the same
LONG_STEPS = 4 * STEPS  # of halves that flush by the clock, once a second


@dataclass(frozen=True)
class _Way:
    """A way to record a loop.

    Args:
        has_server: it logs to a server, in a process and on a CPU of its own.
        has_runs: every half that logs has a run of its own, with its beginning and its end.
    """

    entry: Entry
    steps: int = STEPS
    has_server: bool = False
    has_runs: bool = False


_WORKER, _CLIENT, _ENGINE = "ours_work:Worker:", "ours_client:Program:", "ours_engine:Trainer:"
WAYS = {
    "nnlab": _Way(Entry("28 keys a step, the store in the same process, SQLite", _WORKER)),
    "nnlab_pg": _Way(Entry("28 keys a step, the store in the same process, PostgreSQL", _WORKER)),
    "nnlab_client": _Way(
        Entry("28 keys a step, nnlab.client", _CLIENT), LONG_STEPS, has_server=True, has_runs=True
    ),
    "nnlab_engine": _Way(
        Entry("a run of the engine, recorded as always, SQLite", _ENGINE), LONG_STEPS, has_runs=True
    ),
    "nnlab_engine_pg": _Way(
        Entry("a run of the engine, recorded as always, PostgreSQL", _ENGINE), LONG_STEPS, has_runs=True
    ),
}
DATABASES = ("nnlab_pg", "nnlab_engine_pg")


def overhead(
    rounds: int, databases: Mapping[str, str], only: Collection[str] = (), pairs: int = PAIRS
) -> dict[str, Any]:
    """Measure the share of the step's time, wall and CPU."""
    load = os.getloadavg()[0]
    rows = {name: Row(way.entry.title) for name, way in WAYS.items() if not only or name in only}
    for name, row in rows.items():
        try:
            if name.endswith("_pg") and name not in databases:
                raise ContenderError("no PostgreSQL server was started")
            with ExitStack() as stack:
                _measure(stack, name, row, databases.get(name, ""), max(rounds, pairs))
        except ContenderError as error:
            row.failure = str(error)
    return measurement("overhead", rows, load)


def _measure(stack: ExitStack, name: str, row: Row, database: str, pairs: int) -> None:
    way, arguments = WAYS[name], {}
    if way.has_server:
        server = stack.enter_context(nnlab_server(store(f"overhead-{name}-server")))
        arguments = {"address": server.address, "token": server.token}
    variables = {"BENCH_DATABASE": database} if database else {}
    contender = stack.enter_context(Contender(way.entry, store(f"overhead-{name}"), variables))
    row.notes = {"steps": way.steps}
    row.notes |= contender.call("prepare_loop", steps=way.steps, **arguments).gave
    play({name: row}, {name: _Loop(contender, way).pair}, pairs)


class _Loop:
    """A loop that is done in turns with and without logging."""

    def __init__(self, contender: Contender, way: _Way) -> None:
        self._contender, self._has_runs = contender, way.has_runs
        self._plain = self._do(log=False)

    def pair(self) -> Figures:
        """Give what logging adds to the time of the plain halves before and after it.

        Their mean follows a machine that slowly changes its speed. A half that logs may do more steps.
        """
        before = self._plain
        if self._has_runs:
            self._contender.call("begin_run")
        logging = self._do(log=True)
        after = self._plain = self._do(log=False)
        more = logging.gave / before.gave
        wall, cpu = (before.wall + after.wall) / 2, (before.cpu + after.cpu) / 2
        return {"wall_share": logging.wall / wall - more, "cpu_share": logging.cpu / cpu - more}

    def _do(self, *, log: bool) -> Told:
        return self._contender.call("loop", log=log)
