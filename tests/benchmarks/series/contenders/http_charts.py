"""The client of the charts: what each server answers a chart, and what is in it."""

from __future__ import annotations

from base64 import b64decode
from typing import Any
from urllib.parse import urlencode

import numpy as np

from tests.benchmarks.series.contenders import logged
from tests.benchmarks.series.contenders.http_client import Client

INTERVAL = "/ajax-api/2.0/mlflow/metrics/get-history-bulk-interval"


class Charts(Client):
    """Asks for charts. Options as the client's."""

    def chart(
        self, times: int, runs: list[Any], metric: str, window: list[int] | None, values: int
    ) -> dict[str, Any]:
        """Ask for one chart so many times; say what came."""
        path = self._mlflow(runs, metric, window, values)
        if self._option != "mlflow":
            path = self._ours(runs, metric, window, values)
        told = self.get(path, times)
        answer = told.pop("answer")
        found = _of_mlflow(answer) if self._option == "mlflow" else _of_ours(answer)
        return {**told, **logged.summary_of(found), "shown": True}

    def _mlflow(self, runs: list[Any], metric: str, window: list[int] | None, values: int) -> str:
        query = [*(("run_ids", run) for run in runs), ("metric_key", metric), ("max_results", values)]
        if window:
            query += [("start_step", window[0]), ("end_step", window[1])]
        return f"{INTERVAL}?{urlencode(query)}"

    def _ours(self, runs: list[Any], metric: str, window: list[int] | None, values: int) -> str:
        query: dict[str, Any] = {"runs": ",".join(map(str, runs)), "metrics": metric, "px": values // 4}
        if window:
            query |= {"from": window[0], "to": window[1]}
        return f"/api/series?{urlencode(query)}"


def _of_mlflow(answer: Any) -> list[float]:
    return [float(point["value"]) for point in answer["metrics"]]


def _of_ours(answer: Any) -> list[float]:
    """Take out what is drawn: a least and a greatest value a column, a mark where a value is not finite."""
    drawn: list[float] = []
    for one in answer["series"]:
        if one["kind"] == "points":
            drawn += _array(one["values"])
        else:
            drawn += _array(one["minimum"]) + _array(one["maximum"])
            drawn += [float("nan") for flag in _array(one.get("flags")) if flag]
    return drawn


def _array(told: dict[str, str] | None) -> list[float]:
    """Read ``{"dtype", "bdata"}``, as Plotly does."""
    if told is None:
        return []
    found: list[float] = np.frombuffer(b64decode(told["bdata"]), np.dtype(told["dtype"])).tolist()
    return found
