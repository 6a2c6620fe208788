"""What a look at a dataset's columns tells before anything is trained on it."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from nnlab.data.csv_columns import CsvColumn
from nnlab.data.csv_tables import MIN_REGRESSION_VALUES, looks_like_an_identifier
from nnlab.data.frames import listing

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nnlab.data.frames import FloatArray, Table

BINS = 24
COMMON = 5
NAMED = 6  # columns in a sentence
ONE_VALUE_SHARE = 0.99
WIDE = 100.0  # times the median range of the other columns
CAPPED_SHARE = 0.01
IMBALANCE = 10.0


@dataclass(frozen=True)
class Warned:
    """What to look at in a column.

    Args:
        kind: what it is when several columns share it, as the end of a sentence.
        text: for this column.
    """

    kind: str
    text: str


@dataclass(frozen=True)
class ColumnProfile:
    """One column in numbers.

    Args:
        missing: cells without a value.
        distinct: different values among those present.
        low: the least value; with ``mean``, ``sd`` and ``high`` NaN for categories and without any value.
        sd: of the rows as they are (divided by n).
        bars: for numbers, rows in ``BINS`` equal parts of the range; for categories, rows of the most common.
        common: the most common labels with their rows; empty for numbers.
    """

    name: str
    kind: str
    rows: int
    missing: int
    distinct: int
    low: float
    mean: float
    sd: float
    high: float
    bars: tuple[int, ...]
    common: tuple[tuple[str, int], ...] = ()
    is_target: bool = False
    warnings: tuple[Warned, ...] = ()

    @property
    def missing_share(self) -> float:
        """Share of the rows without a value."""
        return self.missing / self.rows if self.rows else 0.0


@dataclass(frozen=True)
class Profile:
    """All columns in numbers.

    Args:
        duplicates: rows that repeat an earlier one in every column.
        warnings: of several columns or of the rows, in sentences.
    """

    rows: int
    columns: tuple[ColumnProfile, ...]
    duplicates: int
    warnings: tuple[str, ...]


def columns_of(table: Table) -> tuple[CsvColumn, ...]:
    """Show a table as columns, the target last and in its own unit."""
    names = table.frame.names
    labels = {name: found.labels for name, found in table.frame.categories.items()}
    columns = [CsvColumn(name, table.frame.column(name), labels.get(name, ())) for name in names]
    y = table.y if table.class_names else table.y * table.target_scale
    return (*columns, CsvColumn(table.target_name, y, table.class_names))


def profile(columns: Sequence[CsvColumn], target: str | None) -> Profile:
    """Describe columns, and warn of what often spoils a training.

    Args:
        columns: of equal length.
        target: name of the column to predict; None where it is not chosen yet.
    """
    described = [_described(column, is_target=column.name == target) for column in columns]
    chosen = next((column for column in columns if column.name == target), None)
    warned = [
        replace(found, warnings=_warnings(found, column, described, chosen))
        for found, column in zip(described, columns, strict=True)
    ]
    duplicates = _duplicates(columns)
    return Profile(len(columns[0].cells), tuple(warned), duplicates, _together(warned, duplicates))


def _described(column: CsvColumn, *, is_target: bool) -> ColumnProfile:
    cells = column.cells[~np.isnan(column.cells)]
    missing = len(column.cells) - len(cells)
    values, counts = np.unique(cells, return_counts=True)
    low = mean = sd = high = math.nan
    common: tuple[tuple[str, int], ...] = ()
    bars: tuple[int, ...] = ()
    if column.labels:
        most = np.argsort(-counts, kind="stable")
        common = tuple((column.labels[int(values[at])], int(counts[at])) for at in most[:COMMON])
        bars = tuple(int(count) for count in counts[most[:BINS]])
    elif len(cells):
        with np.errstate(over="ignore", invalid="ignore"):
            low, mean, sd, high = (float(part) for part in (values[0], cells.mean(), cells.std(), values[-1]))
        bars = _bars(values, counts)
    kind = "categorical" if column.labels else "numeric"
    rows = len(column.cells)
    return ColumnProfile(
        *(column.name, kind, rows, missing, len(values), low, mean, sd, high, bars, common, is_target)
    )


def _bars(values: FloatArray, counts: np.ndarray) -> tuple[int, ...]:
    """Count in equal parts of the range; halves first, so that no range of floats overflows."""
    half_range = values[-1] / 2 - values[0] / 2
    if not half_range > 0:
        return (int(counts.sum()),)
    at = np.minimum((values / 2 - values[0] / 2) / half_range * BINS, BINS - 1).astype(np.int64)
    return tuple(int(count) for count in np.bincount(at, weights=counts, minlength=BINS))


def _warnings(
    found: ColumnProfile, column: CsvColumn, others: Sequence[ColumnProfile], target: CsvColumn | None
) -> tuple[Warned, ...]:
    present = found.rows - found.missing
    if found.distinct <= 1:
        text = "the same value in every row" if present else "no value in any row"
        return (Warned("with the same value in every row", f"{text}: leave it out"),)
    notes = []
    most = int(np.unique(column.cells[~np.isnan(column.cells)], return_counts=True)[1].max())
    if most > ONE_VALUE_SHARE * present:
        text = f"{present - most:,} of {present:,} rows have another value than the rest"
        notes.append(Warned(f"with one value in over {ONE_VALUE_SHARE:.0%} of the rows", text))
    if found.is_target:
        return (*notes, *_target_warnings(found, column, present))
    if not found.missing and looks_like_an_identifier(column.cells, column.labels):
        notes.append(Warned("that look like identifiers", "looks like an identifier: leave it out"))
    if _is_wide(found, others):
        what = f"range is over {WIDE:.0f} times that of others"
        notes.append(Warned(f"whose {what}", f"its {what}: scale it"))
    if target is not None and _is_equal(column, target):
        text = "equal to the target: leave it out, or the answer is among the inputs"
        notes.append(Warned("equal to the target: leave them out", text))
    return tuple(notes)


def _target_warnings(found: ColumnProfile, column: CsvColumn, present: int) -> list[Warned]:
    if column.labels or found.distinct < MIN_REGRESSION_VALUES:
        counts = np.unique(column.cells[~np.isnan(column.cells)], return_counts=True)[1]
        ratio = float(counts.max() / counts.min())
        text = f"the most common class has {ratio:.0f} times the rows of the rarest"
        return [Warned("with rare classes", text)] if ratio > IMBALANCE else []
    ends = {"highest": found.high, "lowest": found.low}
    shares = {word: float((column.cells == end).sum() / present) for word, end in ends.items()}
    return [
        Warned(
            "cut off",
            f"{share:.1%} of the rows have the {word} value, {ends[word]:g}: it looks cut off there",
        )
        for word, share in shares.items()
        if share > CAPPED_SHARE
    ]


def _is_wide(found: ColumnProfile, others: Sequence[ColumnProfile]) -> bool:
    ranges = [
        other.high - other.low
        for other in others
        if other.name != found.name and not other.is_target and other.high > other.low
    ]
    return bool(ranges) and found.high - found.low > WIDE * float(np.median(ranges))


def _is_equal(column: CsvColumn, target: CsvColumn) -> bool:
    return column.labels == target.labels and np.array_equal(column.cells, target.cells, equal_nan=True)


def _duplicates(columns: Sequence[CsvColumn]) -> int:
    """Count rows that repeat an earlier one, missing cells alike."""
    cells = np.stack([column.cells for column in columns], axis=1) + 0.0  # -0.0 becomes 0.0
    cells[np.isnan(cells)] = np.nan  # one bit pattern for all missing cells
    return len(cells) - len({row.tobytes() for row in cells})


def _together(columns: Sequence[ColumnProfile], duplicates: int) -> tuple[str, ...]:
    """Say once what several columns share, and what concerns the rows."""
    found = [f"{duplicates:,} row{'s repeat' if duplicates > 1 else ' repeats'} an earlier one"] * bool(
        duplicates
    )
    gaps = [column.name for column in columns if column.missing]
    if gaps:
        found.append(f"{_columns(len(gaps))} with missing values: {listing(gaps, NAMED)}")
    kinds: dict[str, list[tuple[str, str]]] = {}
    for column in columns:
        for warned in column.warnings:
            kinds.setdefault(warned.kind, []).append((column.name, warned.text))
    for kind, told in kinds.items():
        names = [name for name, _ in told]
        several = f"{_columns(len(told))} {kind}: {listing(names, NAMED)}"
        found.append(": ".join(told[0]) if len(told) == 1 else several)
    return tuple(found)


def _columns(count: int) -> str:
    return f"{count} column{'' if count == 1 else 's'}"
