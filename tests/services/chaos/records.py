"""All that an installation has stored of runs, and by which attempts it was written."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import connection

from runs.models import Run, RunMetric, Series
from runs.reading.series import read_series

# The database itself notes which attempt wrote, and whose the run was at that moment.
_NOTE = """
INSERT INTO chaos_write (run_id, writer, token)
SELECT id, NEW.writer, CAST(token AS TEXT) FROM runs_run WHERE id = NEW.run_id;"""
_WATCH = {
    "sqlite": f"""
CREATE TABLE chaos_write (id INTEGER PRIMARY KEY, run_id, writer, token)
;;
CREATE TRIGGER chaos_insert AFTER INSERT ON runs_writer BEGIN {_NOTE} END
;;
CREATE TRIGGER chaos_update AFTER UPDATE ON runs_writer BEGIN {_NOTE} END""",
    "postgresql": f"""
CREATE TABLE chaos_write (id BIGSERIAL PRIMARY KEY, run_id BIGINT, writer TEXT, token TEXT)
;;
CREATE FUNCTION chaos_note() RETURNS trigger AS $$ BEGIN {_NOTE} RETURN NULL; END $$ LANGUAGE plpgsql
;;
CREATE TRIGGER chaos_note AFTER INSERT OR UPDATE ON runs_writer FOR EACH ROW EXECUTE FUNCTION chaos_note()""",
}
_SUMMARY = (
    "points", "first_step", "last_step", "last", "minimum", "minimum_step", "maximum", "maximum_step",
    "nonfinite",
)  # fmt: skip
_ATTEMPT = (
    "number", "process", "outcome", "reason", "began_after", "last_step", "started_at", "ended_at",
)  # fmt: skip


@dataclass
class Result:
    """What training a run yielded: the same however often it was disturbed.

    Args:
        series: steps and values as bytes, by metric and layer.
        summaries: what is kept of each series beside its points.
    """

    status: str
    stop_reason: str
    error: str
    steps_run: int
    score: float | None
    summary: dict[str, Any]
    series: dict[tuple[str, int | None], tuple[bytes, bytes]]
    summaries: dict[tuple[str, int | None], tuple[Any, ...]]


@dataclass
class Record:
    """All that is stored of a run.

    Args:
        writes: by which attempt points were written, in their order, and which one the run belonged to then.
    """

    run_id: int
    result: Result
    attempts: list[dict[str, Any]]
    writes: list[tuple[UUID, UUID | None]]


def watch() -> None:
    """Let the database note who writes points from now on."""
    with connection.cursor() as cursor:
        for statement in _WATCH[connection.vendor].split(";;"):
            cursor.execute(statement)


def records_of(sweep_ids: list[int]) -> list[list[Record]]:
    """All that is stored of sweeps' runs, a list a sweep."""
    sweeps = (Run.objects.filter(sweep=sweep_id).order_by("pk") for sweep_id in sweep_ids)
    return [[record_of(run) for run in runs] for runs in sweeps]


def record_of(run: Run) -> Record:
    attempts = list(run.attempts.order_by("number").values(*_ATTEMPT))
    return Record(run.pk, _result(run), attempts, _writes(run.pk))


def _result(run: Run) -> Result:
    rows = {(row.metric, row.layer): row for row in Series.objects.filter(run=run)}
    points = {
        (one.metric, one.layer): (one.steps.tobytes(), one.values.tobytes())
        for one in read_series([run.pk], {metric for metric, _ in rows})
    }
    summaries = {key: tuple(getattr(row, name) for name in _SUMMARY) for key, row in rows.items()}
    for metric in RunMetric.objects.filter(run=run).select_related("name"):
        summaries[f"of run: {metric.name.text}", None] = (metric.last, metric.minimum, metric.maximum)
    return Result(
        run.status, run.stop_reason, run.error, run.steps_run, run.score, run.summary, points, summaries
    )


def _writes(run_id: int) -> list[tuple[UUID, UUID | None]]:
    if "chaos_write" not in connection.introspection.table_names():
        return []
    with connection.cursor() as cursor:
        cursor.execute("SELECT writer, token FROM chaos_write WHERE run_id = %s ORDER BY id", [run_id])
        return [(UUID(writer), UUID(token) if token else None) for writer, token in cursor.fetchall()]
