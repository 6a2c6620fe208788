"""The file of a backup: a zip whose manifest names every member with its size and SHA-256."""

from __future__ import annotations

import hashlib
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import IO

import msgspec

FORMAT = 1
MANIFEST = "manifest.json"
FOLDERS = ("datasets",)  # what belongs to an installation beside its database, under NNLAB_HOME
_PIECE = 2**20  # bytes
# A damaged entry may also name a way of packing that there is not.
_DAMAGE = (zipfile.BadZipFile, NotImplementedError, zlib.error, EOFError, msgspec.MsgspecError)


class BackupError(ValueError):
    """What cannot be backed up or restored, why, and what to do."""


class Member(msgspec.Struct, frozen=True):
    """What a member of the file has to be."""

    bytes: int
    sha256: str


class Rows(Member, frozen=True):
    """A table's rows.

    Args:
        columns: in the order in which each row has them.
        last_id: the greatest number that a row ever had, so that none is given twice; 0 where there is none.
    """

    rows: int
    columns: list[str]
    last_id: int


class Manifest(msgspec.Struct, frozen=True):
    """What a backup holds, and what made it."""

    format: int
    nnlab: str
    engine: str
    database: str
    made_at: datetime
    key: str  # tells whether the secret key is the same; the key itself is not in the file
    migrations: list[tuple[str, str]]
    tables: dict[str, Rows]
    files: dict[str, Member]

    @property
    def members(self) -> dict[str, Member]:
        """All members but the manifest, by their names in the file."""
        return {table_member(name): table for name, table in self.tables.items()} | dict(self.files)


class Digest:
    """Writes a member, and knows what it wrote."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._sha = hashlib.sha256()
        self._bytes = 0

    def write(self, data: bytes) -> None:
        """Write a piece."""
        self._file.write(data)
        self._sha.update(data)
        self._bytes += len(data)

    def member(self) -> Member:
        """Say what was written."""
        return Member(self._bytes, self._sha.hexdigest())


def table_member(table: str) -> str:
    """Name the member that holds a table's rows."""
    return f"tables/{table}"


@contextmanager
def opened(path: Path) -> Iterator[tuple[zipfile.ZipFile, Manifest]]:
    """Open a backup and read its manifest.

    Raises:
        BackupError: if it is no backup, or one of another format; also where reading it fails in the block.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            yield archive, _manifest(archive, path)
    except FileNotFoundError as error:
        raise BackupError(f"there is no file {path}") from error
    except _DAMAGE as error:
        raise BackupError(f"{path} is damaged, or no backup of nnlab: {error}; use another backup") from error


def verify(archive: zipfile.ZipFile, manifest: Manifest) -> None:
    """Read every byte once, before anything is changed.

    Raises:
        BackupError: if a member is missing, is not as it was written, or has a name that leads elsewhere.
    """
    found = set(archive.namelist()) - {MANIFEST}
    if found != set(manifest.members):
        odd = ", ".join(sorted(found ^ set(manifest.members))[:5])
        raise BackupError(f"the backup is damaged: its manifest and its members differ in {odd}")
    for name in manifest.files:
        path = PurePosixPath(name)
        if path.parts[0] not in FOLDERS or ".." in path.parts or path.is_absolute():
            raise BackupError(f"expected files in {', '.join(FOLDERS)}, got {name!r}; use another backup")
    for name, expected in manifest.members.items():
        with archive.open(name) as file:
            found_member = _digest(file)
        if found_member != Member(expected.bytes, expected.sha256):
            raise BackupError(f"the backup is damaged: {name} is not as it was written; use another backup")


def digest_of(path: Path) -> str:
    """Return the SHA-256 of a file."""
    with path.open("rb") as file:
        return _digest(file).sha256


def pieces(file: IO[bytes]) -> Iterator[bytes]:
    """Read a file piece by piece."""
    while piece := file.read(_PIECE):
        yield piece


def _digest(file: IO[bytes]) -> Member:
    sha, size = hashlib.sha256(), 0
    for piece in pieces(file):
        sha.update(piece)
        size += len(piece)
    return Member(size, sha.hexdigest())


def _manifest(archive: zipfile.ZipFile, path: Path) -> Manifest:
    if MANIFEST not in archive.namelist():
        raise BackupError(f"{path} is no backup of nnlab, or was cut off: it has no manifest")
    text = archive.read(MANIFEST)
    written = msgspec.json.decode(text).get("format")
    if written != FORMAT:
        raise BackupError(f"expected a backup of format {FORMAT}, got {written}; use the nnlab that made it")
    return msgspec.json.decode(text, type=Manifest)
