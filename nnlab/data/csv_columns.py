"""From CSV records to typed columns: numbers where every cell is one, categories elsewhere."""

from __future__ import annotations

import io
import itertools
import math
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING, TypeAlias

import numpy as np

from nnlab.data.csv_reading import LIMITS, CsvLimits, checked_header, is_number, records, sniffed_delimiter
from nnlab.data.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from nnlab.data.frames import FloatArray

MISSING = frozenset({"", "na", "n/a", "nan", "null", "?"})
CHUNK_ROWS = 2_000
CHUNK_CELLS = 200_000
MAX_LABEL = 200
STRAY_SHARE = 0.05
"""Up to this share of texts among numbers is taken for a slip, not for a column of categories."""
MIN_NUMBERS = 20

Progress: TypeAlias = Callable[[float, int], None]
"""Is told, some thousand rows at a time, what share of the work is done and how many rows were read."""

is_decimal_comma = re.compile(r"\s*[+-]?\d+,\d+\s*", re.ASCII).fullmatch
has_plain_signs = re.compile(r"[\d+\-.eE\s]*", re.ASCII).fullmatch
"""Texts of these signs are numbers to ``float`` where they are numbers here; it is told of many at once."""


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
class _Column:
    """What the first reading learns about a column: its kind, and its cells while all of them are numbers."""

    name: str
    numbers: int = 0
    texts: int = 0
    commas: int = 0
    first_text: tuple[int, str] = (0, "")
    blocks: list[FloatArray] = field(default_factory=list)

    def observe(self, rows: Sequence[int], cells: Sequence[str]) -> None:
        """Take the cells of some rows."""
        plain = None if self.texts else _plain_numbers(cells)
        if plain is not None:
            self.numbers += len(cells)
            self.blocks.append(plain)
            return
        known = {}
        for cell, count in Counter(cells).items():
            known[cell] = math.nan
            if is_number(cell):
                self.numbers += count
                known[cell] = float(cell)
            elif not _is_missing(cell):
                if not self.texts:
                    self.first_text = rows[cells.index(cell)], cell.strip()
                self.texts += count
                self.commas += count if is_decimal_comma(cell) else 0
        self.blocks = [] if self.texts else [*self.blocks, _looked_up(known, cells)]

    def is_numeric(self) -> bool:
        """Decide the kind.

        Raises:
            DataError: for an empty column, decimal commas, or a few texts among many numbers.
        """
        row, text = self.first_text
        where = f"row {row}, column {self.name!r}: expected a number"
        if not self.numbers + self.texts:
            raise DataError("dataset", f"column {self.name!r}: expected values, got none; remove the column")
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

    def finished(self, rows: FloatArray) -> CsvColumn:
        """Join the numbers; they are not kept here any longer.

        Raises:
            DataError: for a number that is too large.
        """
        cells = np.concatenate(self.blocks)
        self.blocks = []
        too_large = np.isinf(cells)
        if too_large.any():
            row = int(rows[too_large.argmax()])
            raise DataError("dataset", f"row {row}, column {self.name!r}: expected a number below 1e308")
        return CsvColumn(self.name, cells)


@dataclass
class _Coder:
    """Collects one column of categories in the second reading."""

    name: str
    blocks: list[FloatArray] = field(default_factory=list)
    codes: dict[str, int] = field(default_factory=dict)

    def extend(self, rows: Sequence[int], cells: Sequence[str], limits: CsvLimits) -> None:
        """Take the cells of some rows.

        Raises:
            DataError: for free text, or too many categories.
        """
        known = {}
        for cell in dict.fromkeys(cells):
            try:
                known[cell] = self._code(cell.strip(), limits)
            except DataError as error:
                raise DataError(error.field, f"row {rows[cells.index(cell)]}, {error}") from error
        self.blocks.append(_looked_up(known, cells))

    def finished(self) -> CsvColumn:
        """Finish. Labels are sorted, so that the order of rows does not name the categories."""
        cells = np.concatenate(self.blocks)
        labels = tuple(sorted(self.codes))
        place = np.empty(len(labels))
        place[[self.codes[label] for label in labels]] = np.arange(len(labels))
        present = ~np.isnan(cells)
        cells[present] = place[cells[present].astype(np.int64)]
        return CsvColumn(self.name, cells, labels)

    def _code(self, text: str, limits: CsvLimits) -> float:
        if _is_missing(text):
            return math.nan
        where = f"column {self.name!r}"
        if len(text) > MAX_LABEL:
            raise DataError(
                "dataset",
                f"{where}: expected a category of at most {MAX_LABEL} characters, "
                f"got {len(text):,}; remove columns of free text",
            )
        code = self.codes.setdefault(text, len(self.codes))
        if code >= limits.labels:
            raise DataError(
                "dataset",
                f"{where}: expected at most {limits.labels:,} distinct texts; "
                "remove columns that only identify rows",
            )
        return code


