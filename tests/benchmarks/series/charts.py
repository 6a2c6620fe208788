"""Charts over HTTP: some 2,000 values of a million points, of the whole run and of a tenth of it."""

from __future__ import annotations

import os
from contextlib import ExitStack
from statistics import median
from typing import TYPE_CHECKING, Any

from tests.benchmarks.pipes import ContenderError
from tests.benchmarks.series.processes import Contender, Entry, filled, store
from tests.benchmarks.series.reads import ENTRIES, POINTS, losses
from tests.benchmarks.series.rounds import Row, measurement, play
from tests.benchmarks.series.servers import mlflow_server, nnlab_server

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from tests.benchmarks.series.rounds import Figures

SERVERS = {
    "nnlab": ("nnlab, SQLite", nnlab_server),
    "nnlab_pg": ("nnlab, PostgreSQL", nnlab_server),
    "mlflow": ("MLflow, SQLite", mlflow_server),
    "mlflow_pg": ("MLflow, PostgreSQL", mlflow_server),
}
DATABASES = ("nnlab_pg", "mlflow_pg")
VALUES = 2000
ZOOM = (100_000, 199_999)  # with the spike in it
TIMES = {"nnlab": 15, "mlflow": 1}  # a round, after one that is not counted for ours
WINDOWS = {"whole": None, "zoom": ZOOM}


def charts(
    rounds: int,
    databases: Mapping[str, str],
    only: Collection[str] = (),
    points: int = POINTS,
    windows: Collection[str] = tuple(WINDOWS),
) -> dict[str, Any]:
    """Ask both servers for the chart of one series."""
    load = os.getloadavg()[0]
    rows: dict[str, Row] = {}
    turns: dict[str, Callable[[], Figures]] = {}
    with ExitStack() as stack:
        for name, (title, serve) in SERVERS.items():
            if only and name not in only:
                continue
            mine = {window: Row(f"{title}, {window}") for window in windows}
            rows |= {f"{name}_{window}": row for window, row in mine.items()}
            try:
                folder, run = _filled(name, databases, points)
                server = stack.enter_context(serve(folder, databases.get(name, "")))
                kind = name.removesuffix("_pg")
                client = Contender(
                    Entry("client", f"http_charts:Charts:{kind}"), store(f"chart-client-{name}")
                )
                stack.enter_context(client)
                client.call("connect", address=server.address, token=server.token)
                for window, row in mine.items():
                    turns[f"{name}_{window}"] = _turn(client, kind, run, window, points, row)
            except ContenderError as error:
                for row in mine.values():
                    row.failure = str(error)
        play(rows, turns, rounds)
    return measurement("chart_http", rows, load, points=points, values=VALUES)


def _filled(name: str, databases: Mapping[str, str], points: int) -> tuple[Any, Any]:
    """Fill a store through a process of its own, which then ends; give its folder and the run."""
    if name.endswith("_pg") and name not in databases:
        raise ContenderError("no PostgreSQL server was started")
    entry = ENTRIES[name]
    if name == "mlflow":
        folder = filled(entry, f"read-{name}-{points}", "fill", steps=points)
        with Contender(entry, folder, kept=True) as contender:
            contender.call("resume")
            return folder, contender.call("run").gave
    variables = {"BENCH_DATABASE": databases[name]} if name in databases else {}
    with Contender(entry, store(f"chart-{name}"), variables) as contender:
        contender.call("fill", steps=points)
        return store(f"chart-{name}"), contender.call("run").gave


def _turn(
    client: Contender, kind: str, run: Any, window: str, points: int, row: Row
) -> Callable[[], Figures]:
    asked = {"runs": [run], "metric": "loss", "window": WINDOWS[window], "values": VALUES}
    gave = client.call("chart", times=1, **asked).gave
    first, last = WINDOWS[window] or (0, points - 1)
    row.notes = {"loses": losses(gave, points if window == "whole" else min(last, points - 1))}
    row.notes |= {"values": gave["points"], "bytes": gave["bytes"], "steps": [first, last]}

    def take() -> Figures:
        told = client.call("chart", times=TIMES[kind], **asked).gave
        return {"ms": median(told["ms"]), "p95_ms": sorted(told["ms"])[int(0.95 * len(told["ms"]))]}

    return take
