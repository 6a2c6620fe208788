"""Cleaning: rows and columns left out, inputs and target standardised, all by the training rows alone."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from nnlab.data.cleaning import clean_rows
from nnlab.data.config import SWITCHES, DataConfig
from nnlab.data.errors import DataError
from nnlab.data.frames import Frame, Table
from nnlab.data.preparation import prepare

if TYPE_CHECKING:
    from pathlib import Path

PLAIN = DataConfig(dataset="points.csv", recipe="raw")


def build_table(values: object, y: object) -> Table:
    x = np.asarray(values, dtype=float)
    names = tuple("abc"[: x.shape[1]])
    return Table(Frame(names, x), np.asarray(y, dtype=float), "regression", "y")


def write_csv(folder: Path, rows: int = 60) -> None:
    """Two columns that vary, one that does not, a large target, and every row twice."""
    rng = np.random.default_rng(0)
    lines = [f"{a:.3f},{b:.1f},7,{1e5 + 1e4 * a:.2f}" for a, b in rng.normal(size=(rows, 2))]
    (folder / "points.csv").write_text("\n".join(["a,b,c,y", *lines, *lines]) + "\n")


def test_rows_that_repeat_another_are_left_out_once() -> None:
    table = build_table([[i % 12, np.nan] for i in range(30)], [i % 12 for i in range(30)])
    cleaned = clean_rows(replace(PLAIN, drop_duplicates=True), table)
    np.testing.assert_array_equal(cleaned.y, np.arange(12))
    assert cleaned.notes == ("18 rows that repeat another were left out",)


def test_rows_of_another_target_are_no_duplicates() -> None:
    table = build_table(np.zeros((12, 1)), np.arange(12))
    assert clean_rows(replace(PLAIN, drop_duplicates=True), table).frame.rows == 12


def test_rows_with_missing_or_huge_numbers_are_left_out() -> None:
    x = np.arange(40.0).reshape(20, 2)
    x[3, 0], x[5, 1], x[7, 1] = np.nan, np.inf, -1e20
    cleaned = clean_rows(replace(PLAIN, drop_bad_rows=True), build_table(x, np.arange(20)))
    assert not {3, 5, 7} & set(cleaned.y)
    assert cleaned.frame.rows == 17


def test_a_table_of_bad_rows_only_is_refused() -> None:
    table = build_table(np.full((20, 1), np.nan), np.arange(20))
    with pytest.raises(DataError, match="expected at least 10 rows to remain, got 0 of 20") as caught:
        clean_rows(replace(PLAIN, drop_bad_rows=True), table)
    assert caught.value.field == "drop_bad_rows"


def test_no_row_is_on_both_sides_of_a_split_without_duplicates(tmp_path: Path) -> None:
    write_csv(tmp_path)
    before = prepare(PLAIN, tmp_path)
    after = prepare(replace(PLAIN, drop_duplicates=True), tmp_path)
    rows = [{row.tobytes() for row in part} for part in (after.x_train, after.x_val)]
    assert {row.tobytes() for row in before.x_train} & {row.tobytes() for row in before.x_val}
    assert not rows[0] & rows[1]
    assert len(after.x_train) + len(after.x_val) == 60


def test_a_constant_column_is_left_out_before_a_recipe_that_could_not_scale_it(tmp_path: Path) -> None:
    write_csv(tmp_path)
    with pytest.raises(DataError, match="constant"):
        prepare(replace(PLAIN, recipe="default"), tmp_path)
    prepared = prepare(replace(PLAIN, recipe="default", drop_constant=True), tmp_path)
    assert prepared.feature_names == ("a", "b")
    assert "columns that do not vary were left out: c" in prepared.notes


def test_standardised_inputs_have_mean_0_and_deviation_1_in_training(tmp_path: Path) -> None:
    write_csv(tmp_path)
    x = prepare(replace(PLAIN, standardise_inputs=True), tmp_path).x_train
    np.testing.assert_allclose(x.mean(axis=0), 0, atol=1e-5)
    np.testing.assert_allclose(x.std(axis=0), [1, 1, 0], atol=1e-5)


def test_a_standardised_target_is_told_back_in_its_own_unit(tmp_path: Path) -> None:
    write_csv(tmp_path)
    raw, scaled = (prepare(replace(PLAIN, standardise_target=wanted), tmp_path) for wanted in (False, True))
    assert abs(float(scaled.y_train.astype(float).mean())) < 1e-5
    assert abs(float(scaled.y_train.astype(float).std()) - 1) < 1e-5
    back = scaled.y_val.astype(float) * scaled.target_scale + scaled.target_offset
    np.testing.assert_allclose(back, raw.y_val.astype(float), rtol=1e-5)


def test_a_scaled_unit_stays_the_unit_of_a_standardised_target() -> None:
    """Housing's labels are stored in 100,000 dollars."""
    raw = prepare(DataConfig(dataset="california_housing"))
    scaled = prepare(DataConfig(dataset="california_housing", standardise_target=True))
    back = scaled.y_val.astype(float) * scaled.target_scale + scaled.target_offset
    np.testing.assert_allclose(back, raw.y_val.astype(float) * raw.target_scale, rtol=1e-4)


def test_classes_cannot_be_standardised() -> None:
    with pytest.raises(DataError, match="expected a regression to standardise, got a multiclass task"):
        prepare(DataConfig(dataset="iris", standardise_target=True))


def test_a_switch_changes_what_names_the_numbers_and_one_that_is_off_does_not() -> None:
    raw = prepare(DataConfig(dataset="wine", recipe="raw"))
    hashes = {
        prepare(DataConfig.from_dict({"dataset": "wine", "recipe": "raw", name: True})).recipe_hash
        for name in SWITCHES
        if name != "standardise_target"
    }
    assert len(hashes | {raw.recipe_hash}) == len(SWITCHES)
    assert prepare(DataConfig(dataset="wine", recipe="raw", drop_duplicates=True)).version == raw.version
    assert "drop_duplicates" not in DataConfig(dataset="wine").to_dict()


def test_a_switch_survives_plain_types_and_refuses_numbers() -> None:
    config = DataConfig(dataset="wine", drop_constant=True)
    assert DataConfig.from_dict(config.to_dict()) == config
    with pytest.raises(DataError, match="expected true or false as drop_constant, got 1"):
        DataConfig.from_dict({"dataset": "wine", "drop_constant": 1})
