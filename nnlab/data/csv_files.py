"""Finding CSV datasets: regular files of one folder, and nothing else."""

from __future__ import annotations

import os
import stat
from functools import lru_cache
from typing import TYPE_CHECKING

from nnlab.data.csv_columns import read_columns
from nnlab.data.csv_reading import LIMITS
from nnlab.data.csv_tables import build_table
from nnlab.data.errors import DataError
from nnlab.data.frames import Table, listing

if TYPE_CHECKING:
    from pathlib import Path


def csv_names(folder: Path | None) -> tuple[str, ...]:
    """List the CSV datasets of a folder by name: regular files, no links, no hidden ones."""
    if folder is None or not folder.is_dir():
        return ()
    with os.scandir(folder) as entries:
        names = [entry.name for entry in entries if entry.is_file(follow_symlinks=False)]
    return tuple(sorted(name for name in names if _is_plain(name)))


def load(folder: Path | None, name: str, target: str | None, task: str) -> Table:
    """Read one CSV dataset.

    Args:
        folder: where CSV datasets lie; None where the service has none.
        name: a plain file name. Anything else is refused before the file system is asked.
        target: name of the column to predict, None for the last one.
        task: ``auto`` or a task's name.

    Raises:
        DataError: if there is no such file, or its content is not as expected.
    """
    if not _is_plain(name):
        raise DataError("dataset", f"expected a plain file name such as houses.csv, got {name!r}")
    if folder is None:
        raise DataError("dataset", f"no file {name!r}: this service has no folder of CSV datasets")
    # Only what the listing shows can be opened, so no name reaches beyond the folder.
    names = csv_names(folder)
    if name not in names:
        raise DataError(
            "dataset",
            f"no file {name!r} among the CSV datasets ({listing(names) or 'none yet'}); "
            f"put it into the folder {folder} or choose another dataset",
        )
    return _table(content(folder, name), target, task)


def content(folder: Path, name: str) -> bytes:
    """Read a file that ``csv_names`` lists; it may have been exchanged since.

    Raises:
        DataError: if it cannot be read, is no regular file or too large.
    """
    # Neither constant exists on Windows. Without the second, opening a pipe would wait for a writer.
    flags = (
        os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    )
    try:
        descriptor = os.open(folder / name, flags)
    except OSError as error:
        raise DataError("dataset", f"cannot read {name!r}: {error.strerror}") from error
    with open(descriptor, "rb") as stream:  # noqa: PTH123 - a descriptor has no path
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise DataError("dataset", f"expected {name!r} to be a regular file")
        found = stream.read(LIMITS.file_bytes + 1)
    if len(found) > LIMITS.file_bytes:
        raise DataError(
            "dataset",
            f"expected a file of at most {LIMITS.file_bytes:,} bytes, {name!r} has more; send fewer rows",
        )
    return found


@lru_cache(maxsize=2)
def _table(text: bytes, target: str | None, task: str) -> Table:
    """Remember the last two tables: a sweep asks for the same one many times."""
    return build_table(read_columns(text), target, task)


def _is_plain(name: str) -> bool:
    hidden_or_elsewhere = name.startswith(".") or any(sign in name for sign in "/\\:")
    return name.endswith(".csv") and name.isprintable() and not hidden_or_elsewhere
