"""Restoring: all of a backup or nothing of it."""

from __future__ import annotations

import shutil
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from django.conf import settings
from django.contrib.contenttypes.models import ContentType
from django.core.management import call_command
from django.db import connection, transaction
from django.db.migrations.loader import MigrationLoader

from runs import lifecycle, workers
from runs.backup.archive import BackupError, Manifest, digest_of, opened, pieces, table_member, verify
from runs.backup.tables import empty, tables
from runs.models import Run, Status

# Rows that migrating makes itself; everything else was made by people or by runs.
_MADE_BY_MIGRATING = {"auth_permission", "django_content_type"}


def examine(path: Path) -> Manifest:
    """Check that a backup is whole and that this version of nnlab can restore it.

    Raises:
        BackupError: if not, and says what to do.
    """
    with opened(path) as (archive, manifest):
        verify(archive, manifest)
        _require_same_schema(manifest)
        return manifest


def restore(path: Path, *, replace: bool = False) -> Manifest:
    """Put a backup in the place of an empty installation, or of this one.

    Rows are written in one transaction. Runs that were being trained are queued again, so that a worker which
    still trains one may not write into the restored rows.

    Args:
        replace: delete what is there.

    Raises:
        BackupError: and nothing was changed, except that an empty database got its tables.
    """
    with opened(path) as (archive, manifest):
        verify(archive, manifest)
        _require_same_schema(manifest)
        _require_stopped()
        if not replace:
            _require_empty()
        home = Path(settings.NNLAB_HOME)
        with _extracted(archive, manifest, home, replace=replace) as staged:
            call_command("migrate", verbosity=0, interactive=False)
            with transaction.atomic():
                _load(archive, manifest)
            for name in manifest.files:
                (home / name).parent.mkdir(parents=True, exist_ok=True)
                (staged / name).replace(home / name)
    return manifest


def _load(archive: zipfile.ZipFile, manifest: Manifest) -> None:
    every = tables()
    empty(every.values())
    for name, saved in manifest.tables.items():
        with archive.open(table_member(name)) as member:
            written = every[name].insert(every[name].decoded(member))
        if written != saved.rows:
            raise BackupError(f"expected {saved.rows} rows of {name}, got {written}; use another backup")
        every[name].go_on_after(saved.last_id)
    ContentType.objects.clear_cache()
    held = Run.objects.filter(status=Status.RUNNING).values_list("pk", "token")
    lifecycle.hand_back({run_id: token for run_id, token in held if token})
    workers.record_release()


def _require_same_schema(manifest: Manifest) -> None:
    known, saved = set(MigrationLoader(None).disk_migrations), set(manifest.migrations)
    made_by = f"the backup was made by nnlab {manifest.nnlab}"
    if newer := sorted(saved - known):
        raise BackupError(f"{made_by}, which is newer ({_named(newer)}); upgrade nnlab and restore then")
    if older := sorted(known - saved):
        raise BackupError(
            f"{made_by}, whose database is older (without {_named(older)}); restore it with that version"
            " into an empty database, then upgrade nnlab and run: nnlab prepare"
        )
    ours = {name: table.columns for name, table in tables().items()}
    if ours != {name: saved.columns for name, saved in manifest.tables.items()}:
        raise BackupError(f"{made_by}, whose tables differ from this one's; restore it with that version")


def _require_stopped() -> None:
    if _has_tables() and (heard := workers.heard().count()):
        raise BackupError(
            f"{heard} worker(s) were heard a moment ago; stop web, workers and scheduler,"
            " and try again in a minute"
        )


def _require_empty() -> None:
    if not _has_tables():
        return
    filled = [
        name for name, table in tables().items() if name not in _MADE_BY_MIGRATING and not table.is_empty()
    ]
    if filled:
        raise BackupError(
            f"the database is not empty ({', '.join(sorted(filled)[:4])}); restore into an empty one, or give"
            " --replace to delete all that is in it"
        )


def _has_tables() -> bool:
    return "runs_run" in connection.introspection.table_names()


@contextmanager
def _extracted(archive: zipfile.ZipFile, manifest: Manifest, home: Path, *, replace: bool) -> Iterator[Path]:
    """Unpack the files beside where they belong, so that they can be moved there at once."""
    for name, member in manifest.files.items():
        path = home / name
        if path.exists() and not replace and digest_of(path) != member.sha256:
            raise BackupError(f"{path} is another file than the backup's; move it away, or give --replace")
    staged = Path(tempfile.mkdtemp(prefix="restoring-", dir=home))
    try:
        for name in manifest.files:
            (staged / name).parent.mkdir(parents=True, exist_ok=True)
            with archive.open(name) as member_file, (staged / name).open("wb") as file:
                for piece in pieces(member_file):
                    file.write(piece)
        yield staged
    finally:
        shutil.rmtree(staged)


def _named(migrations: list[tuple[str, str]]) -> str:
    return ", ".join(f"{app} {name}" for app, name in migrations[-3:])
