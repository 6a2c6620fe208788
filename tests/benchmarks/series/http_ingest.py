"""Ingest over HTTP: the same log-batch bodies to MLflow's server and to ours, and our binary columns."""

from __future__ import annotations

import os
from contextlib import ExitStack
from math import ceil
from typing import TYPE_CHECKING, Any

from tests.benchmarks.pipes import ContenderError
from tests.benchmarks.series.network import NAMES
from tests.benchmarks.series.processes import Contender, Entry, store
from tests.benchmarks.series.rounds import Row, measurement, play
from tests.benchmarks.series.servers import mlflow_server, nnlab_server

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from tests.benchmarks.series.rounds import Figures
    from tests.benchmarks.series.servers import Server

SECONDS = 0.8  # at least, of a round's work
MOST_REQUESTS = {"mlflow": 100, "nnlab": 600, "columns": 60}

# Server, what the client sends, keys, connections.
SERVERS = {
    "mlflow": ("MLflow, SQLite", mlflow_server),
    "mlflow_pg": ("MLflow, PostgreSQL", mlflow_server),
    "nnlab": ("nnlab, SQLite", nnlab_server),
    "nnlab_pg": ("nnlab, PostgreSQL", nnlab_server),
}
SHAPES = ((1, 1), (28, 1), (1, 8), (28, 8))  # keys, connections
COLUMNS = (28, 1)
DATABASES = ("nnlab_pg", "mlflow_pg")


def batches(
    rounds: int,
    databases: Mapping[str, str],
    only: Collection[str] = (),
    shapes: Sequence[tuple[int, int]] = SHAPES,
) -> dict[str, Any]:
    """Post batches of 1,000 metrics, of one key and of 28, on one connection and on eight."""
    load = os.getloadavg()[0]
    rows: dict[str, Row] = {}
    turns: dict[str, Callable[[], Figures]] = {}
    with ExitStack() as stack:
        for name, (title, serve) in SERVERS.items():
            if only and name not in only:
                continue
            kinds = [name.removesuffix("_pg"), *(["columns"] if name.startswith("nnlab") else [])]
            wanted = {
                _name(name, kind, shape): (kind, shape)
                for kind in kinds
                for shape in ([COLUMNS] if kind == "columns" else shapes)
            }
            rows |= {key: Row(_title(title, *told)) for key, told in wanted.items()}
            try:
                if name.endswith("_pg") and name not in databases:
                    raise ContenderError("no PostgreSQL server was started")
                server = stack.enter_context(serve(store(f"http-{name}"), databases.get(name, "")))
            except ContenderError as error:
                for key in wanted:
                    rows[key].failure = str(error)
                continue
            for key, (kind, shape) in wanted.items():
                try:
                    turns[key] = _turn(stack, server, key, kind, *shape, rows[key])
                except ContenderError as error:
                    rows[key].failure = str(error)
        play(rows, turns, rounds)
    return measurement("http_ingest", rows, load)


def _name(server: str, kind: str, shape: tuple[int, int]) -> str:
    if kind == "columns":
        return f"{server}_columns"
    return f"{server}_{shape[0]}_key{'s' if shape[0] > 1 else ''}" + (
        f"_{shape[1]}_connections" if shape[1] > 1 else ""
    )


def _title(title: str, kind: str, shape: tuple[int, int]) -> str:
    body = "columns" if kind == "columns" else "JSON"
    connections = f", {shape[1]} connections" if shape[1] > 1 else ""
    return f"{title}, {body}, {shape[0]} key{'s' if shape[0] > 1 else ''}{connections}"


def _turn(
    stack: ExitStack, server: Server, key: str, kind: str, keys: int, connections: int, row: Row
) -> Callable[[], Figures]:
    client = Contender(Entry("client", f"http_client:Client:{kind}"), store(f"client-{key}"))
    stack.enter_context(client)
    client.call("connect", address=server.address, token=server.token)
    keys = min(keys, len(NAMES))
    requests = _calibrated(client, kind, keys, connections)
    row.notes["requests"] = requests

    def take() -> Figures:
        points = client.call("begin", requests=requests, keys=keys).gave
        before = server.cpu()
        told = client.call("post", connections=connections)
        figures = {
            "points_per_second": points / told.wall,
            "server_cpu_points_per_second": points / max(server.cpu() - before, 0.01),
            **told.gave,
        }
        counted = client.call("count", keys=keys)
        if counted.gave != points:
            raise ContenderError(f"reads {counted.gave:,} points where {points:,} were accepted")
        return {**figures, "readable_seconds": counted.wall}

    return take


def _calibrated(client: Contender, kind: str, keys: int, connections: int) -> int:
    requests = max(2, connections)
    while True:
        client.call("begin", requests=requests, keys=keys)
        told = client.call("post", connections=connections)
        if told.wall >= SECONDS or requests >= MOST_REQUESTS[kind]:
            return requests
        wanted = ceil(requests * min(10.0, 1.2 * SECONDS / max(told.wall, 1e-9)))
        requests = min(MOST_REQUESTS[kind], wanted)
