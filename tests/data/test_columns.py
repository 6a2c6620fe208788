"""Steps that add, drop or re-code columns."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from nnlab.data import columns
from nnlab.data.columns import Bucketise, Cross, Drop, Impute, OneHot, Ratio, Select, Sine
from nnlab.data.errors import DataError
from nnlab.data.frames import Categories, Frame
from nnlab.data.recipes import Recipe, recipes, steps_from_list
from nnlab.data.steps import Step

NAN = np.nan


def build_frame(colours: list[float] | None = None) -> Frame:
    values = np.array([[1.0, 4.0], [2.0, 0.0], [-3.0, 2.0], [NAN, 5.0]])
    if colours is None:
        return Frame(("a", "b"), values)
    joined = np.concatenate([values, np.array(colours)[:, None]], axis=1)
    return Frame(("a", "b", "colour"), joined, {"colour": Categories(("blue", "green", "red"))})


def apply(step: Step, frame: Frame, train: Frame | None = None) -> Frame:
    return step.apply(frame, step.fit(frame if train is None else train))


def test_select_and_drop_keep_the_categories_of_what_they_keep() -> None:
    frame = build_frame([0, 1, 2, 0])
    assert apply(Select(("colour", "a")), frame).names == ("colour", "a")
    dropped = apply(Drop(("a", "b")), frame)
    assert (dropped.names, set(dropped.categories)) == (("colour",), {"colour"})
    assert not apply(Drop(("colour",)), frame).categories
    with pytest.raises(DataError, match="got 'c'"):
        apply(Drop(("c",)), frame)


def test_a_ratio_over_zero_is_missing() -> None:
    ratio = apply(Ratio("a", "b", "a/b"), build_frame()).column("a/b")
    np.testing.assert_array_equal(ratio, [0.25, NAN, -1.5, NAN])


def test_a_sine_takes_radians() -> None:
    frame = apply(Sine(("a", "b")), build_frame())
    np.testing.assert_array_equal(frame.column("sin b"), np.sin([4.0, 0, 2, 5]))
    assert frame.names == ("a", "b", "sin a", "sin b")


def test_a_cross_of_numbers_is_their_product() -> None:
    frame = apply(Cross("a", "b"), build_frame())
    np.testing.assert_array_equal(frame.column("a × b"), [4, 0, -6, NAN])
    np.testing.assert_array_equal(apply(Cross("b", "b", "b²"), frame).column("b²"), [16, 0, 4, 25])


def test_a_cross_of_categories_is_one_hot_over_the_pairs() -> None:
    values = np.array([[0.0, 1], [1, 0], [1, 1], [NAN, 0]])
    left, right = Categories(("p", "q"), closed=True), Categories(("x", "y"), closed=True)
    frame = apply(Cross("l", "r"), Frame(("l", "r"), values, {"l": left, "r": right}))
    crossed = apply(OneHot(), apply(Select(("l × r",)), frame))
    assert crossed.names == ("l × r: p × x", "l × r: p × y", "l × r: q × x", "l × r: q × y")
    np.testing.assert_array_equal(crossed.values, [[0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1], [0, 0, 0, 0]])


def test_numbers_and_categories_do_not_cross() -> None:
    with pytest.raises(DataError, match="bucketise the numbers first"):
        apply(Cross("a", "colour"), build_frame([0, 1, 2, 0]))
    with pytest.raises(DataError, match="'colour', which holds categories"):
        apply(Ratio("a", "colour", "r"), build_frame([0, 1, 2, 0]))


def test_k_edges_make_k_plus_one_buckets_and_an_edge_belongs_above() -> None:
    cells = np.array([[-5.0], [0.0], [0.5], [1.0], [2.0], [99.0], [NAN]])
    frame = apply(OneHot(), apply(Bucketise("v", (0.0, 1.0, 2.0)), Frame(("v",), cells)))
    assert frame.names == ("v: < 0", "v: 0 to 1", "v: 1 to 2", "v: ≥ 2")
    np.testing.assert_array_equal(frame.values[:-1].argmax(axis=1), [0, 1, 1, 2, 3, 3])
    np.testing.assert_array_equal(frame.values.sum(axis=1), [1, 1, 1, 1, 1, 1, 0])


def test_quantile_buckets_hold_equally_many_training_rows() -> None:
    frame = apply(Bucketise("v", quantiles=4), Frame(("v",), np.arange(100.0)[:, None]))
    assert np.bincount(frame.column("v").astype(int)).tolist() == [25] * 4


def test_equal_quantiles_are_merged() -> None:
    frame = apply(Bucketise("v", quantiles=4), Frame(("v",), np.array([[0.0]] * 9 + [[1.0]])))
    assert frame.categories["v"].labels == ("< 0", "≥ 0")


def test_medians_fill_and_an_indicator_tells_where() -> None:
    frame = apply(Impute(), build_frame())
    np.testing.assert_array_equal(frame.column("a"), [1, 2, -3, 1])
    np.testing.assert_array_equal(frame.column("a: missing"), [0, 0, 0, 1])
    assert frame.names == ("a", "b", "a: missing")


def test_validation_rows_add_no_indicator() -> None:
    train, step = build_frame().take(np.array([0, 1, 2])), Impute()
    frame = apply(step, build_frame(), train)
    assert frame.names == ("a", "b")
    assert frame.column("a")[3] == 1


def test_missing_categories_are_a_category_of_their_own() -> None:
    frame = apply(OneHot(), apply(Impute(), build_frame([0, NAN, 2, NAN]))).select(
        ["colour: blue", "colour: red", "colour: missing"]
    )
    np.testing.assert_array_equal(frame.values, [[1, 0, 0], [0, 0, 1], [0, 1, 0], [0, 0, 1]])


def test_one_hot_knows_the_training_rows_labels_only() -> None:
    train, other, step = build_frame([0, 2, 0, 2]), build_frame([0, 1, 2, NAN]), OneHot()
    frame = apply(step, other, train)
    assert frame.names == ("a", "b", "colour: blue", "colour: red")
    np.testing.assert_array_equal(frame.values[:, 2:], [[1, 0], [0, 0], [0, 1], [0, 0]])
    assert step.unseen(other, step.fit(train)) == {"colour": 1}
    assert step.unseen(train, step.fit(train)) == {}


def test_rare_labels_share_one_column() -> None:
    codes = np.array([2, 2, 2, 0, 0, 3, 1, 4.0])[:, None]
    frame = Frame(("k",), codes, {"k": Categories(tuple("abcdef"))})
    made = apply(OneHot(limit=2), frame)
    assert made.names == ("k: a", "k: c", "k: other")
    assert made.values.argmax(axis=1).tolist() == [1, 1, 1, 0, 0, 2, 2, 2]


def test_exactly_as_many_labels_as_the_limit_need_no_other() -> None:
    frame = Frame(("k",), np.array([[0.0], [1.0]]), {"k": Categories(("a", "b"))})
    assert apply(OneHot(limit=2), frame).names == ("k: a", "k: b")


def test_one_hot_stops_before_the_matrix_grows_too_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(columns, "MAX_CELLS", 10)
    with pytest.raises(DataError, match="got 5 inputs for 4 rows"):
        OneHot().fit(build_frame([0, 1, 2, 0]))


@pytest.mark.parametrize(
    "build",
    [
        lambda: Bucketise("v"),
        lambda: Bucketise("v", (1.0,), 4),
        lambda: Bucketise("v", (1.0, 1.0)),
        lambda: Bucketise("v", (2.0, 1.0)),
        lambda: Bucketise("v", quantiles=1),
        lambda: Bucketise("v", quantiles=51),
    ],
)
def test_impossible_buckets_are_refused(build: Callable[[], Step]) -> None:
    with pytest.raises(DataError, match="expected"):
        build()


def test_steps_survive_plain_types_and_name_what_is_wrong() -> None:
    recipe = recipes("california_housing")["lab6_scaled"]
    assert steps_from_list(recipe.to_list()) == recipe.steps
    with pytest.raises(DataError, match=r"expected a step among z-score, .* got 'magic'"):
        steps_from_list([{"step": "magic"}])
    with pytest.raises(DataError, match="'divide' does not take"):
        steps_from_list([{"step": "divide", "of": 3}])


def test_a_recipes_hash_depends_on_its_steps_alone() -> None:
    assert Recipe("a", "A", (Sine(("x1",)),)).hash == Recipe("b", "B", (Sine(("x1",)),)).hash
    assert Recipe("a", "A", (Sine(("x1",)),)).hash != Recipe("a", "A", (Sine(("x2",)),)).hash
