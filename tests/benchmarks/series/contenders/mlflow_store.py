"""MLflow in process: its client on a SQL store, SQLite or PostgreSQL."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Any

import mlflow
from mlflow.entities import Metric
from mlflow.tracking import MlflowClient
from sqlalchemy import create_engine, text

from tests.benchmarks.series.contender import kept_bytes
from tests.benchmarks.series.contenders import logged

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

DURABILITY = "SQLite: rollback journal, synchronous=FULL, a sync a call; PostgreSQL: a sync a commit"
BATCH = 1000  # the most that log_batch takes


class Store:
    """A SQL store.

    Options: ``one`` log_metric a value, ``dict`` log_metrics a step, ``async`` the same without waiting,
    ``batch`` log_batch of as many whole steps as it takes.
    """

    def __init__(self, folder: Path, option: str) -> None:
        self._folder, self._option = folder, option
        self._uri = os.environ.get("BENCH_DATABASE") or f"sqlite:///{folder}/mlflow.db"
        mlflow.set_tracking_uri(self._uri)
        self._client = MlflowClient(self._uri)
        self._engine = create_engine(self._uri)
        found = self._client.get_experiment_by_name("benchmark")
        self._experiment = (
            found.experiment_id
            if found
            else self._client.create_experiment("benchmark", artifact_location=str(folder / "artifacts"))
        )

    def versions(self) -> dict[str, str]:
        """Name the version."""
        return logged.versions(["mlflow", "sqlalchemy"])

    def begin(self, steps: int, keys: int) -> None:
        """Make the values, and a new run."""
        self._rows = logged.rows(steps, keys)
        self._run = self._client.create_run(self._experiment).info.run_id

    def log(self) -> int:
        """Log all rows, and wait until they are stored."""
        getattr(self, f"_log_{self._option}")()
        self._client.set_terminated(self._run)
        return sum(map(len, self._rows))

    def readable(self) -> int:
        """Count the points by the tool's own reader."""
        return sum(len(self._client.get_metric_history(self._run, name)) for name in self._rows[0])

    def kept(self) -> int:
        """Give the bytes of everything kept; on PostgreSQL of the whole database."""
        if self._engine.dialect.name == "sqlite":
            return kept_bytes(self._folder)
        ((size,),) = self._execute("SELECT pg_database_size(current_database())")
        return int(size)

    def vacuum(self) -> None:
        """Let PostgreSQL give back what was deleted, as it does by itself after a while."""
        with self._engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text("VACUUM"))

    def read(self) -> dict[str, Any]:
        """Read every point of the last run."""
        return logged.summary_of([one.value for one in self._client.get_metric_history(self._run, "loss")])

    def resume(self) -> None:
        """Take up the run that was filled."""
        (found,) = self._client.search_runs([self._experiment], max_results=1)
        self._run = found.info.run_id

    def _execute(self, statement: str) -> list[Any]:
        raw = self._engine.raw_connection()
        cursor = raw.cursor()
        cursor.execute(statement)
        found = list(cursor.fetchall()) if cursor.description else []
        raw.commit()
        raw.close()
        return found

    def _log_one(self) -> None:
        for step, row in enumerate(self._rows):
            for name, value in row.items():
                self._client.log_metric(self._run, name, value, step=step)

    def _log_dict(self) -> None:
        with mlflow.start_run(run_id=self._run):
            for step, row in enumerate(self._rows):
                mlflow.log_metrics(row, step=step)

    def _log_async(self) -> None:
        with mlflow.start_run(run_id=self._run):
            for step, row in enumerate(self._rows):
                mlflow.log_metrics(row, step=step, synchronous=False)
            mlflow.flush_async_logging()

    def _log_batch(self) -> None:
        for batch in self._batches():
            self._client.log_batch(self._run, metrics=batch)

    def _batches(self) -> Iterator[list[Metric]]:
        steps = BATCH // len(self._rows[0])
        for start in range(0, len(self._rows), steps):
            now = int(1000 * time.time())
            yield [
                Metric(name, value, now, start + place)
                for place, row in enumerate(self._rows[start : start + steps])
                for name, value in row.items()
            ]
