"""What the metric store commits to: ratios of the same rounds where there is a peer, else plain figures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tests.benchmarks.series.rounds import ratio, spread

if TYPE_CHECKING:
    from collections.abc import Mapping

SLACK = 2.0  # of the quick benchmark, on reduced sizes and on whatever machine it runs


@dataclass(frozen=True)
class Target:
    """A figure and its bound.

    Args:
        over: contender and figure; divided by those of ``under`` where there are some.
        is_most: the bound may not be exceeded; else it has to be reached.
    """

    title: str
    measurement: str
    over: tuple[str, str]
    bound: float
    under: tuple[str, str] | None = None
    is_most: bool = False
    unit: str = ""

    def value(self, found: Mapping[str, Any]) -> tuple[float, float, float] | None:
        """Give the figure of a measurement: median, least and largest of its rounds; None if not there."""
        if self.under is None:
            return spread(found, *self.over)
        return ratio(found, self.over, self.under)

    def is_met(self, value: float, slack: float = 1.0) -> bool:
        """Say whether a figure is as it should be, or within a slack of that."""
        return value <= self.bound * slack if self.is_most else value >= self.bound / slack


RATE, BYTES = "points_per_second", "long_run_bytes"
OUR_BYTES = "longest_run_bytes"  # what peers keep a point does not depend on the length of a run


def _faster(title: str, where: str, ours: str, peer: str, bound: float) -> Target:
    return Target(title, where, (ours, RATE), bound, (peer, RATE), unit="x")


def _sooner(title: str, where: str, ours: str, peer: str, figure: str, bound: float) -> Target:
    return Target(title, where, (peer, figure), bound, (ours, figure), unit="x")


def _at_most(title: str, where: str, ours: str, figure: str, bound: float, unit: str = "") -> Target:
    return Target(title, where, (ours, figure), bound, is_most=True, unit=unit)


TARGETS = (
    _faster("28 keys a step, MLflow log_batch, SQLite", "ingest_28_keys", "nnlab", "mlflow", 300),
    _faster("28 keys a step, Aim", "ingest_28_keys", "nnlab", "aim", 300),
    _faster("28 keys a step, trackio", "ingest_28_keys", "nnlab", "trackio", 15),
    _faster("28 keys a step, W&B offline", "ingest_28_keys", "nnlab", "wandb", 30),
    _faster("1 key a call, TensorBoard", "ingest_1_key", "nnlab", "tensorboard", 30),
    _faster("log-batch over HTTP, 1 key, SQLite", "http_ingest", "nnlab_1_key", "mlflow_1_key", 50),
    _faster("log-batch over HTTP, 28 keys, SQLite", "http_ingest", "nnlab_28_keys", "mlflow_28_keys", 50),
    _faster("log-batch over HTTP, 1 key, PostgreSQL", "http_ingest", "nnlab_pg_1_key", "mlflow_pg_1_key", 25),
    _faster(
        "log-batch over HTTP, 28 keys, PostgreSQL", "http_ingest", "nnlab_pg_28_keys", "mlflow_pg_28_keys", 25
    ),
    _faster("binary columns, MLflow log-batch", "http_ingest", "nnlab_columns", "mlflow_28_keys", 200),
    _at_most("bytes a point, 100,000 steps, SQLite", "sizes", "nnlab", "longest_run_bytes", 3.0),
    _at_most("bytes a point, 100,000 steps, PostgreSQL", "sizes", "nnlab_pg", "longest_run_bytes", 3.0),
    _at_most("bytes a point, 200 steps, SQLite", "sizes", "nnlab", "short_runs_bytes", 5.0),
    _at_most("bytes a point, 200 steps, PostgreSQL", "sizes", "nnlab_pg", "short_runs_bytes", 5.0),
    Target("fewer bytes than MLflow", "sizes", ("mlflow", BYTES), 80, ("nnlab", OUR_BYTES), unit="x"),
    Target(
        "fewer bytes than TensorBoard", "sizes", ("tensorboard", BYTES), 14, ("nnlab", OUR_BYTES), unit="x"
    ),
    _sooner("whole chart over HTTP, SQLite", "chart_http", "nnlab_whole", "mlflow_whole", "ms", 500),
    _sooner(
        "whole chart over HTTP, PostgreSQL", "chart_http", "nnlab_pg_whole", "mlflow_pg_whole", "ms", 100
    ),
    _at_most("zoom in 100 runs, SQLite, p95", "zooms", "nnlab_runs", "p95_ms", 10, "ms"),
    _at_most("zoom in 100 runs, PostgreSQL, p95", "zooms", "nnlab_pg_runs", "p95_ms", 20, "ms"),
    _at_most("zoom in 100 M steps, SQLite, p95", "zooms", "nnlab_long", "p95_ms", 20, "ms"),
    _at_most("zoom in 100 M steps, PostgreSQL, p95", "zooms", "nnlab_pg_long", "p95_ms", 20, "ms"),
    _at_most("50 runs over HTTP, SQLite", "zooms", "nnlab_http", "median_ms", 60, "ms"),
    _at_most("50 runs over HTTP, PostgreSQL", "zooms", "nnlab_pg_http", "median_ms", 120, "ms"),
    _sooner("every point read, MLflow", "full_read", "nnlab", "mlflow", "seconds", 1000),
    _sooner("every point read, TensorBoard", "full_read", "nnlab", "tensorboard", "seconds", 200),
    _sooner("every point read, trackio", "full_read", "nnlab", "trackio", "seconds", 100),
    _at_most("100,000 runs sorted, SQLite", "runs_table", "nnlab_large", "sort_ms", 25, "ms"),
    _at_most("100,000 runs sorted, PostgreSQL", "runs_table", "nnlab_pg_large", "sort_ms", 25, "ms"),
    _sooner("10,000 runs sorted, SQLite", "runs_table", "nnlab_small", "mlflow_small", "sort_ms", 5),
    _sooner(
        "10,000 runs sorted, PostgreSQL", "runs_table", "nnlab_pg_small", "mlflow_pg_small", "sort_ms", 5
    ),
    Target("4 writers and 2 readers, SQLite", "crowd", ("nnlab", RATE), 1.1e6, unit="points/s"),
    Target("4 writers and 2 readers, PostgreSQL", "crowd", ("nnlab_pg", RATE), 1.1e6, unit="points/s"),
    _at_most("their lock errors, SQLite", "crowd", "nnlab", "lock_errors", 0),
    _at_most("their lock errors, PostgreSQL", "crowd", "nnlab_pg", "lock_errors", 0),
    _at_most("their readers, SQLite, p99", "crowd", "nnlab", "look_p99_ms", 50, "ms"),
    _at_most("their readers, PostgreSQL, p99", "crowd", "nnlab_pg", "look_p99_ms", 50, "ms"),
    _at_most("logging in 10,000 steps/s, SQLite", "overhead", "nnlab", "wall_share", 0.03),
    _at_most("logging in 10,000 steps/s, PostgreSQL", "overhead", "nnlab_pg", "wall_share", 0.03),
    _at_most("logging in 10,000 steps/s, nnlab.client", "overhead", "nnlab_client", "wall_share", 0.03),
    _at_most("a run of the engine, recorded, SQLite", "overhead", "nnlab_engine", "wall_share", 0.03),
    _at_most("a run of the engine, recorded, PostgreSQL", "overhead", "nnlab_engine_pg", "wall_share", 0.03),
)
