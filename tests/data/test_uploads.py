"""Uploads: bytes that name their content, and recipes that give the same matrices wherever they are used."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nnlab.data import uploads
from nnlab.data.config import DataConfig
from nnlab.data.csv_columns import CsvColumn
from nnlab.data.errors import DataError
from nnlab.data.preparation import Prepared, prepare, prepare_upload
from nnlab.data.splits import split
from nnlab.data.treatments import SCALINGS, steps_of
from nnlab.data.upload_recipes import UploadRecipe
from tests.data.uploaded import ROWS, Shelf, build_columns, build_recipe

ANY_UPLOAD = DataConfig(dataset="upload:0123456789ab", recipe="x")


@pytest.fixture
def shelf(monkeypatch: pytest.MonkeyPatch) -> Iterator[Shelf]:
    found = Shelf(build_columns(), build_recipe())
    monkeypatch.setattr(uploads, "_connected", [found])
    uploads._load.cache_clear()  # a new process remembers nothing
    yield found
    uploads._load.cache_clear()


def made(columns: tuple[CsvColumn, ...], chosen: UploadRecipe, **options: Any) -> Prepared:
    return prepare_upload(replace(ANY_UPLOAD, **options), columns, chosen)


# Bytes


def test_columns_come_back_as_they_were() -> None:
    for before, after in zip(build_columns(), uploads.decode(uploads.encode(build_columns())), strict=True):
        assert (before.name, before.labels) == (after.name, after.labels)
        np.testing.assert_array_equal(before.cells, after.cells)


@pytest.mark.parametrize(
    "change",
    [
        {"name": "area"},
        {"labels": ("a", "b")},
        {"cells": np.array([1.0, 2.0, np.nextafter(0.0, 1.0)])},
        {"cells": np.array([1.0, np.nan, 0.0])},
    ],
)
def test_every_change_of_names_types_or_values_makes_another_version(change: dict[str, Any]) -> None:
    column = CsvColumn("rooms", np.array([1.0, 2.0, 0.0]))
    before = uploads.full_version(uploads.encode([column, column]))
    assert uploads.full_version(uploads.encode([column, replace(column, **change)])) != before
    assert uploads.full_version(uploads.encode([replace(column, **change), column])) != before


def test_equal_values_have_equal_bytes_however_they_are_held() -> None:
    column = CsvColumn("a", np.array([0.0, np.nan]))
    other = CsvColumn("a", np.array([-0.0, -np.nan]))
    assert uploads.encode([column]) == uploads.encode([other])


def test_other_bytes_are_refused() -> None:
    with pytest.raises(DataError, match="expected the columns of an upload"):
        uploads.decode(b"PK\x03\x04")


# Where a run finds them


def test_a_run_finds_upload_and_recipe_by_their_names(shelf: Shelf, tmp_path: Path) -> None:
    prepared = prepare(shelf.config, tmp_path)
    assert prepared.version == shelf.version
    assert prepared.recipe_hash == shelf.chosen.hash
    assert prepared.target_name == "price"
    assert len(prepared.x_train) + len(prepared.x_val) == ROWS


def test_version_recipe_and_seed_give_the_same_matrices_bit_for_bit(shelf: Shelf, tmp_path: Path) -> None:
    config = replace(shelf.config, split_seed=7)
    first = prepare(config, tmp_path)
    uploads._load.cache_clear()  # as another process, which finds the copy on disk
    shelf.bytes = b"gone"
    again = prepare(config, tmp_path)
    for name in ("x_train", "y_train", "x_val", "y_val"):
        assert getattr(first, name).tobytes() == getattr(again, name).tobytes()
    assert shelf.readings == 1


def test_a_copy_on_disk_that_was_spoilt_is_read_anew(shelf: Shelf, tmp_path: Path) -> None:
    prepare(shelf.config, tmp_path)
    uploads._load.cache_clear()
    (copy,) = (tmp_path / ".uploads").iterdir()
    copy.write_bytes(copy.read_bytes()[:-8] + b"spoilt!!")
    assert prepare(shelf.config, tmp_path).version == shelf.version
    assert copy.read_bytes() == shelf.bytes


def test_few_copies_stay_on_disk(tmp_path: Path) -> None:
    for number in range(uploads.KEPT_FILES + 3):
        uploads._keep(tmp_path, f"{number:012x}", b"content")
    assert len(list(tmp_path.iterdir())) == uploads.KEPT_FILES


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"recipe": "default"}, "expected a recipe of .* among [0-9a-f]{12}, got 'default'"),
        ({"dataset": "upload:000000000000"}, "no saved dataset 'upload:000000000000'; upload its file again"),
        ({"dataset": "upload:../../secret"}, "expected upload: and 12 digits"),
        ({"dataset": "upload:x.csv"}, "expected upload: and 12 digits"),
    ],
)
def test_what_is_not_there_is_refused(
    shelf: Shelf, tmp_path: Path, change: dict[str, Any], message: str
) -> None:
    with pytest.raises(DataError, match=message):
        prepare(replace(shelf.config, **change), tmp_path)


def test_a_target_beside_the_recipe_is_refused() -> None:
    with pytest.raises(DataError, match="target is for CSV datasets"):
        DataConfig(dataset="upload:0123456789ab", target="price")


# Recipes


@pytest.mark.parametrize("scaling", SCALINGS)
@pytest.mark.parametrize("numbers", ["median", "mean"])
@pytest.mark.parametrize("categories", ["own", "most frequent"])
@pytest.mark.parametrize("cap", [None, (1.0, 99.0, True), (0.0, 8.0, False)])
def test_every_choice_gives_numbers_to_train_on(
    scaling: str, numbers: str, categories: str, cap: tuple[float, float, bool] | None
) -> None:
    chosen = build_recipe(scaling=scaling, numbers=numbers, categories=categories, cap=cap)
    prepared = made(build_columns(), replace(chosen, inputs={"rooms": "numeric", "colour": "categorical"}))
    assert np.isfinite(prepared.x_train).all()
    assert ("rooms: missing" in prepared.feature_names) == (numbers == "median")
    assert ("colour: missing" in prepared.feature_names) == (categories == "own")


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 2**32), st.sampled_from([*SCALINGS]), st.booleans())
def test_validation_rows_change_no_parameter(seed: int, scaling: str, capped: bool) -> None:
    columns = build_columns()
    chosen = build_recipe(scaling=scaling, cap=(5.0, 95.0, True) if capped else None)
    train, val = split(columns[-1].cells, 0.2, 0, stratified=False)
    random = np.random.default_rng(seed)
    changed = []
    for column in columns:
        cells = column.cells.copy()
        if column.name != "id":
            cells[val] = random.permutation(cells[val]) * (1.0 if column.labels else random.normal() * 1e3)
        changed.append(replace(column, cells=cells))
    before, after = made(columns, chosen), made(tuple(changed), chosen)
    assert before.parameters == after.parameters
    assert before.x_train.tobytes() == after.x_train.tobytes()
    assert len(train) == len(after.x_train)


def test_columns_that_teach_nothing_are_left_out_by_themselves() -> None:
    assert build_recipe().inputs == {"rooms": "numeric", "colour": "categorical", "year": "numeric"}


def test_equal_recipes_give_equal_matrices_however_a_store_orders_their_keys() -> None:
    chosen = build_recipe()
    turned = replace(chosen, inputs=dict(reversed(list(chosen.inputs.items()))))
    assert turned.hash == chosen.hash
    assert made(build_columns(), turned).x_train.tobytes() == made(build_columns(), chosen).x_train.tobytes()


def test_numbers_can_be_read_as_categories() -> None:
    columns = (CsvColumn("floor", np.arange(60.0) % 3 + 0.5), CsvColumn("price", np.arange(60.0) ** 2))
    chosen = build_recipe(inputs={"floor": "categorical"})
    assert made(columns, chosen).feature_names == ("floor: 0.5", "floor: 1.5", "floor: 2.5")


def test_beyond_fifty_categories_the_rest_are_other() -> None:
    codes = np.array([*range(50), *range(50), *range(50, 60)], dtype=np.float64)
    columns = (
        CsvColumn("town", np.tile(codes, 3), tuple(f"town {code:02}" for code in range(60))),
        CsvColumn("price", np.random.default_rng(0).normal(size=330)),
    )
    names = made(columns, build_recipe(inputs={"town": "categorical"})).feature_names
    assert len(names) == 51
    assert "town: other" in names


def test_rows_with_gaps_can_be_left_out_and_are_counted() -> None:
    prepared = made(build_columns(), build_recipe(drop=("numeric", "categorical")))
    rooms, colour = build_columns()[1].cells, build_columns()[2].cells
    gaps = int((np.isnan(rooms) | np.isnan(colour)).sum())
    assert len(prepared.x_train) + len(prepared.x_val) == ROWS - gaps
    assert f"{gaps} rows with missing values were left out" in prepared.notes


def test_in_an_order_the_last_rows_validate() -> None:
    prepared = made(build_columns(), build_recipe(order="year", scaling="none", inputs={"year": "numeric"}))
    assert prepared.x_train.max() < prepared.x_val.min()
    assert len(prepared.x_val) == ROWS // 5
    assert prepared.feature_names == ("year",)
    assert not prepared.notes


def test_a_divided_target_keeps_its_unit_for_metrics() -> None:
    plain = made(build_columns(), build_recipe())
    thousands = made(build_columns(), build_recipe(divide=1000.0, unit="USD"))
    np.testing.assert_allclose(thousands.y_train.astype(float) * 1000, plain.y_train.astype(float), rtol=1e-6)
    assert (thousands.target_scale, thousands.target_unit) == (1000.0, "USD")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"inputs": {"colour": "numeric"}}, "column 'colour': expected numbers, got texts such as 'blue'"),
        ({"inputs": {"area": "numeric"}}, "expected columns among id, rooms, .*, got 'area'"),
        ({"inputs": {}}, "expected at least one input column"),
        ({"inputs": {"price": "numeric"}}, "'price' as both"),
        ({"inputs": {"rooms": "text"}}, "expected kinds among numeric, categorical, got 'text'"),
        (
            {"target": "colour", "inputs": {"rooms": "numeric"}, "divide": 2.0},
            "expected a regression to divide",
        ),
        ({"divide": 0.0}, "expected a number above 0"),
        ({"task": "clustering"}, "expected a task among"),
        ({"numbers": "zero"}, "expected numbers among median, mean, got 'zero'"),
        ({"scaling": "loud"}, "expected a scaling among z-score"),
    ],
)
def test_a_recipe_that_does_not_fit_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        made(build_columns(), build_recipe(**changes))


def test_too_few_whole_rows_are_refused() -> None:
    rooms = np.where(np.arange(60) < 55, np.nan, np.arange(60.0))
    columns = (CsvColumn("rooms", rooms), CsvColumn("price", np.arange(60.0)))
    with pytest.raises(DataError, match="at least 10 rows without missing values, got 5"):
        made(columns, build_recipe(inputs={"rooms": "numeric"}, drop=("numeric",)))


def test_a_recipe_comes_back_from_its_json_with_its_hash() -> None:
    chosen = build_recipe(drop=("numeric",), order="year", cap=(1.0, 99.0, True))
    assert UploadRecipe.from_dict(chosen.to_dict()).hash == chosen.hash
    assert build_recipe(task="regression").hash != chosen.hash
    assert steps_of(numbers="mean", categories="own", scaling="none", cap=None)[0]["step"] == "fill"


@pytest.mark.parametrize("odd", [{}, {"target": "x"}, {"target": "x", "inputs": {}, "steps": 3}, {"odd": 1}])
def test_what_is_no_recipe_is_refused(odd: dict[str, Any]) -> None:
    with pytest.raises(DataError, match="expected"):
        UploadRecipe.from_dict(odd)
