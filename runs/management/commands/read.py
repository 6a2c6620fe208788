"""``nnlab read``: read one uploaded file; the scheduler starts it."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from nnlab.supervisor import die_with_parent
from runs.models import Upload
from runs.uploading import reading


class Command(BaseCommand):
    """Reads an upload that its starter has claimed, within bounds of memory, and ends with its starter."""

    help = "Read an uploaded file into a dataset; started by the scheduler."
    requires_system_checks = ()  # they would load every page, for each file

    def add_arguments(self, parser: CommandParser) -> None:
        """Take which upload, and by which attempt it is held."""
        parser.add_argument("upload", type=int, help="the upload's number")
        parser.add_argument("attempt", type=int, help="the number of the attempt that holds it")

    def handle(self, *args: Any, **options: Any) -> None:
        """Read it."""
        die_with_parent()
        reading.bound_memory()
        upload = Upload.objects.filter(pk=options["upload"], attempts=options["attempt"]).first()
        if upload is None:
            raise CommandError(f"attempt {options['attempt']} does not hold upload {options['upload']}")
        reading.read(upload)
