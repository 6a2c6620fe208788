"""Preparation: the matrices, and that only training rows teach."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nnlab.data import preparation
from nnlab.data.config import DataConfig
from nnlab.data.errors import DataError
from nnlab.data.frames import Categories, Frame, Table
from nnlab.data.preparation import Prepared, prepare
from nnlab.data.recipes import Recipe, recipes
from nnlab.data.splits import split

HOUSING = "california_housing"


def build_least_squares_rmse(prepared: Prepared) -> float:
    """Fit by least squares and score on the validation rows, in the target's unit."""
    train, val = (np.c_[x.astype(float), np.ones(len(x))] for x in (prepared.x_train, prepared.x_val))
    weights = np.linalg.lstsq(train, prepared.y_train.astype(float), rcond=None)[0]
    return float(np.sqrt(np.mean((val @ weights - prepared.y_val) ** 2))) * prepared.target_scale


def build_table(seed: int, rows: int = 60) -> Table:
    """Make a table with gaps, categories and a binary target."""
    rng = np.random.default_rng(seed)
    values = np.c_[rng.normal(3, 10, rows), rng.exponential(50, rows), rng.integers(0, 4, rows)]
    values[rng.random((rows, 3)) < 0.1] = np.nan
    frame = Frame(("a", "b", "k"), values, {"k": Categories(("p", "q", "r", "s"))})
    return Table(frame, (np.arange(rows) % 2).astype(float), "binary", "y", class_names=("no", "yes"))


def test_the_lab_has_22_inputs() -> None:
    names = prepare(DataConfig(dataset=HOUSING, recipe="lab6")).feature_names
    assert names[:5] == ("HouseAge", "MedInc", "AveRooms", "AveBedrms", "AveOccup")
    assert [sum(name.startswith(f"{part}:") for name in names) for part in ("Longitude", "Latitude")] == [
        6,
        11,
    ]
    assert len(names) == 22


def test_each_row_of_the_lab_is_in_one_bucket_of_longitude_and_one_of_latitude() -> None:
    x = prepare(DataConfig(dataset=HOUSING, recipe="lab6")).x_train
    np.testing.assert_array_equal(x[:, 5:11].sum(axis=1), 1)
    np.testing.assert_array_equal(x[:, 11:].sum(axis=1), 1)


def test_least_squares_on_the_lab_scores_as_published() -> None:
    prepared = [prepare(DataConfig(dataset=HOUSING, recipe="lab6", split_seed=seed)) for seed in range(5)]
    linear = [build_least_squares_rmse(one) for one in prepared]
    mean = [np.sqrt(np.mean((one.y_val - one.y_train.mean()) ** 2)) * one.target_scale for one in prepared]
    assert 70_000 < np.mean(linear) < 78_000
    assert 113_000 < np.mean(mean) < 120_000


def test_logarithms_help_least_squares_on_all_columns() -> None:
    raw, default = (
        build_least_squares_rmse(prepare(DataConfig(dataset=HOUSING, recipe=r))) for r in ("raw", "default")
    )
    assert default < raw - 2_000


def test_the_scaled_lab_has_small_numbers() -> None:
    x = prepare(DataConfig(dataset=HOUSING, recipe="lab6_scaled")).x_train
    assert x.shape[1] == 22
    assert np.abs(x).max() < 10
    np.testing.assert_allclose(x[:, :5].mean(axis=0), 0, atol=1e-5)


def test_all_seven_playground_features_follow_their_formulas() -> None:
    prepared = prepare(DataConfig(dataset="spiral", recipe="playground_all"))
    x1, x2 = prepared.x_train[:, 0].astype(float), prepared.x_train[:, 1].astype(float)
    assert prepared.feature_names == ("x1", "x2", "x1²", "x2²", "x1x2", "sin x1", "sin x2")
    expected = np.stack([x1, x2, x1**2, x2**2, x1 * x2, np.sin(x1), np.sin(x2)], axis=1)
    np.testing.assert_allclose(prepared.x_train, expected, atol=1e-5)


@pytest.mark.parametrize(
    ("dataset", "y_type", "y_dimensions"),
    [
        ("diabetes", np.float32, 2),
        ("breast_cancer", np.int64, 1),
        ("iris", np.int64, 1),
        ("moons", np.int64, 1),
    ],
)
def test_arrays_have_the_types_the_engine_wants(dataset: str, y_type: type, y_dimensions: int) -> None:
    prepared = prepare(DataConfig(dataset=dataset))
    for x, y in ((prepared.x_train, prepared.y_train), (prepared.x_val, prepared.y_val)):
        assert x.dtype == np.float32
        assert y.dtype == np.dtype(y_type)
        assert y.ndim == y_dimensions
        assert len(x) == len(y)
        assert not x.flags.writeable
        assert not y.flags.writeable
        assert np.isfinite(x).all()


