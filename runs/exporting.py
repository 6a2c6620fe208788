"""Export: every point of runs, and a table of the runs themselves, as files that other programs read.

A file appears under its name when it is whole, not before. Floats are written so that they read back bit for
bit; NaN and infinities are among them.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from io import StringIO
from pathlib import Path
from typing import Any, Protocol, TypeAlias

from django.db.models import Sum

from runs.models import Run, Series
from runs.models.runs import RunQuerySet
from runs.reading.series import Points, read_series

POINT_COLUMNS = ("run", "metric", "layer", "step", "value")
RUN_COLUMNS = (
    "id",
    "name",
    "project",
    "sweep",
    "source",
    "status",
    "stop_reason",
    "error",
    "dataset",
    "seed",
    "steps_run",
    "headline",
    "score",
    "queued_at",
    "started_at",
    "ended_at",
    "config",
    "summary",
)
_JSON = ("config", "summary")
_FORMULA = ("=", "+", "-", "@", "\t", "\r")  # a spreadsheet computes a text that begins so
_END = "\r\n"  # with anything shorter a lone carriage return in a text would not be quoted
_SLICE = 8192  # points that are written as text at a time
_RUNS_AT_A_TIME = 500

Add: TypeAlias = Callable[[Points], None]
Row: TypeAlias = Mapping[str, Any]


class ExportError(ValueError):
    """What cannot be exported, and why."""


class Format(Protocol):
    """A kind of file."""

    suffix: str

    def points(self, path: Path) -> AbstractContextManager[Add]:
        """Open a file of points, which takes one series after the other."""

    def runs(self, path: Path, rows: Iterable[Row]) -> None:
        """Write the table of runs, with the columns ``RUN_COLUMNS``."""


class Csv:
    """Text files for anything, spreadsheets among them."""

    suffix = "csv"

    @contextmanager
    def points(self, path: Path) -> Iterator[Add]:
        """Open a file of points, which takes one series after the other."""
        with path.open("w", encoding="utf-8", newline="") as file:
            file.write(line(POINT_COLUMNS))

            def add(points: Points) -> None:
                file.writelines(_lines_of(points))

            yield add

    def runs(self, path: Path, rows: Iterable[Row]) -> None:
        """Write the table of runs."""
        with path.open("w", encoding="utf-8", newline="") as file:
            file.write(line(RUN_COLUMNS))
            file.writelines(line(cell(row[name]) for name in RUN_COLUMNS) for row in rows)


def export(
    runs: RunQuerySet,
    folder: Path,
    kind: Format,
    *,
    metrics: Iterable[str] = (),
    replace: bool = False,
    on_points: Callable[[int], None] = lambda _: None,
) -> list[Path]:
    """Write the points of runs and the table of the runs into a folder.

    Args:
        metrics: names; none of them means all.
        replace: takes the place of files that an earlier export left there.
        on_points: is told how many points were written, series by series.

    Raises:
        ExportError: for no run, a metric that none of them has, and files that are there already.
        OSError: if the folder cannot be written to.
    """
    wanted = tuple(metrics)
    _check(runs, wanted)
    folder.mkdir(parents=True, exist_ok=True)
    targets = [folder / f"{name}.{kind.suffix}" for name in ("points", "runs")]
    taken = [str(path) for path in targets if path.exists()]
    if taken and not replace:
        raise ExportError(f"{' and '.join(taken)} would be replaced; choose another folder, or add --force")
    drafts = [path.with_name(f".{path.name}.part") for path in targets]
    try:
        with kind.points(drafts[0]) as add:
            for points in points_of(runs, wanted):
                add(points)
                on_points(len(points.steps))
        kind.runs(drafts[1], rows_of(runs))
        for draft, target in zip(drafts, targets, strict=True):
            draft.replace(target)
    finally:
        for draft in drafts:
            draft.unlink(missing_ok=True)
    return targets


def points_of(runs: RunQuerySet, metrics: Iterable[str] = ()) -> Iterator[Points]:
    """Read all points of runs, one metric of one run in memory at a time."""
    wanted = set(metrics)
    for run_id in list(runs.order_by("pk").values_list("pk", flat=True)):
        names = Series.objects.filter(run_id=run_id).order_by("number").values_list("metric", flat=True)
        for metric in dict.fromkeys(names):
            if not wanted or metric in wanted:
                yield from read_series([run_id], [metric])


def point_count(runs: RunQuerySet, metrics: Iterable[str] = ()) -> int:
    """Count the points that an export will write, but for those that are added meanwhile."""
    series = Series.objects.filter(run__in=runs)
    if wanted := set(metrics):
        series = series.filter(metric__in=wanted)
    return int(series.aggregate(total=Sum("points"))["total"] or 0)


def rows_of(runs: RunQuerySet) -> Iterator[Row]:
    """Describe runs; configuration and summary as JSON."""
    ordered = runs.select_related("project", "sweep").order_by("pk")
    return (_row(run) for run in ordered.iterator(chunk_size=_RUNS_AT_A_TIME))


def csv_lines(run: Run) -> Iterator[str]:
    """Write one run's points as CSV, some at a time."""
    yield line(POINT_COLUMNS)
    for points in points_of(Run.objects.filter(pk=run.pk)):
        yield from _lines_of(points)


def _check(runs: RunQuerySet, metrics: tuple[str, ...]) -> None:
    if not runs.exists():
        raise ExportError("expected runs to export, got none")
    if not metrics:
        return
    known = set(Series.objects.filter(run__in=runs).values_list("metric", flat=True).distinct())
    unknown = [name for name in metrics if name not in known]
    if unknown:
        raise ExportError(
            f"none of these runs has the metric {', '.join(unknown)}; they have {', '.join(sorted(known))}"
        )


def _row(run: Run) -> Row:
    plain = {name: getattr(run, name) for name in RUN_COLUMNS if name not in {"project", "sweep", *_JSON}}
    texts = {name: json.dumps(getattr(run, name), ensure_ascii=False) for name in _JSON}
    return {**plain, **texts, "project": run.project.slug, "sweep": run.sweep.name}


def _lines_of(points: Points) -> Iterator[str]:
    head = line([points.run_id, cell(points.metric), "" if points.layer is None else points.layer])
    head = head.removesuffix(_END)
    for start in range(0, len(points.steps), _SLICE):
        steps = points.steps[start : start + _SLICE].tolist()
        values = points.values[start : start + _SLICE].tolist()
        # repr gives the shortest text that reads back as the same float; nan, inf and -inf too.
        yield "".join(f"{head},{step},{value!r}{_END}" for step, value in zip(steps, values, strict=True))


def cell(value: Any) -> Any:
    """Keep a spreadsheet from computing a text that somebody typed; numbers stay numbers."""
    if isinstance(value, str):
        return f"'{value}" if value.startswith(_FORMULA) else value
    return value.isoformat() if hasattr(value, "isoformat") else value


def line(cells: Iterable[Any]) -> str:
    """Write a row of a CSV file."""
    text = StringIO()
    csv.writer(text, lineterminator=_END).writerow(cells)
    return text.getvalue()
