"""From the bytes of a CSV file to its header and its records, within limits."""

from __future__ import annotations

import csv
import io
import itertools
import re
from codecs import BOM_UTF8
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING

from nnlab.data.errors import DataError
from nnlab.data.frames import listing

if TYPE_CHECKING:
    from collections.abc import Iterator

DELIMITERS = (",", ";", "\t", "|")
SNIFFED_LINES = 20
MAX_NAME = 200

is_number = re.compile(r"\s*[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?\s*", re.ASCII).fullmatch
"""Stricter than ``float``, which takes ``nan``, ``1_000`` and digits of other scripts.

No two of its parts can take the same digits: many of them before a letter would be tried in every division.
"""


_OTHER_KINDS = {
    b"PK\x03\x04": "a ZIP archive, or a spreadsheet",
    b"\x1f\x8b": "a gzip archive",
    b"BZh91AY&SY": "a bzip2 archive",
    b"\xfd7zXZ": "an xz archive",
    b"%PDF-": "a PDF file",
    b"\x89PNG": "a picture",
    b"\xff\xd8\xff": "a picture",
    b"\xff\xfe": "text encoded as UTF-16",
    b"\xfe\xff": "text encoded as UTF-16",
    b"\xd0\xcf\x11\xe0": "an old spreadsheet",
    b"SQLite format": "a database",
}
"""How files begin that are taken for CSV; nothing is ever unpacked."""


@dataclass(frozen=True)
class CsvLimits:
    """What a CSV file may hold.

    Args:
        labels: distinct texts of one column; more are no categories.
    """

    file_bytes: int = 20_000_000
    line_bytes: int = 1_000_000
    rows: int = 200_000
    columns: int = 500
    labels: int = 10_000


LIMITS = CsvLimits()
UPLOAD_LIMITS = CsvLimits(labels=LIMITS.rows)
"""A recipe leaves out what only identifies rows, so an upload may hold it."""


def sniffed_delimiter(content: bytes, limits: CsvLimits = LIMITS) -> str:
    """Guess the delimiter: the one that cuts the first lines into the most, equally many cells."""
    sample = list(itertools.islice(_lines(io.BytesIO(content), limits), SNIFFED_LINES))

    def score(delimiter: str) -> tuple[bool, bool, int]:
        try:
            widths = [len(cells) for cells in csv.reader(sample, delimiter=delimiter) if cells]
        except csv.Error:
            widths = []
        return max(widths, default=0) > 1, len(set(widths)) == 1, widths[0] if widths else 0

    return max(DELIMITERS, key=score)


def check_head(head: bytes) -> None:
    """Refuse what is plainly no CSV file by how it begins, before the rest of it is there.

    Raises:
        DataError: and says what it looks like.
    """
    kind = next((kind for sign, kind in _OTHER_KINDS.items() if head.startswith(sign)), None)
    if kind is None and b"\0" in head:
        kind = "a file with NUL bytes"
    if kind is not None:
        raise DataError("dataset", f"expected a CSV file, got {kind}; export it as CSV, encoded as UTF-8")


def records(stream: IO[bytes], delimiter: str, limits: CsvLimits = LIMITS) -> Iterator[tuple[int, list[str]]]:
    """Yield each record that is not blank, the header first, with its row number as a spreadsheet counts.

    Args:
        stream: read from its begin, wherever it stands.

    Raises:
        DataError: for bytes that are no text, quotes that do not close, or more than the limits allow.
    """
    row = 0
    try:
        for row, cells in enumerate(csv.reader(_lines(stream, limits), delimiter=delimiter, strict=True), 1):
            if row > limits.rows + 1:
                raise DataError(
                    "dataset", f"expected at most {limits.rows:,} rows below the header, got more"
                )
            if cells:
                yield row, cells
    except csv.Error as error:
        raise DataError(
            "dataset", f"row {row + 1}: expected cells whose quotes close, got an error: {error}"
        ) from error


def checked_header(cells: list[str], limits: CsvLimits = LIMITS) -> tuple[str, ...]:
    """Trim the column names and check them.

    Raises:
        DataError: if they are too many or too few, or one is empty, too long or there twice.
    """
    names = tuple(cell.strip() for cell in cells)
    if len(names) > limits.columns:
        raise DataError("dataset", f"row 1: expected at most {limits.columns} columns, got {len(names):,}")
    if len(names) < 2:
        shown = ", ".join(repr(delimiter) for delimiter in DELIMITERS)
        raise DataError(
            "dataset", f"row 1: expected at least two columns, separated by one of {shown}, got one"
        )
    if all(is_number(name) for name in names):
        raise DataError("dataset", f"row 1: expected column names, got numbers ({listing(names, 5)})")
    seen: set[str] = set()
    for position, name in enumerate(names, 1):
        if not 0 < len(name) <= MAX_NAME:
            raise DataError(
                "dataset",
                f"row 1, column {position}: expected a name of 1 to {MAX_NAME} characters, got {name!r:.50}",
            )
        if name in seen:
            raise DataError("dataset", f"row 1, column {position}: expected unique names, got {name!r} again")
        seen.add(name)
    return names


def _lines(stream: IO[bytes], limits: CsvLimits) -> Iterator[str]:
    stream.seek(0)
    if stream.read(len(BOM_UTF8)) != BOM_UTF8:
        stream.seek(0)
    number = 0
    while line := stream.readline(limits.line_bytes + 1):
        number += 1
        if len(line) > limits.line_bytes:
            raise DataError(
                "dataset", f"line {number}: expected at most {limits.line_bytes:,} bytes, got more"
            )
        try:
            text = line.decode("utf-8")
        except UnicodeDecodeError as error:
            raise DataError(
                "dataset",
                f"line {number}: expected UTF-8 text, got byte 0x{line[error.start]:02x} "
                f"at position {error.start + 1}; save the file as UTF-8",
            ) from error
        if "\0" in text:
            raise DataError("dataset", f"line {number}: expected text, got a NUL byte; is this a CSV file?")
        yield text
