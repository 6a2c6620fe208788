"""The profile of a dataset: numbers as NumPy has them, and warnings where something is wrong."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from nnlab.data import shipped
from nnlab.data.csv_columns import CsvColumn
from nnlab.data.profile import BINS, Profile, columns_of, profile

NAN = math.nan
SPREAD = np.random.default_rng(0).normal(size=200)


def build_profile(target: str | None = None, **cells: object) -> Profile:
    """Profile columns of numbers, or of texts where the cells are texts."""
    return profile([build_column(name, values) for name, values in cells.items()], target)


def build_column(name: str, values: object) -> CsvColumn:
    found = np.asarray(values)
    if found.dtype.kind != "U":
        return CsvColumn(name, found.astype(np.float64))
    labels, codes = np.unique(found, return_inverse=True)
    return CsvColumn(name, codes.astype(np.float64), tuple(labels.tolist()))


def warnings_of(found: Profile, name: str) -> str:
    (column,) = (column for column in found.columns if column.name == name)
    return " | ".join(warned.text for warned in column.warnings)


def test_a_column_of_numbers_is_told_as_numpy_tells_it() -> None:
    (column,) = build_profile(a=[*SPREAD, NAN]).columns
    assert (column.rows, column.missing, column.distinct) == (201, 1, 200)
    assert column.low == SPREAD.min()
    assert column.high == SPREAD.max()
    assert column.mean == pytest.approx(SPREAD.mean())
    assert column.sd == pytest.approx(SPREAD.std())
    np.testing.assert_array_equal(column.bars, np.histogram(SPREAD, bins=BINS)[0])


@given(arrays(np.float64, st.integers(1, 30), elements=st.floats(allow_infinity=False)))
def test_every_present_cell_is_in_one_bar_however_wide_the_range(cells: np.ndarray) -> None:
    (column,) = build_profile(a=cells).columns
    assert sum(column.bars) == (~np.isnan(cells)).sum()


def test_a_column_of_categories_names_the_most_common() -> None:
    (column,) = build_profile(a=["x", "y", "y", "z", "y", "x"]).columns
    assert column.kind == "categorical"
    assert column.common == (("y", 3), ("x", 2), ("z", 1))
    assert column.bars == (3, 2, 1)


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        ([7.0] * 200, "the same value in every row"),
        ([NAN] * 200, "no value in any row"),
        ([0.0] * 199 + [1.0], "1 of 200 rows have another value"),
        (range(200), "looks like an identifier"),
        ([f"id {row}" for row in range(200)], "looks like an identifier"),
        (SPREAD * 1e4, "over 100 times that of others"),
        (SPREAD, "equal to the target"),
    ],
)
def test_what_spoils_an_input_is_warned_of(cells: object, expected: str) -> None:
    found = build_profile("y", a=cells, b=SPREAD**2, c=SPREAD - SPREAD**2, y=SPREAD)
    assert expected in warnings_of(found, "a")
    assert not warnings_of(found, "b")
    assert not warnings_of(found, "c")


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        (np.minimum(SPREAD, 1.0), "have the highest value, 1: it looks cut off"),
        (np.maximum(SPREAD, -1.0), "have the lowest value, -1: it looks cut off"),
        (["a"] * 183 + ["b"] * 17, "the most common class has 11 times the rows of the rarest"),
        ([0] * 183 + [1] * 17, "the most common class has 11 times"),
        (["a"] * 180 + ["b"] * 20, ""),
        (SPREAD, ""),
    ],
)
def test_what_spoils_a_target_is_warned_of(target: object, expected: str) -> None:
    text = warnings_of(build_profile("y", x=SPREAD**2, y=target), "y")
    assert (expected in text) if expected else not text


def test_rows_that_repeat_are_counted_with_their_missing_cells() -> None:
    found = build_profile(a=[0.0, 1.0, NAN, -0.0, NAN], b=["x", "y", "z", "x", "z"])
    assert found.duplicates == 2
    assert "2 rows repeat an earlier one" in found.warnings


def test_what_many_columns_share_is_said_once() -> None:
    table = shipped.load("digits")
    found = profile(columns_of(table), table.target_name)
    assert "3 columns with the same value in every row: pixel 0, pixel 32, pixel 39" in found.warnings
    assert len(found.warnings) == 2


def test_the_known_flaws_of_the_shipped_sets_are_found() -> None:
    housing = shipped.load("california_housing")
    found = profile(columns_of(housing), housing.target_name)
    assert "4.7% of the rows have the highest value, 500001" in warnings_of(found, "MedHouseVal")
    penguins = shipped.load("penguins")
    assert sum(column.missing for column in profile(columns_of(penguins), None).columns) == 19
