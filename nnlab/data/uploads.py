"""Uploaded datasets: columns as bytes that name themselves, and where a run finds them.

The bytes are canonical: equal names, types and values in equal order give equal bytes, whatever file they
came from. Whoever keeps uploads connects a library; what was read from it is kept on disk by its name.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from nnlab.data.csv_columns import CsvColumn
from nnlab.data.errors import DataError
from nnlab.data.frames import listing

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

PREFIX = "upload:"
DIGITS = 12  # of a version, and of a recipe
KEPT_FILES = 8
_FIRST_LINE = b"nnlab columns 1\n"

is_version = re.compile(rf"[0-9a-f]{{{DIGITS}}}").fullmatch


class Library(Protocol):
    """Whatever keeps uploads."""

    def content(self, version: str) -> bytes | None:
        """Read the canonical bytes of a version; None where there is none."""

    def recipe(self, version: str, key: str) -> Mapping[str, Any] | None:
        """Read a recipe of a version; None where it has none of that name."""

    def recipes(self, version: str) -> Sequence[str]:
        """Name the recipes of a version."""


class _Nothing:
    """A library without a book, for programs that keep no uploads."""

    def content(self, _: str) -> bytes | None:
        return None

    def recipe(self, _: str, __: str) -> Mapping[str, Any] | None:
        return None

    def recipes(self, _: str) -> Sequence[str]:
        return ()


_connected: list[Library] = [_Nothing()]


def connect(library: Library) -> None:
    """Say where uploads are kept, once for the process."""
    _connected[0] = library


def pieces(columns: Sequence[CsvColumn]) -> Iterator[bytes]:
    """Write columns as canonical bytes, a column at a time."""
    head = {"rows": len(columns[0].cells), "columns": [[one.name, list(one.labels)] for one in columns]}
    yield b"".join([_FIRST_LINE, json.dumps(head, separators=(",", ":")).encode(), b"\n"])
    for column in columns:
        cells = np.ascontiguousarray(column.cells, dtype="<f8") + 0.0  # -0.0 becomes 0.0
        cells[np.isnan(cells)] = np.nan  # one bit pattern for all missing cells
        yield cells.tobytes()


def encode(columns: Sequence[CsvColumn]) -> bytes:
    """Write columns as canonical bytes, all at once."""
    return b"".join(pieces(columns))


def decode(content: bytes) -> tuple[CsvColumn, ...]:
    """Read columns back. Their cells are read-only.

    Raises:
        DataError: for bytes that ``encode`` did not write.
    """
    end = content.find(b"\n", len(_FIRST_LINE))
    if not content.startswith(_FIRST_LINE) or end < 0:
        raise DataError("dataset", "expected the columns of an upload, got other bytes; upload the file anew")
    head = json.loads(content[len(_FIRST_LINE) : end])
    rows, columns = head["rows"], head["columns"]
    cells = np.frombuffer(content, dtype="<f8", offset=end + 1).reshape(len(columns), rows)
    return tuple(
        CsvColumn(name, part, tuple(labels)) for (name, labels), part in zip(columns, cells, strict=True)
    )


def full_version(content: bytes) -> str:
    """Name canonical bytes: the 64 hex digits of their sha256. Keys have the first 12 of them."""
    return hashlib.sha256(content).hexdigest()


def version_of(dataset: str) -> str:
    """Take the version out of a dataset's key.

    Raises:
        DataError: for a key that names none.
    """
    version = dataset.removeprefix(PREFIX)
    if not is_version(version):
        raise DataError(
            "dataset", f"expected {PREFIX} and {DIGITS} digits of 0-9 and a-f, got {dataset!r:.80}"
        )
    return version


def recipe(dataset: str, key: str) -> Mapping[str, Any]:
    """Find a saved recipe of an upload.

    Raises:
        DataError: if there is none of that name.
    """
    version = version_of(dataset)
    found = _connected[0].recipe(version, key)
    if found is None:
        known = _connected[0].recipes(version)
        if not known:
            raise DataError("dataset", f"there is no saved dataset {dataset!r}; upload its file again")
        raise DataError("recipe", f"expected a recipe of {dataset!r} among {listing(known)}, got {key!r:.50}")
    return found


def load(dataset: str, folder: Path | None) -> tuple[CsvColumn, ...]:
    """Read an upload, from disk where this machine has read it before.

    Args:
        folder: below it copies are kept; None for none.

    Raises:
        DataError: if there is no such upload.
    """
    return _load(version_of(dataset), folder)


@lru_cache(maxsize=2)
def _load(version: str, folder: Path | None) -> tuple[CsvColumn, ...]:
    copies = folder / ".uploads" if folder else None
    content = _copy(copies / version) if copies else None
    if content is None or not full_version(content).startswith(version):
        content = _connected[0].content(version)
        if content is None:
            raise DataError("dataset", f"there is no upload {version!r}; upload its file again")
        if copies:
            with suppress(OSError):  # a disk that is full costs a copy, not a run
                _keep(copies, version, content)
    return decode(content)


def _copy(path: Path) -> bytes | None:
    with suppress(OSError):
        content = path.read_bytes()
        os.utime(path)  # the copies that were not used for longest go first
        return content
    return None


def _keep(folder: Path, version: str, content: bytes) -> None:
    """Write a copy, which appears when it is whole, and leave only the few that were used last."""
    folder.mkdir(parents=True, exist_ok=True)
    draft = folder / f".{version}.{os.getpid()}"
    draft.write_bytes(content)
    draft.replace(folder / version)
    copies = sorted(
        (path for path in folder.iterdir() if is_version(path.name)), key=lambda path: path.stat().st_mtime
    )
    for path in copies[:-KEPT_FILES]:
        path.unlink(missing_ok=True)