def test_the_same_choice_gives_the_same_bits() -> None:
    config = DataConfig(dataset="penguins", split_seed=5)
    first = prepare(config)
    preparation._prepared_built_in.cache_clear()
    second = prepare(config)
    assert first is not second
    for name in ("x_train", "y_train", "x_val", "y_val"):
        assert getattr(first, name).tobytes() == getattr(second, name).tobytes()
    assert (first.version, first.recipe_hash) == (second.version, second.recipe_hash)


def test_versions_follow_the_content() -> None:
    version = prepare(DataConfig(dataset="iris")).version
    assert len(version) == 12
    assert version == prepare(DataConfig(dataset="iris", recipe="raw", split_seed=3)).version
    table = build_table(0)
    assert table.version() == build_table(0).version() != build_table(1).version()
    assert table.version() != replace(table, target_name="z").version()
    negative_zero = replace(table, y=np.where(table.y == 0, -0.0, table.y))
    assert negative_zero.version() == table.version()


def test_classes_keep_their_shares_in_both_parts() -> None:
    prepared = prepare(DataConfig(dataset="digits"))
    for y in (prepared.y_train, prepared.y_val):
        np.testing.assert_allclose(np.bincount(y) / len(y), 0.1, atol=0.006)


@given(
    seed=st.integers(0, 50),
    changed=st.floats(-1e6, 1e6),
    recipe=st.sampled_from(["default", "raw", "min-max"]),
)
def test_validation_rows_teach_nothing(seed: int, changed: float, recipe: str) -> None:
    config, table = DataConfig(dataset="a.csv", recipe=recipe, split_seed=seed), build_table(seed)
    before = preparation._prepared(config, table)
    val_rows = split(table.y, config.validation_share, seed, stratified=True)[1]
    values = table.frame.values.copy()
    values[val_rows, :2] = changed
    values[val_rows, 2] = 3
    after = preparation._prepared(config, replace(table, frame=replace(table.frame, values=values)))
    assert before.parameters == after.parameters
    assert before.feature_names == after.feature_names
    np.testing.assert_array_equal(before.x_train, after.x_train)


def test_scaling_parameters_come_from_the_training_rows() -> None:
    prepared = prepare(DataConfig(dataset="wine"))
    np.testing.assert_allclose(prepared.x_train.mean(axis=0), 0, atol=1e-6)
    np.testing.assert_allclose(prepared.x_train.std(axis=0), 1, atol=1e-6)
    assert np.abs(prepared.x_val.mean(axis=0)).max() > 0.01


def test_unseen_categories_are_counted() -> None:
    table = build_table(0)
    config = DataConfig(dataset="a.csv")
    rows = split(table.y, 0.2, 0, stratified=True)[1]
    values = table.frame.values.copy()
    values[:, 2] = 0
    values[rows[:3], 2] = 1
    prepared = preparation._prepared(config, replace(table, frame=replace(table.frame, values=values)))
    assert prepared.notes == (
        "3 validation rows have a k that no training row has: their inputs for it are 0",
    )


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([np.nan], "column 'v' has cells that are missing or too large in the training rows"),
        ([1e39], "missing or too large in the training rows"),
    ],
)
def test_cells_that_training_could_not_use_are_refused(values: list[float], message: str) -> None:
    table = Table(Frame(("v",), np.array(values * 20)[:, None]), np.arange(20.0), "regression", "y")
    with pytest.raises(DataError, match=message):
        preparation._prepared(DataConfig(dataset="iris", recipe="raw"), table)


@pytest.mark.parametrize(
    ("names", "message"), [((), "expected at least one input"), (("k",), "columns k still hold categories")]
)
def test_a_recipe_must_leave_numbers(names: tuple[str, ...], message: str) -> None:
    with pytest.raises(DataError, match=message):
        preparation._inputs(build_table(0).frame.select(names), "training")


def test_csv_recipes_do_not_depend_on_the_files_name() -> None:
    assert recipes("digits.csv") == recipes("houses.csv")
    assert all(isinstance(recipe, Recipe) for recipe in recipes("houses.csv").values())
