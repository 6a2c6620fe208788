"""The runs table over HTTP: sorted by a metric that changes from round to round, filtered, and far down.

The same runs stand in both: ours are written out, and MLflow's tables are filled with them.
"""

from __future__ import annotations

import os
from contextlib import ExitStack
from statistics import median
from typing import TYPE_CHECKING, Any

from tests.benchmarks.pipes import ContenderError
from tests.benchmarks.series.processes import Contender, Entry, filled, store
from tests.benchmarks.series.rounds import Row, measurement, play
from tests.benchmarks.series.servers import mlflow_server, nnlab_server

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping
    from pathlib import Path

    from tests.benchmarks.series.rounds import Figures
    from tests.benchmarks.series.servers import Server

OURS = Entry("nnlab", "ours_rows:Filled:")
MLFLOW = Entry("MLflow", "mlflow_rows:Filled:", "mlflow")
SIZES = {"small": 10_000, "large": 100_000}
PEERS_SIZE = "small"
TITLES = {"SQLite": "", "PostgreSQL": "_pg"}
STATES = ("", "_analysed")  # of MLflow's tables
DATABASES = (
    "nnlab_pg_small", "nnlab_pg_large", "mlflow_pg_small", "mlflow_pg_small_analysed",
)  # fmt: skip
TIMES = {"nnlab": 11, "mlflow": 1}  # a round


def tables(
    rounds: int,
    databases: Mapping[str, str],
    only: Collection[str] = (),
    sizes: Mapping[str, int] = SIZES,
    states: Collection[str] = STATES,
) -> dict[str, Any]:
    """Ask ours for tables of both sizes, MLflow for the smaller one, as it comes and after ANALYZE."""
    load = os.getloadavg()[0]
    rows: dict[str, Row] = {}
    turns: dict[str, Callable[[], Figures]] = {}
    with ExitStack() as stack:
        for title, suffix in TITLES.items():
            for size, count in sizes.items():
                _add(stack, "nnlab", f"{suffix}_{size}", f"nnlab, {title}, {count:,} runs", rows, turns,
                     databases, count, only)  # fmt: skip
            for analysed in states:
                said = f"MLflow, {title}, {sizes[PEERS_SIZE]:,} runs{', after ANALYZE' if analysed else ''}"
                _add(stack, "mlflow", f"{suffix}_{PEERS_SIZE}{analysed}", said, rows, turns,
                     databases, sizes[PEERS_SIZE], only)  # fmt: skip
        play(rows, turns, rounds)
    return measurement("runs_table", rows, load)


def _add(
    stack: ExitStack,
    tool: str,
    suffix: str,
    title: str,
    rows: dict[str, Row],
    turns: dict[str, Callable[[], Figures]],
    databases: Mapping[str, str],
    count: int,
    only: Collection[str],
) -> None:
    name = tool + suffix
    if only and (tool not in only or suffix.startswith("_pg")):
        return
    rows[name] = Row(title)
    try:
        if "_pg" in name and name not in databases:
            raise ContenderError("no PostgreSQL server was started")
        turns[name] = (_ours if tool == "nnlab" else _mlflow)(stack, name, databases.get(name, ""), count)
    except ContenderError as error:
        rows[name].failure = str(error)


def _ours(stack: ExitStack, name: str, database: str, count: int) -> Callable[[], Figures]:
    folder = store(f"table-{name}")
    with Contender(OURS, folder, _variables(database)) as contender:
        metrics = contender.call("fill_table", count=count).gave
        if name.endswith(PEERS_SIZE) and not _told(count).exists():
            contender.call("write_table", path=str(_told(count)))
    server = stack.enter_context(nnlab_server(folder, database))
    client = _client(stack, name, "nnlab", server)
    client.call("open_table", where="many", metrics=metrics)
    return _asking(client, "nnlab", count)


def _mlflow(stack: ExitStack, name: str, database: str, count: int) -> Callable[[], Figures]:
    if not _told(count).exists():
        raise ContenderError("ours has not written the runs that it would be filled with")
    method = "fill_analysed" if name.endswith("_analysed") else "fill_table"
    if database:
        folder = store(f"table-{name}")
        with Contender(MLFLOW, folder, _variables(database)) as contender:
            contender.call(method, path=str(_told(count)))
    else:
        folder = filled(MLFLOW, f"table-{name}-{count}", method, path=str(_told(count)))
    with Contender(MLFLOW, folder, _variables(database), kept=True) as contender:
        experiment = contender.call("experiment").gave
        metrics = contender.call("metrics", path=str(_told(count))).gave
    server = stack.enter_context(mlflow_server(folder, database))
    client = _client(stack, name, "mlflow", server)
    client.call("open_table", where=experiment, metrics=metrics)
    return _asking(client, "mlflow", count)


def _client(stack: ExitStack, name: str, kind: str, server: Server) -> Contender:
    client = stack.enter_context(
        Contender(Entry("client", f"http_tables:Tables:{kind}"), store(f"table-client-{name}"))
    )
    client.call("connect", address=server.address, token=server.token)
    return client


def _asking(client: Contender, kind: str, count: int) -> Callable[[], Figures]:
    return lambda: {
        figure: median(spent)
        for figure, spent in client.call("ask", times=TIMES[kind], far=count // 2).gave.items()
    }


def _variables(database: str) -> dict[str, str]:
    return {"BENCH_DATABASE": database} if database else {}


def _told(count: int) -> Path:
    return store(f"table-{count}.jsonl")
