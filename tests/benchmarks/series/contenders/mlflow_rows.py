"""MLflow's tables, filled by SQL as its own calls would fill them, only sooner."""

from __future__ import annotations

import json
import time
import uuid
from math import isnan
from pathlib import Path
from typing import TYPE_CHECKING, Any

from psycopg2.extras import execute_values

from tests.benchmarks.series.contenders import logged
from tests.benchmarks.series.contenders.mlflow_store import Store

if TYPE_CHECKING:
    from collections.abc import Iterable

PAGE = 5000


class Filled(Store):
    """A store to read from. It is filled once, and kept."""

    def fill(self, steps: int) -> str:
        """Store one run with one series; name the run."""
        self._run = str(self._client.create_run(self._experiment).info.run_id)
        now = int(1000 * time.time())
        rows = [_metric("loss", value, now, self._run, step) for step, value in enumerate(logged.loss(steps))]
        self._insert("metrics", rows)
        self._insert("latest_metrics", [_latest(rows[-1])])
        return str(self._run)

    def run(self) -> str:
        """Name the run that was filled or taken up."""
        return str(self._run)

    def experiment(self) -> str:
        """Name the experiment that everything is in."""
        return str(self._experiment)

    def metrics(self, path: str) -> list[str]:
        """Name the metrics of the runs that a file tells."""
        with Path(path).open(encoding="utf-8") as lines:
            return list(json.loads(next(lines))["metrics"])

    def fill_analysed(self, path: str) -> None:
        """Do so, and what MLflow leaves to an administrator: let the database count its rows."""
        self.fill_table(path)
        self._execute("ANALYZE")

    def fill_table(self, path: str) -> None:
        """Store the runs that a file of JSON lines tells, metrics and parameters."""
        template = self._client.create_run(self._experiment).info
        runs: list[tuple[Any, ...]] = []
        metrics: list[tuple[Any, ...]] = []
        latest: list[tuple[Any, ...]] = []
        params: list[tuple[Any, ...]] = []
        tags: list[tuple[Any, ...]] = []
        with Path(path).open(encoding="utf-8") as lines:
            for place, told in enumerate(map(json.loads, lines)):
                one, began = uuid.uuid4().hex, template.start_time + 60_000 * place
                runs.append(
                    (one, told["name"], "UNKNOWN", "", "", "", "FINISHED", began, began + 30_000, "",
                     "active", template.artifact_uri, int(self._experiment))
                )  # fmt: skip
                rows = [_metric(name, value, began, one, 0) for name, value in told["metrics"].items()]
                metrics += rows
                latest += map(_latest, rows)
                params += [(name, str(value), one) for name, value in told["params"].items()]
                tags.append(("mlflow.runName", told["name"], one))
        self._insert("runs", runs)
        for table, rows in (
            ("metrics", metrics), ("latest_metrics", latest), ("params", params), ("tags", tags)
        ):  # fmt: skip
            self._insert(table, rows)
        self._client.delete_run(template.run_id)

    def _insert(self, table: str, rows: Iterable[tuple[Any, ...]]) -> None:
        columns = COLUMNS[table]
        named = f"INSERT INTO {table} ({', '.join(columns)}) VALUES"
        raw = self._engine.raw_connection()
        cursor = raw.cursor()
        if self._engine.dialect.name == "sqlite":
            cursor.executemany(f"{named} ({', '.join('?' * len(columns))})", list(rows))
        else:
            execute_values(cursor, f"{named} %s", rows, page_size=PAGE)
        raw.commit()
        raw.close()


COLUMNS = {
    "runs": (
        "run_uuid", "name", "source_type", "source_name", "entry_point_name", "user_id", "status",
        "start_time", "end_time", "source_version", "lifecycle_stage", "artifact_uri", "experiment_id",
    ),
    "metrics": ('"key"', "value", "timestamp", "run_uuid", "step", "is_nan"),
    "latest_metrics": ('"key"', "value", "timestamp", "step", "is_nan", "run_uuid"),
    "params": ('"key"', "value", "run_uuid"),
    "tags": ('"key"', "value", "run_uuid"),
}  # fmt: skip


def _metric(name: str, value: float, now: int, run: str, step: int) -> tuple[Any, ...]:
    """Write a value as MLflow does: NaN as 0 and a mark."""
    return (name, 0.0 if isnan(value) else value, now, run, step, isnan(value))


def _latest(row: tuple[Any, ...]) -> tuple[Any, ...]:
    name, value, now, run, step, is_nan = row
    return (name, value, now, step, is_nan, run)
