"""Smoothing: the moving average of every point, as a filter computes it one by one."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.signal import lfilter

from nnlab.series.errors import SeriesError
from nnlab.series.smoothing import smoothed


@pytest.mark.parametrize("count", [0, 1, 5, 1000, 100_000])
@pytest.mark.parametrize("weight", [1e-9, 0.01, 0.6, 0.99, 0.999])
def test_it_is_the_filter_divided_by_the_sum_of_its_weights(count: int, weight: float) -> None:
    values = np.random.default_rng(count).standard_normal(count) * 10 + 1
    expected = lfilter([1 - weight], [1, -weight], values) / (1 - weight ** np.arange(1, count + 1))
    np.testing.assert_allclose(smoothed(values, weight), expected, rtol=1e-9, atol=1e-9)


def test_a_constant_stays_what_it_is_from_the_first_point_on() -> None:
    np.testing.assert_allclose(smoothed(np.full(50, 3.0), 0.95), 3.0, rtol=1e-12)


def test_what_is_not_finite_stays_in_its_place_and_counts_for_no_other() -> None:
    values = [1.0, np.nan, 2.0, np.inf, 3.0]
    found = smoothed(values, 0.5)
    assert np.isnan(found[1])
    assert found[3] == np.inf
    np.testing.assert_array_equal(found[[0, 2, 4]], smoothed([1.0, 2.0, 3.0], 0.5))


def test_no_weight_changes_nothing() -> None:
    np.testing.assert_array_equal(smoothed([1.0, 5.0, -2.0], 0.0), [1.0, 5.0, -2.0])


@pytest.mark.parametrize("weight", [-0.1, 1.0, np.nan])
def test_a_weight_that_is_none_is_refused(weight: float) -> None:
    with pytest.raises(SeriesError, match="at least 0 and below 1"):
        smoothed([1.0], weight)


@given(
    st.lists(st.tuples(st.integers(1, 400), st.floats(-100, 100)), min_size=1, max_size=60),
    st.floats(0.01, 0.99),
)
def test_a_value_counts_less_the_more_steps_have_passed(
    points: list[tuple[int, float]], weight: float
) -> None:
    steps = np.cumsum([distance for distance, _ in points])
    values = np.array([value for _, value in points])
    typical = np.median(np.diff(steps)) if len(points) > 1 else 1.0
    expected = []
    for at, step in enumerate(steps):
        weights = weight ** ((step - steps[: at + 1]) / typical)
        expected.append(float((weights * values[: at + 1]).sum() / weights.sum()))
    np.testing.assert_allclose(smoothed(values, weight, steps), expected, rtol=1e-6, atol=1e-6)


def test_even_steps_are_as_no_steps() -> None:
    values = np.random.default_rng(1).random(5000)
    np.testing.assert_allclose(smoothed(values, 0.9, np.arange(5000) * 20), smoothed(values, 0.9), rtol=1e-12)
