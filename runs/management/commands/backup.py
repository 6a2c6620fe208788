"""``nnlab backup``: the whole installation in one file."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from runs import console
from runs.backup import BackupError, Manifest, saving
from runs.retention import file_size


class Command(BaseCommand):
    """Backs up, also while workers write."""

    help = (
        "Write all rows and uploaded data file into one file, as of one moment, while work goes on."
        " Secrets are not in it: keep the secret key (in NNLAB_HOME, or the folder secrets) elsewhere."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Take where to."""
        parser.add_argument("file", metavar="FILE", help="a new file, or - for standard output")

    def handle(self, *args: Any, **options: Any) -> None:
        """Write, and say what was written."""
        console.require_installation()
        if options["file"] == "-":
            self.stderr.write(_told(saving.save(sys.stdout.buffer)))
            return
        path = Path(options["file"])
        try:
            with saving.new_file(path) as file:
                manifest = saving.save(file)
        except (BackupError, OSError) as error:
            raise CommandError(f"nothing was backed up: {error}") from error
        self.stdout.write(f"{path}  {file_size(path.stat().st_size)}  {_told(manifest)}")


def _told(manifest: Manifest) -> str:
    rows = sum(table.rows for table in manifest.tables.values())
    return f"{rows:,} rows of {len(manifest.tables)} tables, {len(manifest.files)} data files"
