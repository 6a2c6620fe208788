"""The client of the runs table: sorted pages, filtered pages, and one far down."""

from __future__ import annotations

import json
from base64 import b64encode
from typing import Any
from urllib.parse import urlencode

from tests.benchmarks.series.contenders.http_client import MLFLOW, Client

PAGE, MOST = 50, 1000  # rows of a page, and the most that ours gives at once
# By the share of the runs that pass: none, 0.2 %, 5 %, 20 %. See tests/runs/many_runs.py.
FILTERS = {
    "filter_none_ms": ("training.l2", "9.0"),
    "filter_few_ms": ("training.l2", "0.25"),
    "filter_some_ms": ("training.learning_rate", "0.001"),
    "filter_many_ms": ("training.optimizer", "adam"),
}


class Tables(Client):
    """Asks for pages of the runs table. Options as the client's."""

    def open_table(self, where: str, metrics: list[str]) -> None:
        """Say which project or experiment it is, and what can be sorted by."""
        self._where, self._metrics, self._asked = where, metrics, 0

    def ask(self, times: int, far: int) -> dict[str, list[float]]:
        """Sort, filter each share, and go far down, so many times each, by the next metrics."""
        found = {"sort_ms": self._pages(times)}
        for figure, condition in FILTERS.items():
            found[figure] = self._pages(times, condition=condition)
        return found | {"far_page_ms": self._far(times, far)}

    def _pages(self, times: int, condition: tuple[str, str] | None = None) -> list[float]:
        spent = []
        for _ in range(times):
            self._asked += 1
            metric = self._metrics[self._asked % len(self._metrics)]
            told, rows = (
                self._mlflow(metric, condition) if self._option == "mlflow" else self._ours(metric, condition)
            )
            self._check(rows, condition)
            spent.append(told)
        return spent

    def _check(self, rows: int, condition: tuple[str, str] | None) -> None:
        expected = 0 if condition == FILTERS["filter_none_ms"] else 1
        if (rows > 0) != (expected > 0) or (condition is None and rows != PAGE):
            raise RuntimeError(f"{rows} rows came for {condition}")

    def _mlflow(self, metric: str, condition: tuple[str, str] | None, token: str = "") -> tuple[float, int]:
        asked: dict[str, Any] = {
            "experiment_ids": [self._where], "order_by": [f"metrics.`{metric}` ASC"], "max_results": PAGE,
        }  # fmt: skip
        if condition:
            asked["filter"] = f"params.`{condition[0]}` = '{condition[1]}'"
        if token:
            asked["page_token"] = token
        told = self.search(f"{MLFLOW}/runs/search", [asked])
        self._token = told["answer"].get("next_page_token", "")
        return float(told["ms"][0]), len(told["answer"].get("runs", []))

    def _ours(
        self, metric: str, condition: tuple[str, str] | None, limit: int = PAGE, after: str = ""
    ) -> tuple[float, int]:
        asked: dict[str, Any] = {"project": self._where, "sort": f"metric.{metric}", "limit": limit}
        if condition:
            asked[f"param.{condition[0]}"] = condition[1]
        if after:
            asked["after"] = after
        told = self.get(f"/api/runs?{urlencode(asked)}", 1)
        self._token = told["answer"]["next"] or ""
        return float(told["ms"][0]), len(told["answer"]["runs"])

    def _far(self, times: int, far: int) -> list[float]:
        """Ask for the page after so many rows: MLflow takes a number, ours where the page before ended."""
        metric = self._metrics[0]
        if self._option == "mlflow":
            token = b64encode(json.dumps({"offset": far}).encode()).decode()  # as MLflow writes its own
            return [self._mlflow(metric, None, token)[0] for _ in range(times)]
        after = ""
        for _ in range(0, far, MOST):
            self._ours(metric, None, MOST, after)
            after = self._token
        return [self._ours(metric, None, PAGE, after)[0] for _ in range(times)]
