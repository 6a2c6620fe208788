"""``nnlab restore``: a backup in the place of an installation."""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import Error as DatabaseError

from runs import backup, queue, serving
from runs.backup.saving import key_mark


class Command(BaseCommand):
    """Restores all of a backup, or nothing."""

    help = (
        "Restore a backup into an empty database: stop web, workers and scheduler first. What is damaged, of"
        " another schema or would overwrite something is refused, and nothing changes."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Take the file, and what to do."""
        parser.add_argument("file", metavar="FILE", help="a backup, or - for standard input")
        wish = parser.add_mutually_exclusive_group()
        wish.add_argument("--replace", action="store_true", help="delete everything that is there")
        wish.add_argument(
            "--check", action="store_true", help="only say whether it is whole and can be restored here"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Check or restore, and say what is in it."""
        try:
            with _file(options["file"]) as path:
                manifest = self._done(path, replace=options["replace"], check=options["check"])
        except (backup.BackupError, DatabaseError, OSError) as error:
            raise CommandError(f"nothing was restored: {error}") from error
        rows = sum(table.rows for table in manifest.tables.values())
        self.stdout.write(
            f"{rows:,} rows and {len(manifest.files)} data files of {manifest.made_at:%Y-%m-%d %H:%M} UTC,"
            f" nnlab {manifest.nnlab}: {'whole, and can be restored' if options['check'] else 'restored'}."
        )
        if manifest.key != key_mark():
            self.stdout.write(
                "The secret key is not the one of the backup: everybody has to sign in again, and webhooks"
                " are signed with new secrets. Put the old key back to avoid that."
            )

    def _done(self, path: Path, *, replace: bool, check: bool) -> backup.Manifest:
        if check:
            return backup.examine(path)
        with serving.folder_held():
            manifest = backup.restore(path, replace=replace)
        queue.wake()
        return manifest


@contextmanager
def _file(name: str) -> Iterator[Path]:
    """Return the file's path; standard input is kept in a file first, for it cannot be read twice."""
    if name != "-":
        yield Path(name)
        return
    with tempfile.NamedTemporaryFile(dir=settings.NNLAB_HOME, prefix="restoring-") as file:
        shutil.copyfileobj(sys.stdin.buffer, file)
        file.flush()
        yield Path(file.name)
