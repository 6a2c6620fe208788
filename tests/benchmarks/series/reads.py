"""Reading in process: one series of a million points in full, and what each tool would draw of it.

The answer is checked: the count, the spike, the NaN. What a tool loses is told beside its time.
"""

from __future__ import annotations

import os
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from tests.benchmarks.pipes import ContenderError
from tests.benchmarks.series.network import NAN_STEP, SPIKE, SPIKE_STEP
from tests.benchmarks.series.processes import Contender, Entry, filled, store
from tests.benchmarks.series.rounds import Row, measurement, play

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from tests.benchmarks.series.processes import Told
    from tests.benchmarks.series.rounds import Figures

POINTS = 1_000_000
WARM_UPS, WARM_SECONDS = 3, 1.0  # who takes longer is not warmed up: its caches are not what it waits for
DATABASES = ("nnlab_pg", "mlflow_pg")
ENTRIES = {
    "nnlab": Entry("nnlab, SQLite", "ours_rows:Filled:"),
    "nnlab_pg": Entry("nnlab, PostgreSQL", "ours_rows:Filled:"),
    "mlflow": Entry("MLflow client, SQLite", "mlflow_rows:Filled:", "mlflow"),
    "mlflow_pg": Entry("MLflow client, PostgreSQL", "mlflow_rows:Filled:", "mlflow"),
    "tensorboard": Entry("TensorBoard, EventAccumulator", "tensorboard_events:Events:", "tensorboard"),
    "trackio": Entry("trackio", "trackio_table:Table:log", "trackio"),
    "aim": Entry("Aim", "aim_repo:Tracked:one", "aim"),
}
CHARTED = ("nnlab", "nnlab_pg", "tensorboard", "trackio", "aim")  # MLflow charts over HTTP: see charts.py


def full(
    rounds: int, databases: Mapping[str, str], only: Collection[str] = (), points: int = POINTS
) -> dict[str, Any]:
    """Read every point into the tool's own form: an array, a list of numbers or of events."""
    return _measure(
        "full_read", "read", rounds, databases, [n for n in ENTRIES if not only or n in only], points
    )


def charts(
    rounds: int, databases: Mapping[str, str], only: Collection[str] = (), points: int = POINTS
) -> dict[str, Any]:
    """Read what the tool would draw of the whole run, in process."""
    names = [name for name in CHARTED if not only or name in only]
    return _measure("chart_in_process", "chart", rounds, databases, names, points)


def _measure(
    name: str, method: str, rounds: int, databases: Mapping[str, str], names: Collection[str], points: int
) -> dict[str, Any]:
    load = os.getloadavg()[0]
    rows = {key: Row(ENTRIES[key].title) for key in names}
    turns: dict[str, Callable[[], Figures]] = {}
    with ExitStack() as stack:
        for key, row in rows.items():
            try:
                contender = stack.enter_context(_opened(key, databases, points))
                row.notes = {"versions": contender.hello["versions"]}
                turns[key] = _turn(contender, method, points, row)
            except ContenderError as error:
                row.failure = str(error)
        play(rows, turns, rounds)
    return measurement(name, rows, load, points=points)


def _opened(name: str, databases: Mapping[str, str], points: int) -> Contender:
    """Open a store with the series in it. A peer's file is filled once and kept: that takes minutes."""
    if name.endswith("_pg") and name not in databases:
        raise ContenderError("no PostgreSQL server was started")
    if name in databases or not ENTRIES[name].environment:
        variables = {"BENCH_DATABASE": databases[name]} if name in databases else {}
        contender = Contender(ENTRIES[name], store(f"read-{name}"), variables)
        contender.call("fill", steps=points)
        return contender
    folder = filled(ENTRIES[name], f"read-{name}-{points}", "fill", steps=points)
    contender = Contender(ENTRIES[name], folder, kept=True)
    contender.call("resume")
    return contender


def _turn(contender: Contender, method: str, points: int, row: Row) -> Callable[[], Figures]:
    cold = contender.call(method)
    row.notes |= {"cold_seconds": cold.wall, "loses": losses(cold.gave, points)}
    if cold.wall < WARM_SECONDS:
        for _ in range(WARM_UPS):
            contender.call(method)

    def take() -> Figures:
        told: Told = contender.call(method)
        return {"seconds": told.wall, "cpu_seconds": told.cpu, "values": float(told.gave["points"])}

    return take


def losses(gave: Mapping[str, Any], points: int) -> list[str]:
    """Name what the answer has lost: points, where it should have all, the spike, the NaN."""
    lost = []
    if not gave.get("shown") and gave["points"] != points:
        lost.append(f"{points - gave['points']:,} points")
    if points > SPIKE_STEP and gave["maximum"] != SPIKE:
        lost.append("the spike")
    if points > NAN_STEP and not gave["nans"]:
        lost.append("the NaN")
    return lost
