"""``nnlab export``: write every point of runs to Parquet or CSV files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from runs import console, exporting
from runs.models import Project, Run
from runs.models.runs import RunQuerySet
from runs.parquet import Parquet
from runs.retention import counted, file_size


class Command(BaseCommand):
    """Exports runs."""

    help = "Write every point of runs, and a table of the runs, to files: points.* and runs.*."

    def add_arguments(self, parser: CommandParser) -> None:
        """Take the runs, the kind of file and where to."""
        parser.add_argument("runs", nargs="*", type=int, metavar="RUN", help="a run's number")
        parser.add_argument("--project", metavar="SLUG", help="all runs of a project")
        parser.add_argument("--metrics", metavar="A,B", default="", help="only these (default: all)")
        parser.add_argument(
            "--output", metavar="FOLDER", default="nnlab-export", help="where to (default: nnlab-export)"
        )
        parser.add_argument("--force", action="store_true", help="replace files of an earlier export")
        kind = parser.add_mutually_exclusive_group(required=True)
        kind.add_argument("--parquet", action="store_true", help="small and exact; needs pyarrow")
        kind.add_argument("--csv", action="store_true", help="text; needs nothing")

    def handle(self, *args: Any, **options: Any) -> None:
        """Choose, write, say what was written."""
        console.require_installation()
        runs = _chosen(options["runs"], options["project"])
        metrics = [name.strip() for name in options["metrics"].split(",") if name.strip()]
        try:
            kind = Parquet() if options["parquet"] else exporting.Csv()
            written = _export(runs, Path(options["output"]), kind, metrics, replace=options["force"])
        except (exporting.ExportError, OSError) as error:
            raise CommandError(f"nothing was exported: {error}") from error
        for path in written:
            console.print_line(f"{path}  {file_size(path.stat().st_size)}")


def _export(
    runs: RunQuerySet, folder: Path, kind: exporting.Format, metrics: list[str], *, replace: bool
) -> list[Path]:
    total = exporting.point_count(runs, metrics)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    quiet = not console.console.is_terminal
    with Progress(*columns, console=console.console, transient=True, disable=quiet) as progress:
        task = progress.add_task(f"points of {counted(runs.count())}", total=total)
        return exporting.export(
            runs,
            folder,
            kind,
            metrics=metrics,
            replace=replace,
            on_points=lambda points: progress.advance(task, points),
        )


def _chosen(numbers: list[int], slug: str | None) -> RunQuerySet:
    if bool(numbers) == bool(slug):
        raise CommandError("expected the numbers of runs, or --project, such as: nnlab export 12 13 --csv")
    if slug:
        if not Project.objects.filter(slug=slug).exists():
            raise CommandError(f"there is no project {slug}")
        return Run.objects.kept().filter(project__slug=slug)
    found = Run.objects.kept().filter(pk__in=numbers)
    missing = sorted(set(numbers) - set(found.values_list("pk", flat=True)))
    if missing:
        raise CommandError(
            f"there is no run {', '.join(map(str, missing))}; nnlab trash shows the deleted ones"
        )
    return found
