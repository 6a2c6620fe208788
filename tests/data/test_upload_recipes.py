"""Recipes of uploads: three parts of the rows, columns treated by themselves, and what must never change."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nnlab.data.config import DataConfig
from nnlab.data.csv_columns import CsvColumn
from nnlab.data.errors import DataError
from nnlab.data.parts import Shares, drawn, names_parts
from nnlab.data.preparation import Prepared, prepare_upload
from nnlab.data.treatments import BUCKETS, SCALINGS, Treatment, steps_of
from nnlab.data.upload_recipes import UploadRecipe
from tests.data.uploaded import ROWS, build_columns, build_recipe

CONFIG = DataConfig(dataset="upload:0123456789ab", recipe="x", split_seed=3)
MATRICES = ("x_train", "y_train", "x_val", "y_val", "x_test", "y_test")
THIRDS: dict[str, Any] = {"validation": 0.2, "test": 0.2}

# Recipes as they were saved before rows could test, with the hashes and matrices that they had then.
SAVED: dict[str, tuple[dict[str, Any], str, str]] = {
    "usual": ({}, "508223f9e46d", "38be27a178703b60"),
    "capped": ({"cap": (1.0, 99.0, True), "scaling": "0 to 1"}, "2a6444c15951", "a225781d1aa8f3d4"),
    "means": (
        {"numbers": "mean", "categories": "most frequent", "scaling": "-1 to 1"},
        "da57fc783ca1",
        "d1336bd4367d6f94",
    ),
    "log in order": (
        {"scaling": "log", "order": "year", "cap": (0.0, 1950.0, False)},
        "6ca7060126a3",
        "f1096521371cb68d",
    ),
    "dropped": ({"drop": ("numeric", "categorical"), "scaling": "none"}, "d4358c411b42", "020a5d4371c064af"),
    "divided": ({"divide": 1000.0, "unit": "USD"}, "c35f0ba4b98d", "55da0f410495e65c"),
    "classes": (
        {"target": "colour", "inputs": {"rooms": "numeric", "year": "numeric"}},
        "99cba5b3b931",
        "046f7e50855ab4a8",
    ),
}


def made(chosen: UploadRecipe, columns: tuple[CsvColumn, ...] | None = None, **options: Any) -> Prepared:
    return prepare_upload(replace(CONFIG, **options), columns or build_columns(), chosen)


def treated(scaling: str = "z-score", **exceptions: Treatment) -> UploadRecipe:
    """Describe a recipe in which some of the two columns of numbers are treated by themselves."""
    steps = steps_of(
        numbers="median",
        categories="own",
        scaling=scaling,
        cap=None,
        exceptions=exceptions,
        numeric=("rooms", "year"),
    )
    return build_recipe(steps=steps)


def digest(prepared: Prepared) -> str:
    parts = [getattr(prepared, name) for name in MATRICES]
    return hashlib.sha256(b"".join(part.tobytes() for part in parts if part is not None)).hexdigest()[:16]


@pytest.mark.parametrize(("changes", "key", "content"), SAVED.values(), ids=SAVED.keys())
def test_a_recipe_that_was_saved_before_keeps_its_hash_and_its_matrices(
    changes: dict[str, Any], key: str, content: str
) -> None:
    chosen = build_recipe(**changes)
    prepared = made(UploadRecipe.from_dict(chosen.to_dict()))
    assert (chosen.hash, digest(prepared)) == (key, content)
    assert prepared.x_test is None


# Three parts


def test_rows_train_validate_and_test_in_the_shares_of_the_recipe() -> None:
    prepared = made(build_recipe(**THIRDS))
    assert prepared.x_test is not None
    assert [len(part) for part in (prepared.x_train, prepared.x_val, prepared.x_test)] == [36, 12, 12]


@settings(deadline=None)
@given(st.integers(20, 200), st.floats(0.05, 0.4), st.floats(0.05, 0.4), st.integers(0, 9), st.booleans())
def test_every_row_is_in_one_part_and_test_rows_do_not_depend_on_the_split_seed(
    rows: int, validation: float, test: float, seed: int, stratified: bool
) -> None:
    y = np.arange(rows, dtype=np.float64) % 3
    shares = Shares(validation=validation, test=test, seed=seed, test_seed=1, stratified=stratified)
    train, val, tested = drawn(y, shares)
    np.testing.assert_array_equal(np.sort(np.concatenate([train, val, tested])), np.arange(rows))
    np.testing.assert_array_equal(drawn(y, replace(shares, seed=seed + 1))[2], tested)
    assert abs(len(val) - validation * rows) <= 3
    assert abs(len(tested) - test * rows) <= 3


def test_test_rows_have_equal_shares_of_every_class() -> None:
    chosen = build_recipe(target="colour", inputs={"rooms": "numeric"}, **THIRDS)
    columns = build_columns(rows=300)
    prepared = made(chosen, columns)
    assert prepared.y_test is not None
    counts = np.bincount(np.concatenate([prepared.y_train, prepared.y_val, prepared.y_test]).astype(int))
    np.testing.assert_allclose(np.bincount(prepared.y_test.astype(int)), counts * 0.2, atol=1)


def test_in_an_order_the_last_rows_test_and_those_before_validate() -> None:
    prepared = made(build_recipe(order="year", scaling="none", inputs={"year": "numeric"}, **THIRDS))
    assert prepared.x_test is not None
    assert prepared.x_train.max() < prepared.x_val.min() <= prepared.x_val.max() < prepared.x_test.min()
    assert (len(prepared.x_val), len(prepared.x_test)) == (12, 12)


def with_parts(labels: tuple[str, ...], codes: np.ndarray) -> tuple[CsvColumn, ...]:
    return (*build_columns(), CsvColumn("part", codes.astype(float), labels))


def test_a_column_can_name_the_part_of_each_row() -> None:
    codes = np.arange(ROWS) % 4.0
    codes[7] = np.nan
    columns = with_parts(("Train ", "val", "TEST", "training"), codes)
    prepared = made(build_recipe(parts="part", scaling="none", inputs={"year": "numeric"}), columns)
    year = columns[3].cells.astype(np.float32)
    assert prepared.x_test is not None
    np.testing.assert_array_equal(prepared.x_test.ravel(), year[codes == 2])
    np.testing.assert_array_equal(prepared.x_val.ravel(), year[codes == 1])
    np.testing.assert_array_equal(prepared.x_train.ravel(), year[(codes == 0) | (codes == 3)])
    assert prepared.notes == ("1 rows with missing values were left out",)


def test_where_a_column_names_no_row_to_validate_some_are_drawn_of_those_that_train() -> None:
    columns = with_parts(("test", "train"), np.arange(ROWS) % 3 > 0)
    chosen = build_recipe(parts="part", scaling="none", inputs={"year": "numeric"})
    prepared = made(chosen, columns)
    assert prepared.x_test is not None
    assert [len(part) for part in (prepared.x_train, prepared.x_val, prepared.x_test)] == [32, 8, 20]
    assert digest(prepared) != digest(made(chosen, columns, split_seed=4))


def test_a_column_of_parts_is_known_by_its_words() -> None:
    found = [
        CsvColumn("p", np.zeros(2), labels) for labels in (("test", "train"), ("a", "train"), ("train",), ())
    ]
    assert [names_parts(column) for column in found] == [True, False, False, False]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"parts": "colour"},
            "column 'colour': expected train, validation and test .*, got blue, green, red",
        ),
        ({"parts": "rooms", "order": "year"}, "expected 'rooms' to do nothing but name parts"),
        ({"parts": "id", **THIRDS}, "expected 'id' to do nothing but name parts"),
        (
            {"validation": 0.5, "test": 0.45},
            "at least 10% of the rows to train, got 0.5 to validate and 0.45",
        ),
        ({"validation": 0.0}, "expected shares above 0"),
        ({"validation": float("nan")}, "expected shares above 0"),
        ({"test": 0.2}, "expected a share of the rows that validate"),
        ({"test_seed": -1, **THIRDS}, "expected a seed of at least 0"),
        ({"log_target": True, "divide": 2.0}, "expected 1 for a logarithm of the target, got 2"),
        ({"log_target": True, "target": "colour", "inputs": {"rooms": "numeric"}}, "to take logarithms"),
    ],
)
def test_parts_and_labels_that_do_not_fit_are_refused(changes: dict[str, Any], message: str) -> None:
    usual = {"inputs": {"year": "numeric"}} if "parts" in changes else {}
    with pytest.raises(DataError, match=message):
        made(build_recipe(**(usual | changes)))


def test_a_run_may_not_ask_for_another_share_than_the_recipe_says() -> None:
    chosen = build_recipe(validation=0.3, test=0.1)
    assert len(made(chosen).x_val) == len(made(chosen, validation_share=0.3).x_val) == 18
    with pytest.raises(DataError, match=r"says which rows validate .0.3 of them., got 0.4; leave it at 0.3"):
        made(chosen, validation_share=0.4)


# Labels


def test_a_logarithm_of_the_target_is_learned_and_marked() -> None:
    plain, logs = made(build_recipe()), made(build_recipe(log_target=True, unit="USD"))
    np.testing.assert_allclose(np.expm1(logs.y_train.astype(float)), plain.y_train.astype(float), rtol=1e-5)
    assert (logs.target_is_log, logs.target_scale, logs.target_unit) == (True, 1.0, "USD")


def test_a_standardised_logarithm_keeps_what_undoes_it() -> None:
    plain = made(build_recipe(**THIRDS))
    logs = made(build_recipe(log_target=True, **THIRDS), standardise_target=True)
    assert logs.y_test is not None
    assert logs.y_train.astype(float).mean() == pytest.approx(0, abs=1e-5)
    own = np.expm1(logs.y_test.astype(float) * logs.target_scale + logs.target_offset)
    np.testing.assert_allclose(own, plain.y_test, rtol=1e-4)  # type: ignore[arg-type]


def test_a_target_of_minus_one_has_no_logarithm() -> None:
    columns = (*build_columns()[:-1], CsvColumn("price", np.arange(ROWS, dtype=np.float64) - 1))
    with pytest.raises(DataError, match=r"expected a target above -1 .*, got -1; learn it as it is"):
        made(build_recipe(log_target=True), columns)


# Columns by themselves


def test_an_exception_is_scaled_by_itself_and_the_rest_as_the_table() -> None:
    prepared = made(treated("z-score", year=Treatment("0 to 1"), rooms=Treatment("none", (4.0, 6.0, False))))
    columns = dict(zip(prepared.feature_names, prepared.x_train.T, strict=True))
    assert (columns["year"].min(), columns["year"].max()) == (0, 1)
    assert (columns["rooms"].min(), columns["rooms"].max()) == (4, 6)
    alone = made(treated("z-score", rooms=Treatment("0 to 1")))
    usual = made(build_recipe())
    at = usual.feature_names.index("year")
    np.testing.assert_array_equal(alone.x_train[:, at], usual.x_train[:, at])


def test_a_cap_comes_before_the_scaling() -> None:
    prepared = made(treated(year=Treatment("0 to 1", (1910.0, 1920.0, False))))
    year = prepared.x_train[:, prepared.feature_names.index("year")]
    assert (np.sort(year)[:5] == 0).all()
    assert (np.sort(year)[-20:] == 1).all()


def test_buckets_become_inputs_of_their_own_and_gaps_another() -> None:
    prepared = made(
        treated(year=Treatment(BUCKETS, edges=(1920.0, 1940.0)), rooms=Treatment(BUCKETS, quantiles=4))
    )
    years = [name for name in prepared.feature_names if name.startswith("year")]
    assert years == ["year: < 1920", "year: 1920 to 1940", "year: ≥ 1940"]
    rooms = [name for name in prepared.feature_names if name.startswith("rooms")]
    assert len(rooms) == 5
    assert rooms[-1] == "rooms: missing"
    shares = prepared.x_train[:, [prepared.feature_names.index(name) for name in rooms[:-1]]].mean(axis=0)
    assert shares.max() - shares.min() < 0.1


def test_gaps_that_no_training_row_has_are_put_into_the_middle_bucket() -> None:
    columns = build_columns()
    year = columns[3].cells.copy()
    recipe = treated("none", year=Treatment(BUCKETS, edges=(1920.0, 1940.0)))
    val = np.flatnonzero(np.isin(year, _column(made(build_recipe(scaling="none")).x_val, "year")))
    year[val[0]] = np.nan
    prepared = made(recipe, (*columns[:3], CsvColumn("year", year), columns[4]))
    buckets = prepared.x_val[
        :, [place for place, name in enumerate(prepared.feature_names) if "year" in name]
    ]
    assert buckets.shape[1] == 3
    assert (buckets.sum(axis=1) == 1).all()


def _column(x: Any, name: str) -> Any:
    return x[:, made(build_recipe(scaling="none")).feature_names.index(name)]


def test_a_column_that_never_varies_can_be_left_out_though_a_step_names_it() -> None:
    columns = (*build_columns()[:3], CsvColumn("year", np.full(ROWS, 1950.0)), build_columns()[4])
    buckets = Treatment(BUCKETS, quantiles=3)
    for chosen in (
        treated(year=Treatment("0 to 1"), rooms=Treatment("none")),
        treated(year=buckets, rooms=Treatment("none")),
    ):
        found = made(replace(chosen, inputs=build_recipe().inputs), columns, drop_constant=True)
        assert not [name for name in found.feature_names if name.startswith("year")]


@pytest.mark.parametrize(
    ("treatment", "message"),
    [
        ({"scaling": "loud"}, "expected a scaling among z-score"),
        ({"scaling": BUCKETS}, "expected either edges or a number of quantiles"),
        ({"scaling": BUCKETS, "edges": (2.0, 1.0)}, "expected increasing edges"),
        ({"scaling": BUCKETS, "quantiles": 51}, "expected 2 to 50 quantiles"),
        ({"cap": (99.0, 1.0, True)}, "expected low < high"),
        ({"cap": (1.0, 101.0, True)}, "expected percentiles from 0 to 100"),
    ],
)
def test_a_treatment_that_does_not_fit_is_refused(treatment: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        treated(year=Treatment(**treatment))


# What recipes learn, they learn from training rows


def _treatments() -> st.SearchStrategy[Treatment]:
    caps = st.sampled_from([None, (5.0, 95.0, True)])
    scaled = st.builds(Treatment, st.sampled_from(SCALINGS), caps)
    return scaled | st.builds(Treatment, st.just(BUCKETS), caps, quantiles=st.integers(2, 5))


@settings(deadline=None, max_examples=40)
@given(
    st.integers(0, 2**32),
    st.dictionaries(st.sampled_from(["rooms", "year"]), _treatments()),
    st.sampled_from(["z-score", "0 to 1", "log"]),
    st.booleans(),
    st.booleans(),
)
def test_neither_validation_nor_test_rows_change_a_parameter(
    seed: int, exceptions: dict[str, Treatment], scaling: str, standardised: bool, logs: bool
) -> None:
    columns = build_columns()
    chosen = replace(treated(scaling, **exceptions), **THIRDS, test_seed=2, log_target=logs)
    train, *_ = drawn(columns[-1].cells, Shares(**THIRDS, seed=CONFIG.split_seed, test_seed=2))
    others = np.setdiff1d(np.arange(ROWS), train)
    random = np.random.default_rng(seed)
    changed = []
    for column in columns:
        cells = column.cells.copy()
        if column.name != "id":
            factor = 1.0 if column.labels else abs(random.normal()) * 1e3
            cells[others] = random.permutation(cells[others]) * factor
        changed.append(replace(column, cells=cells))
    options = {"standardise_target": standardised, "standardise_inputs": standardised}
    before, after = made(chosen, columns, **options), made(chosen, tuple(changed), **options)
    assert before.parameters == after.parameters
    assert (before.target_scale, before.target_offset) == (after.target_scale, after.target_offset)
    assert before.x_train.tobytes() == after.x_train.tobytes()
    assert before.y_train.tobytes() == after.y_train.tobytes()
    assert len(before.x_train) == len(train)


def test_categories_that_no_training_row_has_are_all_zeros_and_counted() -> None:
    columns = build_columns()
    *_, val, test = drawn(columns[-1].cells, Shares(**THIRDS, seed=CONFIG.split_seed))
    codes = np.zeros(ROWS)
    codes[::2] = 1
    codes[val[:3]], codes[test[:2]] = 2, 3
    town = CsvColumn("town", codes, ("Aldon", "Berry", "Cole", "Dunn"))
    prepared = made(build_recipe(inputs={"town": "categorical"}, **THIRDS), (town, columns[-1]))
    assert prepared.feature_names == ("town: Aldon", "town: Berry")
    assert prepared.x_test is not None
    assert (prepared.x_val[:3] == 0).all()
    assert (prepared.x_test[:2] == 0).all()
    assert prepared.notes == (
        "3 validation rows have a town that no training row has: their inputs for it are 0",
        "2 test rows have a town that no training row has: their inputs for it are 0",
    )


def test_version_recipe_and_split_seed_give_the_same_matrices_bit_for_bit() -> None:
    chosen = replace(treated("log", rooms=Treatment(BUCKETS, quantiles=3)), **THIRDS, log_target=True)
    again = UploadRecipe.from_dict(chosen.to_dict())
    assert again.hash == chosen.hash
    first, second = made(chosen), made(again)
    assert digest(first) == digest(second)
    assert digest(made(chosen, split_seed=4)) != digest(first)
    assert digest(made(replace(chosen, test_seed=1))) != digest(first)
