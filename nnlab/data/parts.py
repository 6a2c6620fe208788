"""Which rows of an upload train, validate and test."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from nnlab.data.csv_columns import CsvColumn
from nnlab.data.errors import DataError
from nnlab.data.frames import listing
from nnlab.data.splits import ordered_split, split

if TYPE_CHECKING:
    from nnlab.data.frames import FloatArray, IntArray

Rows: TypeAlias = "tuple[IntArray, IntArray, IntArray]"
"""Those that train, those that validate and those that test."""

MOST_HELD_BACK = 0.9
TRAINING, VALIDATION, TEST = 0.0, 1.0, 2.0
_NAMES = {
    **dict.fromkeys(("train", "training", "learn", "0"), TRAINING),
    **dict.fromkeys(("validation", "validate", "valid", "val", "dev", "1"), VALIDATION),
    **dict.fromkeys(("test", "testing", "holdout", "2"), TEST),
}
_STREAM = 1  # of random numbers, so that test rows are drawn by others than validation rows


@dataclass(frozen=True, kw_only=True)
class Shares:
    """Which part of all rows is held back, and how it is drawn.

    Args:
        validation: share of the rows that choose.
        test: share of the rows that nothing is chosen by; may be 0.
        seed: of the validation rows; the runs of a sweep may differ in it.
        test_seed: of the test rows, which stay the same whatever ``seed`` is.
        stratified: equal shares of every class.
    """

    validation: float
    test: float = 0.0
    seed: int = 0
    test_seed: int = 0
    stratified: bool = False

    def __post_init__(self) -> None:
        if not (self.validation > 0 and self.test >= 0 and self.validation + self.test <= MOST_HELD_BACK):
            raise DataError(
                "test",
                f"expected shares above 0 that leave at least {1 - MOST_HELD_BACK:.0%} of the rows to train, "
                f"got {self.validation:g} to validate and {self.test:g} to test",
            )


def drawn(y: FloatArray, shares: Shares) -> Rows:
    """Draw the rows at random: first those that test, then of the rest those that validate."""
    stratified = shares.stratified
    if not shares.test:
        return *split(y, shares.validation, shares.seed, stratified=stratified), np.empty(0, np.int64)
    rest, test = split(y, shares.test, (shares.test_seed, _STREAM), stratified=stratified)
    rest = np.sort(rest)  # how they were drawn decides nothing but which they are
    train, val = split(y[rest], shares.validation / (1 - shares.test), shares.seed, stratified=stratified)
    return rest[train], rest[val], test


def in_order(cells: FloatArray, shares: Shares) -> Rows:
    """Let the last rows test, and those before them validate, so that no training row is of a later time."""
    if not shares.test:
        return *ordered_split(cells, shares.validation), np.empty(0, np.int64)
    rest, test = ordered_split(cells, shares.test)
    validates = min(max(round(shares.validation * len(cells)), 1), len(rest) - 1)
    return rest[:-validates], rest[-validates:], test


def as_named(codes: FloatArray, y: FloatArray, shares: Shares) -> Rows:
    """Follow a column of part codes; where it names no row to validate, draw some of those that train."""
    train, val, test = (np.flatnonzero(codes == code) for code in (TRAINING, VALIDATION, TEST))
    if not len(train):
        raise DataError("parts", "expected rows that train, the column names none")
    if not len(val):
        chosen, held_back = split(y[train], shares.validation, shares.seed, stratified=shares.stratified)
        train, val = train[chosen], train[held_back]
    return train, val, test


def part_codes(column: CsvColumn, name: str) -> CsvColumn:
    """Read a column that names the part of each row.

    Raises:
        DataError: for a value that names none.
    """
    values = np.unique(column.cells[~np.isnan(column.cells)])
    words = [column.labels[int(value)] if column.labels else f"{value:g}" for value in values.tolist()]
    odd = [word for word in words if word.strip().lower() not in _NAMES]
    if odd:
        raise DataError(
            "parts",
            f"column {column.name!r}: expected train, validation and test (or 0, 1 and 2) in every row, "
            f"got {listing(odd, 3)}",
        )
    codes = np.full(len(column.cells), np.nan)
    for value, word in zip(values, words, strict=True):
        codes[column.cells == value] = _NAMES[word.strip().lower()]
    return CsvColumn(name, codes)


def names_parts(column: CsvColumn) -> bool:
    """Whether a column looks as if it named the part of each row, in words."""
    words = {label.strip().lower() for label in column.labels}
    return len(words) > 1 and words <= set(_NAMES)
