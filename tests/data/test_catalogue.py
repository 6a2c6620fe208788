"""The catalogue: descriptions, files and code agree with each other and with other loaders."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
from sklearn import datasets as sklearn_datasets

from nnlab.data import shipped
from nnlab.data.catalogue import check, datasets
from nnlab.data.config import DataConfig
from nnlab.data.errors import DataError
from nnlab.data.generators import GENERATORS
from nnlab.data.recipes import recipes, steps_from_list

FIELDS = [
    "key", "title", "task", "rows", "columns", "target", "image_shape", "source", "file", "licence",
    "citation", "recipes", "generator",
]  # fmt: skip
SHIPPED = {
    "digits": ("multiclass", 1797, 64, 10),
    "breast_cancer": ("binary", 569, 30, 2),
    "wine": ("multiclass", 178, 13, 3),
    "iris": ("multiclass", 150, 4, 3),
    "diabetes": ("regression", 442, 10, 0),
    "california_housing": ("regression", 20640, 8, 0),
    "mnist_5k": ("multiclass", 5000, 784, 10),
    "penguins": ("multiclass", 344, 7, 3),
}


def test_every_description_has_every_field() -> None:
    for item in shipped.descriptions().values():
        assert list(item) == FIELDS
        assert item["task"] in {"regression", "binary", "multiclass"}
        assert (item["file"] is None) == (item["source"] is None) == (item["generator"] is not None)
        assert all(list(c) == ["name", "kind", "unit", "missing", "values"] for c in item["columns"])
        assert all((c["kind"] == "categorical") == bool(c["values"]) for c in item["columns"])
        assert list(item["target"]) == ["name", "unit", "scale", "cap", "classes"]
        assert list(item["licence"]) == ["package", "data", "checked"]


def test_every_file_has_a_description_and_every_description_its_file() -> None:
    described = {
        item["file"]["name"]: item["file"] for item in shipped.descriptions().values() if item["file"]
    }
    contents = {path.name: path.read_bytes() for path in shipped.FILES.iterdir()}
    assert contents.keys() == described.keys()
    for name, content in contents.items():
        assert len(content) == described[name]["bytes"]
        assert hashlib.sha256(content).hexdigest() == described[name]["sha256"]
    assert sum(len(content) for content in contents.values()) < 2_500_000


def test_the_catalogue_holds_the_shipped_and_the_generated_sets() -> None:
    assert set(datasets()) == SHIPPED.keys() | GENERATORS.keys()
    assert {key for key, info in datasets().items() if info.generated} == GENERATORS.keys()


@pytest.mark.parametrize("key", SHIPPED)
def test_shipped_sets_have_the_documented_shape(key: str) -> None:
    info, table = datasets()[key], shipped.load(key)
    found = (info.task, table.frame.rows, len(table.frame.names), len(table.class_names))
    assert found == SHIPPED[key]
    assert info.rows == table.frame.rows


@pytest.mark.parametrize(
    ("key", "counts"),
    [
        ("breast_cancer", [212, 357]),
        ("wine", [59, 71, 48]),
        ("iris", [50, 50, 50]),
        ("mnist_5k", [500] * 10),
        ("digits", [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]),
        ("penguins", [152, 68, 124]),
    ],
)
def test_classes_have_the_documented_counts(key: str, counts: list[int]) -> None:
    assert np.bincount(shipped.load(key).y.astype(int)).tolist() == counts


@pytest.mark.parametrize("key", ["digits", "breast_cancer", "wine", "iris", "diabetes"])
def test_shipped_arrays_equal_those_of_scikit_learn(key: str) -> None:
    options = {"scaled": False} if key == "diabetes" else {}
    oracle = getattr(sklearn_datasets, f"load_{key}")(**options)
    table = shipped.load(key)
    np.testing.assert_array_equal(table.frame.values, oracle.data)
    np.testing.assert_array_equal(table.y, oracle.target)
    if key in {"breast_cancer", "wine"}:
        assert table.frame.names == tuple(oracle.feature_names)
    if key in {"breast_cancer", "wine", "iris"}:
        assert table.class_names == tuple(oracle.target_names)


def test_california_housing_says_its_unit_and_its_cap() -> None:
    info, table = datasets()["california_housing"], shipped.load("california_housing")
    assert (info.target_name, info.target_unit, info.target_scale) == ("MedHouseVal", "USD", 100_000)
    assert info.target_cap == table.y.max()
    assert (table.y == info.target_cap).sum() == 965
    assert np.mean(table.y >= 5) == pytest.approx(0.048, abs=0.0005)  # 27 more stand at 500,000 exactly
    assert table.y.std(ddof=1) * info.target_scale == pytest.approx(115_393, abs=5)


def test_penguins_count_their_missing_cells() -> None:
    gaps = np.isnan(shipped.load("penguins").frame.values)
    missing = [column.missing for column in datasets()["penguins"].columns]
    assert missing == gaps.sum(axis=0).tolist()
    assert sum(missing) == 19


def test_described_recipes_are_those_of_the_code() -> None:
    for key, item in shipped.descriptions().items():
        expected = [(r.key, r.title, json.loads(json.dumps(r.to_list()))) for r in recipes(key).values()]
        assert [(r["key"], r["title"], r["steps"]) for r in item["recipes"]] == expected
        for found, recipe in zip(item["recipes"], recipes(key).values(), strict=True):
            assert steps_from_list(found["steps"]) == recipe.steps


@pytest.mark.parametrize(
    ("key", "recipe"), [(key, recipe) for key, info in datasets().items() for recipe, _ in info.recipes]
)
def test_every_recipe_on_offer_works(key: str, recipe: str) -> None:
    shape = check(DataConfig(dataset=key, recipe=recipe))
    assert shape.inputs > 0
    assert shape.train_rows + shape.validation_rows == datasets()[key].rows
    assert shape.outputs == (len(datasets()[key].classes) if shape.task == "multiclass" else 1)


def test_a_file_that_was_changed_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "iris.npz").write_bytes(b"something else")
    monkeypatch.setattr(shipped, "FILES", tmp_path)
    with pytest.raises(DataError, match=r"iris\.npz with sha256"):
        shipped.load.__wrapped__("iris")


def test_an_unknown_dataset_is_answered_with_those_known() -> None:
    with pytest.raises(DataError, match="unknown dataset 'boston'; choose among digits, ") as caught:
        check(DataConfig(dataset="boston"))
    assert caught.value.field == "dataset"


def test_an_unknown_recipe_is_answered_with_those_known() -> None:
    with pytest.raises(DataError, match="among default, raw, min-max, got 'lab6'") as caught:
        check(DataConfig(dataset="iris", recipe="lab6"))
    assert caught.value.field == "recipe"
