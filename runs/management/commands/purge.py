"""``nnlab purge``: remove deleted runs for good, and say how much space that freed."""

from __future__ import annotations

import re
from argparse import ArgumentTypeError
from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connection
from django.utils import timezone
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from runs import console, retention
from runs.management.commands.trash import named
from runs.models import OVER, Run
from runs.models.runs import RunQuerySet
from runs.reading.trash import total_size
from runs.retention import counted, file_size

_UNITS = {"h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}


class Command(BaseCommand):
    """Purges runs of the trash. It can be interrupted and run again."""

    help = "Remove runs of the trash for good: their points, alerts and files."

    def add_arguments(self, parser: CommandParser) -> None:
        """Take which runs, and whether to shrink the database too."""
        chosen = parser.add_mutually_exclusive_group()
        chosen.add_argument("runs", nargs="*", type=int, default=[], metavar="RUN", help="a run's number")
        chosen.add_argument(
            "--older-than", type=_age, metavar="AGE", help="deleted so long ago: 30d, 12h, 2w"
        )
        chosen.add_argument("--all", action="store_true", help="everything that is in the trash")
        parser.add_argument("--dry-run", action="store_true", help="only say what would go")
        parser.add_argument(
            "--vacuum",
            action="store_true",
            help="then give the freed space back to the file system; without it new runs use it. SQLite"
            " writes its file anew, which takes as much free space as is left in it, and nothing else can"
            " write meanwhile. PostgreSQL vacuums its tables and works on.",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Choose, purge, say what was freed."""
        console.require_installation()
        chosen = _chosen(options)
        if options["dry_run"]:
            doomed = chosen.in_trash().filter(status__in=OVER)
            console.print_line(
                f"{file_size(total_size(doomed))} in {counted(doomed.count())} would be freed."
            )
            return
        retention.begin_purge(chosen)
        freed = _purge_all()
        console.print_line(f"{freed} freed.")
        if options["vacuum"]:
            retention.vacuum()
            console.print_line("The freed space was given back to the file system.")
        elif freed.bytes and connection.vendor == "sqlite":
            console.print_line("New runs use it; --vacuum makes the database's file smaller.")


def _chosen(options: dict[str, Any]) -> RunQuerySet:
    if options["runs"]:
        found = named(options["runs"])
        kept = sorted(found.kept().values_list("pk", flat=True))
        if kept:
            numbers = " ".join(map(str, kept))
            raise CommandError(f"not in the trash: {numbers}; delete first, with: nnlab trash {numbers}")
        return found
    if options["older_than"]:
        return Run.objects.filter(deleted_at__lt=timezone.now() - options["older_than"])
    if options["all"]:
        return Run.objects.in_trash()
    if not options["vacuum"]:
        raise CommandError("expected runs to purge, got none; name them, or give --older-than 30d or --all")
    return Run.objects.none()


def _purge_all() -> retention.Freed:
    freed = retention.Freed()
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    quiet = not console.console.is_terminal
    with Progress(*columns, console=console.console, transient=True, disable=quiet) as progress:
        task = progress.add_task("purging")
        for part in retention.purging():
            freed += part
            progress.update(task, description=f"{freed} freed")
    return freed


def _age(text: str) -> timedelta:
    found = re.fullmatch(r"(\d{1,5})([hdw])", text)
    if not found:
        raise ArgumentTypeError(f"expected an age such as 30d, 12h or 2w, got {text!r}")
    return int(found[1]) * _UNITS[found[2]]
