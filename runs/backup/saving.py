"""Backing up: everything as it was at one moment, while workers write on."""

from __future__ import annotations

import hmac
import os
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import msgspec
from django.conf import settings
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder
from django.utils import timezone

from nnlab import versions
from runs.backup.archive import (
    FOLDERS,
    FORMAT,
    MANIFEST,
    BackupError,
    Digest,
    Manifest,
    Member,
    Rows,
    pieces,
    table_member,
)
from runs.backup.tables import Table, tables
from runs.store.snapshot import snapshot

_FAST = 1  # most of it is packed already


def save(file: IO[bytes]) -> Manifest:
    """Write a backup into an open file, which need not be able to seek.

    All rows are those of one moment; the uploaded data files are read after it.
    """
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=_FAST) as archive:
        with snapshot():
            migrations = sorted(MigrationRecorder(connection).applied_migrations())
            rows = {name: _save_table(archive, table) for name, table in sorted(tables().items())}
        files = {name: _save_file(archive, name, path) for name, path in _files()}
        numbers = versions.numbers()
        manifest = Manifest(
            format=FORMAT,
            nnlab=numbers["nnlab"],
            engine=numbers["engine"],
            database=connection.vendor,
            made_at=timezone.now(),
            key=key_mark(),
            migrations=migrations,
            tables=rows,
            files=files,
        )
        archive.writestr(MANIFEST, msgspec.json.format(msgspec.json.encode(manifest)))
    return manifest


@contextmanager
def new_file(path: Path) -> Iterator[IO[bytes]]:
    """Open a file that only its owner can read, and that has its name only when it is whole.

    Raises:
        BackupError: if the file exists already.
    """
    if path.exists():
        raise BackupError(f"{path} exists already; choose another name")
    draft = path.with_name(f"{path.name}.part")
    try:
        with os.fdopen(os.open(draft, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600), "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        draft.rename(path)
    finally:
        draft.unlink(missing_ok=True)


def key_mark() -> str:
    """Tell a secret key from another without telling it."""
    return hmac.new(settings.SECRET_KEY.encode(), b"nnlab backup", "sha256").hexdigest()[:12]


def _save_table(archive: zipfile.ZipFile, table: Table) -> Rows:
    rows = 0
    with archive.open(table_member(table.name), "w", force_zip64=True) as member:
        digest = Digest(member)
        for row in table.encoded():
            digest.write(row)
            rows += 1
    written = digest.member()
    return Rows(written.bytes, written.sha256, rows, table.columns, table.last_id())


def _save_file(archive: zipfile.ZipFile, name: str, path: Path) -> Member:
    with path.open("rb") as file, archive.open(name, "w", force_zip64=True) as member:
        digest = Digest(member)
        for piece in pieces(file):
            digest.write(piece)
    return digest.member()


def _files() -> Iterator[tuple[str, Path]]:
    home = Path(settings.NNLAB_HOME)
    for folder in FOLDERS:
        for path in sorted((home / folder).rglob("*")):
            if path.is_file() and not path.is_symlink():
                yield path.relative_to(home).as_posix(), path
