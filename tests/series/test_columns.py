"""Columns: drawn as a line that shows each extreme and breaks where nothing is finite."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from nnlab.series.columns import drawn, extremes, grouped, table, with_points
from nnlab.series.pyramid import NAN, POSITIVE, Buckets
from tests.series.stored import random_points


def columns_of(steps: list[int], values: list[float], size: int) -> Buckets:
    return Buckets.of_points(np.array(steps), np.array(values), size)


def test_single_points_are_drawn_as_they_are() -> None:
    line = drawn(columns_of([1, 5, 6], [3.0, 1.0, 2.0], 1))
    assert line.steps.tolist() == [1, 5, 6]
    assert line.values.tolist() == [3.0, 1.0, 2.0]
    assert len(line.marked_steps) == 0


def test_a_column_is_entered_at_the_end_that_faces_the_one_before() -> None:
    line = drawn(columns_of([0, 1, 2, 3, 4, 5], [0.0, 2.0, 9.0, 8.0, 3.0, 1.0], 2))
    assert line.steps.tolist() == [0, 0, 2, 2, 4, 5]
    assert line.values.tolist() == [0.0, 2.0, 8.0, 9.0, 3.0, 1.0]


def test_a_line_breaks_where_nothing_is_finite_and_marks_what_is_not() -> None:
    nan, inf = np.nan, np.inf
    line = drawn(columns_of([0, 1, 2, 3, 4, 5], [0.0, 1.0, nan, inf, 4.0, nan], 2))
    np.testing.assert_array_equal(line.values, [0.0, 1.0, nan, 4.0])
    assert line.marked_steps.tolist() == [2, 4]
    assert line.marked_flags.tolist() == [NAN + POSITIVE, NAN]


@given(st.integers(0, 2**32), st.integers(1, 300), st.integers(2, 50))
def test_a_line_shows_every_extreme_with_two_values_a_column(seed: int, count: int, most: int) -> None:
    steps, values = random_points(np.random.default_rng(seed), count)
    found = grouped(Buckets.of_points(steps, values, 1), most)
    line = drawn(found)
    assert len(line.steps) == len(line.values) <= 2 * most
    assert set(found.minimum[found.counts > found.nonfinite]) <= set(line.values)
    assert set(found.maximum[found.counts > found.nonfinite]) <= set(line.values)


def test_a_point_between_buckets_stays_alone_and_one_inside_becomes_a_part() -> None:
    sealed = columns_of([0, 4, 6, 8], [1.0, 2.0, 3.0, 4.0], 2)
    found = with_points(sealed, columns_of([-1, 2, 4, 6, 7, 8, 9], [9.0, 9.0, 0.0, 8.0, -9.0, 7.0, 0.0], 1))
    assert found.counts.tolist() == [1, 3, 1, 4, 1, 1]
    assert found.first_steps.tolist() == [-1, 0, 4, 6, 8, 9]
    assert found.last_steps.tolist() == [-1, 4, 4, 8, 8, 9]
    assert found.minimum.tolist() == [9.0, 1.0, 0.0, -9.0, 7.0, 0.0]
    assert found.maximum.tolist() == [9.0, 9.0, 0.0, 8.0, 7.0, 0.0]


def test_series_under_common_columns_keep_their_own_values() -> None:
    long, short = columns_of([0, 10, 20, 30], [1.0, 5.0, 2.0, 4.0], 1), columns_of([10, 30], [np.nan, 7.0], 1)
    found = table([long, Buckets.none(), short], 4)
    nan = np.nan
    assert found.steps.tolist() == [0, 10, 20, 30]
    np.testing.assert_array_equal(
        found.mean, [[1.0, 5.0, 2.0, 4.0], [nan, nan, nan, nan], [nan, nan, nan, 7.0]]
    )
    found = table([long, Buckets.none(), short], 2)  # of 16 steps each
    assert found.steps.tolist() == [0, 20]
    np.testing.assert_array_equal(found.mean, [[3.0, 3.0], [nan, nan], [nan, 7.0]])
    np.testing.assert_array_equal(found.maximum, [[5.0, 4.0], [nan, nan], [nan, 7.0]])


def test_no_series_have_no_columns() -> None:
    assert table([], 9).mean.shape == (0, 0)
    assert table([Buckets.none()], 9).mean.shape == (1, 0)


@given(st.integers(0, 2**32), st.integers(1, 200), st.integers(1, 200), st.integers(2, 50))
def test_a_table_has_every_greatest_value_of_each_series(seed: int, one: int, other: int, most: int) -> None:
    rng = np.random.default_rng(seed)
    parts = [Buckets.of_points(*random_points(rng, count), 1) for count in (one, other)]
    found = table(parts, most)
    assert len(found.steps) <= most
    assert (np.diff(found.steps) > 0).all()
    for part, mean, maximum in zip(parts, found.mean, found.maximum, strict=True):
        greatest = np.fmax.reduce(part.maximum)
        np.testing.assert_array_equal(np.fmax.reduce(maximum), greatest)
        np.testing.assert_array_equal(np.isnan(mean), np.isnan(maximum))


@given(
    st.lists(
        st.lists(st.floats(-1e6, 1e6) | st.just(float("nan")), min_size=1, max_size=80),
        min_size=1,
        max_size=4,
    ),
    st.integers(2, 30),
    st.integers(1, 8),
)
def test_extremes_over_blocks_are_those_of_all_points_in_them(
    series: list[list[float]], blocks: int, size: int
) -> None:
    parts = [
        Buckets.of_points(np.arange(1, len(one) + 1), np.array(one), size if place else 1)
        for place, one in enumerate(series)
    ]
    edges = np.unique(np.linspace(0, max(map(len, series)), blocks + 1).round().astype(np.int64))
    found = extremes(parts, edges)
    for at, (low, high) in enumerate(pairwise(edges)):
        # A bucket is of the block of its first step.
        inside = [part[(part.first_steps > low) & (part.first_steps <= high)] for part in parts]
        if not sum(len(one) for one in inside):
            continue
        place = int(np.flatnonzero(found.last_steps == high)[0])
        assert at >= place
        with np.errstate(invalid="ignore"):
            least = np.fmin.reduce(np.concatenate([one.minimum for one in inside]))
            most = np.fmax.reduce(np.concatenate([one.maximum for one in inside]))
        np.testing.assert_array_equal([found.minimum[place], found.maximum[place]], [least, most])
        assert found.nonfinite[place] == sum(int(one.nonfinite.sum()) for one in inside)
    assert found.points == sum(map(len, series))
