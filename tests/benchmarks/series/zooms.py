"""Zooms into a hundred million stored points: among 100 runs, in one of 100 M steps, of 50 at once."""

from __future__ import annotations

import os
from contextlib import ExitStack
from statistics import median
from typing import TYPE_CHECKING, Any

from tests.benchmarks.pipes import ContenderError
from tests.benchmarks.series.charts import VALUES
from tests.benchmarks.series.processes import Contender, Entry, store
from tests.benchmarks.series.rounds import Row, measurement, play
from tests.benchmarks.series.servers import nnlab_server

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from tests.benchmarks.series.rounds import Figures

ENTRY = Entry("nnlab", "ours_rows:Filled:")
DATABASES_TITLES = {"nnlab": "SQLite", "nnlab_pg": "PostgreSQL"}
DATABASES = ("nnlab_pg",)
RUNS, STEPS, LONG, TOGETHER = 100, 1_000_000, 100_000_000, 50
COLUMNS = 2000  # two a pixel, a least and a greatest value in each
TIMES, HTTP_TIMES = 100, 10  # a round
KINDS = {
    "runs": "a run of {runs} with a million points each",
    "long": "a run of {long:,} steps",
    "http": "{together} runs whole, over HTTP",
}


def zooms(
    rounds: int,
    databases: Mapping[str, str],
    only: Collection[str] = (),
    runs: int = RUNS,
    long: int = LONG,
) -> dict[str, Any]:
    """Ask for windows that are drawn anew each time; the widths are spread over all scales."""
    load = os.getloadavg()[0]
    together = min(TOGETHER, runs)
    rows: dict[str, Row] = {}
    turns: dict[str, Callable[[], Figures]] = {}
    with ExitStack() as stack:
        for name, title in DATABASES_TITLES.items():
            if only and name not in only:
                continue
            told = {
                kind: said.format(runs=runs, long=long, together=together) for kind, said in KINDS.items()
            }
            mine = {kind: Row(f"nnlab, {title}, {said}") for kind, said in told.items()}
            rows |= {f"{name}_{kind}": row for kind, row in mine.items()}
            try:
                turns |= _turns(stack, name, databases, runs, long, together)
            except ContenderError as error:
                for row in mine.values():
                    row.failure = str(error)
        play(rows, turns, rounds)
    return measurement("zooms", rows, load, runs=runs, steps=STEPS, long=long, together=together)


def _turns(
    stack: ExitStack, name: str, databases: Mapping[str, str], runs: int, long: int, together: int
) -> dict[str, Callable[[], Figures]]:
    if name.endswith("_pg") and name not in databases:
        raise ContenderError("no PostgreSQL server was started")
    folder = store(f"zoom-{name}")
    variables = {"BENCH_DATABASE": databases[name]} if name in databases else {}
    contender = stack.enter_context(Contender(ENTRY, folder, variables))
    many = contender.call("fill_many", runs=runs, steps=STEPS).gave
    one = contender.call("fill_long", steps=long).gave
    server = stack.enter_context(nnlab_server(folder, databases.get(name, "")))
    client = Contender(Entry("client", "http_charts:Charts:nnlab"), store(f"zoom-client-{name}"))
    stack.enter_context(client)
    client.call("connect", address=server.address, token=server.token)
    asked = {"runs": many[:together], "metric": "loss", "window": None, "values": VALUES}
    for _ in range(3):
        contender.call("zoom", runs=many, steps=STEPS, times=TIMES, columns=COLUMNS)
        contender.call("zoom", runs=[one], steps=long, times=TIMES, columns=COLUMNS)
        client.call("chart", times=1, **asked)
    return {
        f"{name}_runs": lambda: _spread(
            contender.call("zoom", runs=many, steps=STEPS, times=TIMES, columns=COLUMNS).gave
        ),
        f"{name}_long": lambda: _spread(
            contender.call("zoom", runs=[one], steps=long, times=TIMES, columns=COLUMNS).gave
        ),
        f"{name}_http": lambda: _spread(client.call("chart", times=HTTP_TIMES, **asked).gave["ms"]),
    }


def _spread(spent: list[float]) -> Figures:
    return {"median_ms": median(spent), "p95_ms": sorted(spent)[int(0.95 * len(spent))]}
