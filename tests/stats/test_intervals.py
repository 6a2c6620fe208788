"""Intervals: against published values and against SciPy."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from nnlab.stats.errors import StatsError
from nnlab.stats.intervals import Interval, mean_interval, t_factor

VALUES = st.lists(st.floats(-1e6, 1e6, allow_subnormal=False), min_size=2, max_size=30)


@pytest.mark.parametrize(("n", "published"), [(2, "12.71"), (3, "4.303"), (5, "2.776"), (10, "2.262")])
def test_t_has_its_published_values(n: int, published: str) -> None:
    assert f"{float(t_factor(n - 1)):.4g}" == published


@given(st.integers(1, 500), st.floats(0.5, 0.999))
def test_t_is_that_of_scipy(degrees: int, confidence: float) -> None:
    assert float(t_factor(degrees, confidence)) == pytest.approx(stats.t.ppf(0.5 + confidence / 2, degrees))


def test_t_without_degrees_of_freedom_is_nan() -> None:
    np.testing.assert_array_equal(np.isnan(t_factor([-1, 0, 1])), [True, True, False])


@given(VALUES, st.sampled_from([0.8, 0.95, 0.99]))
def test_the_interval_is_that_of_scipy(values: list[float], confidence: float) -> None:
    got = mean_interval(values, confidence)
    scale = max(map(abs, values))
    # Scaled, for NumPy's squares of tiny numbers vanish.
    sd = float(np.std(np.array(values) / scale, ddof=1)) * scale if scale else 0.0
    assert got.n == len(values)
    assert got.mean == pytest.approx(math.fsum(values) / len(values), abs=1e-12 * scale)
    assert got.sd == pytest.approx(sd, rel=1e-9, abs=1e-12 * scale)
    assert got.low is not None
    assert got.high is not None
    if sd > max(1e-9 * scale, 1e-100):  # SciPy squares what is smaller away
        expected = stats.t.interval(confidence, len(values) - 1, np.mean(values), stats.sem(values))
        assert (got.low, got.high) == pytest.approx(expected, rel=1e-9, abs=1e-9 * scale)


def test_three_seeds_by_hand() -> None:
    got = mean_interval([1.0, 2.0, 3.0])
    assert (got.n, got.mean, got.sd) == (3, 2.0, 1.0)
    assert (got.low, got.high) == pytest.approx(
        (2 - 4.303 / math.sqrt(3), 2 + 4.303 / math.sqrt(3)), rel=1e-3
    )


def test_one_seed_has_no_interval() -> None:
    assert mean_interval([0.7]) == Interval(1, 0.7, None, None, None)


def test_equal_values_have_an_interval_without_width() -> None:
    assert mean_interval([0.1] * 3) == Interval(3, 0.1, 0.0, 0.1, 0.1)


@pytest.mark.parametrize("unit", [1e-300, 1e-200, 1e200, 1e299])
def test_neither_tiny_nor_huge_values_lose_their_interval(unit: float) -> None:
    got, plain = mean_interval([unit, 2 * unit, 4 * unit]), mean_interval([1.0, 2.0, 4.0])
    assert (got.mean, got.sd, got.low, got.high) == pytest.approx(
        tuple(unit * (end or 0.0) for end in (plain.mean, plain.sd, plain.low, plain.high)), rel=1e-12
    )


def test_the_interval_covers_the_truth_as_often_as_it_says() -> None:
    draws = np.random.default_rng(11).standard_normal((4000, 3))
    intervals = [mean_interval(draw, 0.9) for draw in draws]
    covered = sum(
        one.low <= 0 <= one.high for one in intervals if one.low is not None and one.high is not None
    )
    assert covered / 4000 == pytest.approx(0.9, abs=0.02)


def test_what_has_no_mean_is_refused() -> None:
    with pytest.raises(StatsError, match=r"at least one value in one dimension, got shape \(0,\)"):
        mean_interval([])
    with pytest.raises(StatsError, match=r"finite values, got nan at position 1 \(2 of 3 are not finite\)"):
        mean_interval([1.0, math.nan, math.inf])
    with pytest.raises(StatsError, match=r"up to 1e\+300, got up to 1e\+308; rescale"):
        mean_interval([1e308, -1e308])
    with pytest.raises(StatsError, match=r"between 0 and 1, such as 0\.95, got 95"):
        mean_interval([1.0, 2.0], 95)
