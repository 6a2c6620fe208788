"""Facts of the examples, against what NumPy says of all of them at once."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose

from nnlab.engine.problem import Problem
from nnlab.health import facts as module
from nnlab.health.facts import describe_data
from nnlab.health.overlap import MOST_ROWS, Overlap, find_overlap
from tests.health.problems import TRAIN_ROWS, build_columns, build_problem, build_regression


def test_columns_are_described_by_the_training_rows_alone() -> None:
    x = build_columns() * [1.0, 10.0, 0.1, 1.0] + [0.0, 50.0, 0.0, -3.0]
    x[TRAIN_ROWS:] = 1e6
    problem = build_problem(x)
    columns, train = describe_data(problem).columns, problem.x_train.astype(np.float64)
    assert_allclose(columns.largest, np.abs(train).max(axis=0))
    assert_allclose(columns.mean, train.mean(axis=0))
    assert_allclose(columns.deviation, train.std(axis=0))
    assert_allclose(columns.disparity, columns.largest[1] / columns.largest[2])


def test_columns_from_minus_1_to_1_have_no_offset() -> None:
    x = build_columns()
    x[:, 0] = 0.99 + 1e-3 * x[:, 0].clip(-3, 3)
    x[:, 1] = 7.0 + 0.5 * x[:, 1]
    offset = describe_data(build_problem(x)).columns.offset
    assert offset[0] == 0
    assert offset[1] == pytest.approx(14, rel=0.2)


@pytest.mark.parametrize(("value", "constant"), [(0.0, []), (0.1, [2]), (-7e20, [2])])
def test_a_constant_column_has_no_deviation_and_counts_unless_it_is_0(
    value: float, constant: list[int]
) -> None:
    x = build_columns()
    x[:, 2] = value
    facts = describe_data(build_problem(x))
    assert facts.columns.deviation[2] == facts.columns.offset[2] == 0
    assert facts.columns.constant.tolist() == constant
    assert facts.label_correlation is not None
    assert facts.label_correlation[2] == 0


def test_rounding_gives_a_constant_column_no_deviation() -> None:
    x = np.full((150, 1), 0.1)  # in float64, where the sum of 120 is rounded
    y = np.arange(150) % 2
    facts = describe_data(Problem("binary", x[:120], y[:120], x[120:], y[120:], outputs=1))
    assert facts.columns.deviation[0] == 0


def test_nothing_but_zeros_has_no_disparity() -> None:
    assert describe_data(build_problem(np.zeros((150, 2)))).columns.disparity == 1


def test_one_row_is_enough() -> None:
    facts = describe_data(build_problem(build_columns(2), train_rows=1))
    assert (facts.train_rows, facts.validation_rows) == (1, 1)
    assert facts.columns.deviation.tolist() == [0, 0, 0, 0]
    assert facts.label_correlation is not None
    assert not facts.label_correlation.any()


def test_many_values_are_sampled_but_for_their_extremes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_VALUES", 100)  # of 480, so every fifth row
    x = build_columns()
    x[1, 0] = 1000.0
    problem = build_problem(x)
    columns = describe_data(problem).columns
    assert columns.largest[0] == 1000
    assert_allclose(columns.mean, problem.x_train[::5].mean(axis=0), rtol=1e-5)


@pytest.mark.parametrize("classes", [2, 3, 7])
def test_label_correlations_are_those_of_the_label_and_of_each_class(classes: int) -> None:
    rng = np.random.default_rng(classes)
    y = rng.integers(0, classes, 150)
    x = build_columns()
    x[:, 1] += y
    x[:, 2] += 3.0 * (y == 1)
    task = "binary" if classes == 2 else "multiclass"
    problem = build_problem(x, y, task=task, outputs=1 if classes == 2 else classes)
    found = describe_data(problem).label_correlation
    assert found is not None
    answers = np.column_stack([problem.y_train, *(problem.y_train == k for k in range(classes))])
    together = np.corrcoef(problem.x_train.T.astype(np.float64), answers.T.astype(np.float64))
    assert_allclose(found, np.abs(together[:4, 4:]).max(axis=1), rtol=1e-6)


def test_classes_without_rows_are_counted_too() -> None:
    facts = describe_data(build_problem(y=np.arange(150) % 2, task="multiclass", outputs=3))
    assert facts.train_counts is not None
    assert facts.train_counts.tolist() == [60, 60, 0]
    assert facts.targets is None


def test_targets_of_a_regression() -> None:
    y = np.linspace(-2, 3, 150)
    problem = build_regression(y)
    facts = describe_data(problem)
    assert facts.train_counts is None
    assert facts.label_correlation is None
    assert facts.targets is not None
    train, held_out = y[:TRAIN_ROWS], y[TRAIN_ROWS:]
    assert facts.targets.variance == pytest.approx(train.var())
    assert facts.targets.low == -2
    assert facts.targets.high == pytest.approx(train.max())
    assert facts.targets.below_minus_one == pytest.approx((train < -1).mean())
    assert facts.targets.below_zero == pytest.approx((train < 0).mean())
    assert facts.targets.above_one == pytest.approx((train > 1).mean())
    assert facts.targets.zero_losses["mse"] == pytest.approx(np.square(held_out).mean())
    assert facts.targets.zero_losses["huber"] == pytest.approx(held_out.mean() - 0.5)  # all are above 1


@pytest.mark.parametrize(("rows", "distinct"), [(0, 0), (1, 1), (30, 30)])
def test_validation_rows_that_are_training_rows_are_found(rows: int, distinct: int) -> None:
    x, y = build_columns(), np.arange(150) % 2
    x[TRAIN_ROWS : TRAIN_ROWS + rows], y[TRAIN_ROWS : TRAIN_ROWS + rows] = x[:rows], y[:rows]
    assert find_overlap(build_problem(x, y)) == Overlap(30, rows, distinct, nothing_held_out=False)


def test_a_row_repeated_with_another_target_is_another_row() -> None:
    x, y = build_columns(), np.arange(150) % 2
    x[TRAIN_ROWS], y[TRAIN_ROWS] = x[0], 1 - y[0]
    assert find_overlap(build_problem(x, y)).shared == 0


def test_rows_that_differ_in_a_column_that_is_no_key_differ() -> None:
    x, y = build_columns(columns=100), np.arange(150) % 2
    x[TRAIN_ROWS], y[TRAIN_ROWS] = x[0], y[0]
    x[TRAIN_ROWS, 1] += 1
    assert find_overlap(build_problem(x, y)).shared == 0


def test_0_and_minus_0_are_the_same() -> None:
    x = np.zeros((150, 1))
    x[TRAIN_ROWS:] = -0.0
    assert find_overlap(build_problem(x)) == Overlap(30, 30, 2, nothing_held_out=False)


def test_validation_on_the_training_rows_is_told_from_an_accident() -> None:
    x = np.concatenate([build_columns(75)] * 2)
    assert find_overlap(build_problem(x, np.arange(150) % 75 % 2, train_rows=75)).nothing_held_out


def test_of_many_validation_rows_some_are_looked_up() -> None:
    x: Any = np.arange(3 * MOST_ROWS, dtype=np.float64)[:, None]
    overlap = find_overlap(build_problem(x, train_rows=1000))
    assert (overlap.rows, overlap.shared) == (14_000 // 3 + 1, 0)