def read_columns(
    content: bytes,
    limits: CsvLimits = LIMITS,
    delimiter: str | None = None,
    progress: Progress = lambda _share, _rows: None,
) -> tuple[CsvColumn, ...]:
    """Read a whole file: numbers at once, and a second time what turns out to be categories.

    Args:
        delimiter: None to guess it.

    Raises:
        DataError: for the first thing that is not as expected, with its row and column.
    """
    delimiter = delimiter or sniffed_delimiter(content, limits)
    stream = io.BytesIO(content)
    first = next(records(stream, delimiter, limits), None)
    if first is None:
        raise DataError("dataset", "expected a header row and data, got an empty file")
    columns = [_Column(name) for name in checked_header(first[1], limits)]
    row_numbers: list[FloatArray] = []
    count = 0
    for rows, read in _chunks(stream, delimiter, len(columns), limits):
        row_numbers.append(np.array(rows, dtype=np.float64))
        count += len(rows)
        for column, cells in zip(columns, read, strict=True):
            column.observe(rows, cells)
        readings = 2 if any(column.texts for column in columns) else 1
        progress(stream.tell() / len(content) / readings, count)
    if not any(column.numbers + column.texts for column in columns):
        raise DataError("dataset", "expected data below the header row, got none")
    coders = {place: _Coder(one.name) for place, one in enumerate(columns) if not one.is_numeric()}
    if coders:
        for rows, read in _chunks(stream, delimiter, len(columns), limits):
            for place, coder in coders.items():
                coder.extend(rows, read[place], limits)
            progress((1 + stream.tell() / len(content)) / 2, count)
    numbered = np.concatenate(row_numbers)
    return tuple(
        coders[place].finished() if place in coders else column.finished(numbered)
        for place, column in enumerate(columns)
    )


def _chunks(
    stream: IO[bytes], delimiter: str, width: int, limits: CsvLimits
) -> Iterator[tuple[list[int], list[tuple[str, ...]]]]:
    """Yield row numbers and cells by column, some thousand rows at a time and fewer of wide ones."""
    below_header = itertools.islice(records(stream, delimiter, limits), 1, None)
    size = max(1, min(CHUNK_ROWS, CHUNK_CELLS // width))
    while chunk := list(itertools.islice(_of_width(below_header, width), size)):
        rows, cells = zip(*chunk, strict=True)
        yield list(rows), list(zip(*cells, strict=True))


def _of_width(found: Iterator[tuple[int, list[str]]], width: int) -> Iterator[tuple[int, list[str]]]:
    for row, cells in found:
        if len(cells) != width:
            raise DataError(
                "dataset", f"row {row}: expected {width} cells as in the header, got {len(cells)}"
            )
        yield row, cells


def _plain_numbers(cells: Sequence[str]) -> FloatArray | None:
    """Convert cells of which each is a number; None where one is something else."""
    if not has_plain_signs("".join(cells)):
        return None
    try:
        return np.fromiter(map(float, cells), np.float64, len(cells))
    except ValueError:
        return None


def _looked_up(known: dict[str, float], cells: Sequence[str]) -> FloatArray:
    return np.fromiter(map(known.__getitem__, cells), np.float64, len(cells))


def _is_missing(cell: str) -> bool:
    return len(cell) < 10 and cell.strip().lower() in MISSING
