"""``nnlab trash``: show the trash, move runs into it, take them out again."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from runs import console, retention
from runs.models import Run
from runs.models.runs import RunQuerySet
from runs.pages.formats import ago
from runs.reading.trash import total_size, trash
from runs.retention import counted, file_size


class Command(BaseCommand):
    """Deletes and restores runs; without runs it lists what is in the trash."""

    help = "Move runs to the trash, or restore them; without runs, show what is in it."

    def add_arguments(self, parser: CommandParser) -> None:
        """Take the runs and what to do."""
        parser.add_argument("runs", nargs="*", type=int, metavar="RUN", help="a run's number")
        todo = parser.add_mutually_exclusive_group()
        todo.add_argument("--restore", action="store_true", help="take the runs out of the trash")
        todo.add_argument(
            "--stop", action="store_true", help="stop those that wait or train, and delete them too"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Show, delete or restore."""
        console.require_installation()
        if not options["runs"]:
            if options["restore"] or options["stop"]:
                raise CommandError("expected the numbers of runs, got none; name them, such as: 12 13")
            _show()
            return
        runs = named(options["runs"])
        if options["restore"]:
            restored = retention.restore(runs)
            console.print_line(f"{counted(restored)} restored, of {len(options['runs'])} named.")
            return
        discarded = retention.discard(runs, stop=options["stop"])
        console.print_line(f"{counted(discarded.moved)} moved to the trash.")
        if discarded.left:
            raise CommandError(
                f"{counted(discarded.left)} left, for they wait or train; add --stop to stop them first"
            )


def named(numbers: list[int]) -> RunQuerySet:
    """Return the runs that a command line names.

    Raises:
        CommandError: if one of them does not exist.
    """
    found = Run.objects.filter(pk__in=numbers)
    missing = sorted(set(numbers) - set(found.values_list("pk", flat=True)))
    if missing:
        raise CommandError(f"there is no run {', '.join(map(str, missing))}; nothing was changed")
    return found


def _show() -> None:
    runs, now = trash(), timezone.now()
    rows = [
        [str(key), name, slug, ago(deleted_at, now), file_size(size)]
        for key, name, slug, deleted_at, size in runs.values_list(
            "pk", "name", "project__slug", "deleted_at", "size"
        )
    ]
    if not rows:
        console.print_line("The trash is empty.")
        return
    console.print_table(
        f"Trash: {counted(len(rows))}, {file_size(total_size(runs))}",
        ["run", "name", "project", "deleted", "size"],
        rows,
    )
