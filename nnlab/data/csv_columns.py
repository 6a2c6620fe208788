"""From CSV records to typed columns: numbers where every cell is one, categories elsewhere."""

from __future__ import annotations

import itertools
import math
import re
from array import array
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from nnlab.data.csv_reading import LIMITS, CsvLimits, checked_header, is_number, records, sniffed_delimiter
from nnlab.data.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from nnlab.data.frames import FloatArray

MISSING = frozenset({"", "na", "n/a", "nan", "null", "?"})
CHUNK_ROWS = 2_000
MAX_LABEL = 200
STRAY_SHARE = 0.05
"""Up to this share of texts among numbers is taken for a slip, not for a column of categories."""
MIN_NUMBERS = 20

is_decimal_comma = re.compile(r"\s*[+-]?\d+,\d+\s*", re.ASCII).fullmatch


@dataclass(frozen=True)
class CsvColumn:
    """A column as read.

    Shapes: cells (rows,): numbers, or indices into ``labels``; NaN where missing.

    Args:
        labels: sorted; empty for numbers.
    """

    name: str
    cells: FloatArray
    labels: tuple[str, ...] = ()


@dataclass
class _Profile:
    """What the first reading learns about a column."""

    numbers: int = 0
    texts: int = 0
    commas: int = 0
    first_text: tuple[int, str] = (0, "")

    def observe(self, rows: Sequence[int], cells: Sequence[str]) -> None:
        for row, cell in zip(rows, cells, strict=True):
            if is_number(cell):
                self.numbers += 1
            elif not _is_missing(cell):
                if not self.texts:
                    self.first_text = row, cell.strip()
                self.texts += 1
                self.commas += is_decimal_comma(cell) is not None

    def is_numeric(self, name: str) -> bool:
        """Decide the kind.

        Raises:
            DataError: for an empty column, decimal commas, or a few texts among many numbers.
        """
        row, text = self.first_text
        where = f"row {row}, column {name!r}: expected a number"
        if not self.numbers + self.texts:
            raise DataError("dataset", f"column {name!r}: expected values, got none; remove the column")
        if self.commas and self.commas == self.texts:
            raise DataError("dataset", f"{where} with a decimal point, got {text!r}")
        if (
            self.texts
            and self.numbers >= MIN_NUMBERS
            and self.texts <= STRAY_SHARE * (self.numbers + self.texts)
        ):
            raise DataError(
                "dataset", f"{where} as in most rows, got {text!r:.80}; correct the cell or leave it empty"
            )
        return not self.texts


@dataclass
class _Coder:
    """Collects one column in the second reading."""

    name: str
    numeric: bool
    cells: array[float] = field(default_factory=lambda: array("d"))
    codes: dict[str, int] = field(default_factory=dict)

    def extend(self, rows: Sequence[int], cells: Sequence[str], limits: CsvLimits) -> None:
        if self.numeric:
            self.cells.extend([math.nan if _is_missing(cell) else float(cell) for cell in cells])
        else:
            self.cells.extend(
                [self._code(row, cell.strip(), limits) for row, cell in zip(rows, cells, strict=True)]
            )

    def column(self, rows: FloatArray) -> CsvColumn:
        """Finish. Labels are sorted, so that the order of rows does not name the categories."""
        cells = np.array(self.cells, dtype=np.float64)
        too_large = np.isinf(cells)
        if too_large.any():
            row = int(rows[too_large.argmax()])
            where = f"row {row}, column {self.name!r}"
            raise DataError("dataset", f"{where}: expected a number below 1e308")
        if self.numeric:
            return CsvColumn(self.name, cells)
        labels = tuple(sorted(self.codes))
        place = np.empty(len(labels))
        place[[self.codes[label] for label in labels]] = np.arange(len(labels))
        present = ~np.isnan(cells)
        cells[present] = place[cells[present].astype(np.int64)]
        return CsvColumn(self.name, cells, labels)

    def _code(self, row: int, text: str, limits: CsvLimits) -> float:
        if _is_missing(text):
            return math.nan
        if len(text) > MAX_LABEL:
            raise DataError(
                "dataset",
                f"row {row}, column {self.name!r}: expected a category of at most {MAX_LABEL} characters, "
                f"got {len(text):,}; remove columns of free text",
            )
        code = self.codes.setdefault(text, len(self.codes))
        if code >= limits.labels:
            raise DataError(
                "dataset",
                f"row {row}, column {self.name!r}: expected at most {limits.labels:,} distinct texts; "
                "remove columns that only identify rows",
            )
        return code


def read_columns(
    content: bytes, limits: CsvLimits = LIMITS, delimiter: str | None = None
) -> tuple[CsvColumn, ...]:
    """Read a whole file, twice: once for the columns' kinds, once for their cells.

    Args:
        delimiter: None to guess it.

    Raises:
        DataError: for the first thing that is not as expected, with its row and column.
    """
    delimiter = delimiter or sniffed_delimiter(content, limits)
    first = next(records(content, delimiter, limits), None)
    if first is None:
        raise DataError("dataset", "expected a header row and data, got an empty file")
    names = checked_header(first[1], limits)
    profiles = [_Profile() for _ in names]
    for rows, columns in _chunks(content, delimiter, names, limits):
        for profile, cells in zip(profiles, columns, strict=True):
            profile.observe(rows, cells)
    if not any(profile.numbers + profile.texts for profile in profiles):
        raise DataError("dataset", "expected data below the header row, got none")
    coders = [_Coder(name, profile.is_numeric(name)) for name, profile in zip(names, profiles, strict=True)]
    row_numbers: list[int] = []
    for rows, columns in _chunks(content, delimiter, names, limits):
        row_numbers += rows
        for coder, cells in zip(coders, columns, strict=True):
            coder.extend(rows, cells, limits)
    return tuple(coder.column(np.array(row_numbers, dtype=np.float64)) for coder in coders)


def _chunks(
    content: bytes, delimiter: str, names: Sequence[str], limits: CsvLimits
) -> Iterator[tuple[list[int], list[tuple[str, ...]]]]:
    """Yield row numbers and cells by column, some thousand rows at a time."""
    below_header = itertools.islice(records(content, delimiter, limits), 1, None)
    while chunk := list(itertools.islice(below_header, CHUNK_ROWS)):
        for row, cells in chunk:
            if len(cells) != len(names):
                raise DataError(
                    "dataset", f"row {row}: expected {len(names)} cells as in the header, got {len(cells)}"
                )
        yield [row for row, _ in chunk], list(zip(*(cells for _, cells in chunk), strict=True))


def _is_missing(cell: str) -> bool:
    return len(cell) < 10 and cell.strip().lower() in MISSING
