"""Effect sizes: against SciPy's noncentral t and rank test, and published values."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy import stats

from nnlab.stats.effects import correction, effect, hedges_g, paired_effect, superiority
from nnlab.stats.errors import StatsError

PRECISION = 1e-5  # of a tail: the search for the centre ends at some 1e-6
SAMPLE = st.lists(st.integers(-80, 80).map(lambda number: number / 8), min_size=2, max_size=12)


def test_the_correction_for_few_seeds_has_its_published_values() -> None:
    """Hedges (1981), table 1; about 1 - 3 / (4 df - 1)."""
    published = {2: 0.5642, 4: 0.7979, 10: 0.9228, 20: 0.9619, 50: 0.9849}
    assert {degrees: correction(degrees) for degrees in published} == pytest.approx(published, abs=1e-4)
    assert correction(1) == 0


@given(SAMPLE, SAMPLE)
def test_the_ends_of_g_are_where_scipys_noncentral_t_leaves_a_tail(
    before: list[float], after: list[float]
) -> None:
    assume(np.std(before) > 0 and np.std(after) > 0)  # else SciPy warns
    t, _ = stats.ttest_ind(after, before)
    assume(abs(t) < 30)
    found = hedges_g(before, after)
    assert found is not None
    assert found.low is not None
    assert found.high is not None
    degrees = len(before) + len(after) - 2
    size = math.sqrt(1 / len(before) + 1 / len(after))
    assert found.value == pytest.approx(t * size * correction(degrees), rel=1e-9, abs=1e-12)
    centres = [end / size / correction(degrees) for end in (found.low, found.high)]
    tails = [stats.nct.cdf(t, degrees, centre) for centre in centres]
    assert tails == pytest.approx([0.975, 0.025], abs=PRECISION)


@given(SAMPLE)
def test_the_ends_of_d_z_are_where_scipys_noncentral_t_leaves_a_tail(differences: list[float]) -> None:
    assume(len(differences) > 2 and np.std(differences) > 0)
    t = float(stats.ttest_1samp(differences, 0).statistic)
    assume(abs(t) < 30)
    found = paired_effect(differences)
    assert found is not None
    assert found.low is not None
    assert found.high is not None
    n = len(differences)
    centres = [end * math.sqrt(n) / correction(n - 1) for end in (found.low, found.high)]
    assert [stats.nct.cdf(t, n - 1, one) for one in centres] == pytest.approx([0.975, 0.025], abs=PRECISION)


def test_seeds_that_are_shared_are_compared_in_pairs() -> None:
    before, after = {0: 1.0, 1: 2.0, 2: 3.0}, {0: 1.5, 1: 2.6, 2: 3.3}
    paired, apart = effect(before, after), effect(before, {seed + 9: one for seed, one in after.items()})
    assert paired is not None
    assert apart is not None
    assert (paired.name, apart.name) == ("d_z", "g")
    assert paired.value > apart.value


def test_too_few_seeds_or_none_that_vary_have_no_effect_size() -> None:
    assert hedges_g([1.0], [2.0, 3.0]) is None
    assert paired_effect([1.0, 2.0]) is None
    assert hedges_g([1.0, 1.0], [2.0, 2.0]) is None


def test_an_effect_beyond_all_measure_has_no_interval() -> None:
    found = paired_effect([1.0, 1.0, 1.000001])
    assert found is not None
    assert found.value > 1e5
    assert (found.low, found.high) == (None, None)


@given(SAMPLE, SAMPLE)
def test_superiority_is_the_rank_test_of_scipy(before: list[float], after: list[float]) -> None:
    expected = stats.mannwhitneyu(after, before).statistic / (len(before) * len(after))
    old, new = dict(enumerate(before)), dict(enumerate(after))
    assert superiority(old, new, higher=True) == pytest.approx(expected)
    assert superiority(old, new, higher=False) == pytest.approx(1 - expected)


def test_a_diverged_run_is_worse_than_any_other() -> None:
    good, bad = {0: -5.0, 1: 3.0}, {0: None, 1: math.nan}
    assert superiority(bad, good, higher=True) == 1
    assert superiority(bad, good, higher=False) == 1
    assert superiority(bad, bad, higher=True) == 0.5
    with pytest.raises(StatsError, match="got 0 and 2"):
        superiority({}, bad, higher=True)


@pytest.mark.parametrize("unit", [1e-200, 1e200])
def test_the_unit_of_values_does_not_change_the_effect(unit: float) -> None:
    before, after = [1.0, 2.0, 4.0], [3.0, 3.5, 7.0]
    for plain, found in (
        (hedges_g(before, after), hedges_g([unit * one for one in before], [unit * one for one in after])),
        (paired_effect(after), paired_effect([unit * one for one in after])),
    ):
        assert plain is not None
        assert found is not None
        assert (found.value, found.low, found.high) == pytest.approx((plain.value, plain.low, plain.high))
