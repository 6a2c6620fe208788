"""Equivalence: the two one-sided tests, as SciPy does them one by one."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy import stats

from nnlab.stats.differences import difference, holm
from nnlab.stats.equivalence import equivalence, equivalences
from nnlab.stats.errors import StatsError

SAMPLE = st.lists(st.integers(-80, 80).map(lambda number: number / 8), min_size=3, max_size=12)
MARGIN = st.integers(1, 80).map(lambda number: number / 8)


@given(SAMPLE, MARGIN)
def test_paired_equivalence_is_two_tests_of_scipy(values: list[float], within: float) -> None:
    assume(np.std(values) > 0)
    nothing = dict.fromkeys(range(len(values)), 0.0)
    found = equivalence(difference(nothing, dict(enumerate(values))), within)
    assert found is not None
    above = stats.ttest_1samp(values, -within, alternative="greater").pvalue
    below = stats.ttest_1samp(values, within, alternative="less").pvalue
    assert found.p_value == pytest.approx(max(above, below), rel=1e-7)


@given(SAMPLE, SAMPLE, MARGIN)
def test_separate_groups_are_two_of_welchs_tests_of_scipy(
    before: list[float], after: list[float], within: float
) -> None:
    assume(np.std(before) > 0 and np.std(after) > 0)
    found = equivalence(difference(dict(enumerate(before)), dict(enumerate(after, start=100))), within)
    assert found is not None
    higher, lower = np.add(after, within), np.subtract(after, within)
    above = stats.ttest_ind(higher, before, equal_var=False, alternative="greater").pvalue
    below = stats.ttest_ind(lower, before, equal_var=False, alternative="less").pvalue
    assert found.p_value == pytest.approx(max(above, below), rel=1e-6)


@given(SAMPLE, SAMPLE, MARGIN)
def test_it_is_shown_where_the_90_percent_interval_lies_within_the_margin(
    before: list[float], after: list[float], within: float
) -> None:
    assume(np.std(before) > 0)
    found = equivalence(difference(dict(enumerate(before)), dict(enumerate(after, start=50))), within)
    assert found is not None
    assume(all(abs(abs(end) - within) > 1e-9 for end in (found.low, found.high)))
    assert found.shown == (-within < found.low and found.high < within)


def test_a_difference_without_an_interval_shows_nothing() -> None:
    assert equivalence(difference({0: 1.0}, {0: 1.0}), 0.1) is None


@pytest.mark.parametrize("after", [1.0, 1.25])
def test_groups_that_never_vary_show_nothing(after: float) -> None:
    assert equivalence(difference({0: 1.0, 1: 1.0}, {0: after, 1: after}), 0.5) is None


def test_a_verdict_reads_as_words() -> None:
    found = difference({0: 0.9, 1: 0.91, 2: 0.92}, {0: 0.9, 1: 0.911, 2: 0.919})
    wide, narrow = equivalence(found, 0.005), equivalence(found, 0.0005)
    assert wide is not None
    assert narrow is not None
    assert wide.sentence("points", 100) == "equivalent within ±0.5 points"
    assert narrow.sentence() == "equivalence within ±0.0005 not shown"


@pytest.mark.parametrize("margin", [0.0, -1.0, math.nan, math.inf])
def test_a_margin_that_is_none_is_refused(margin: float) -> None:
    with pytest.raises(StatsError, match="expected a margin above 0"):
        equivalence(difference({0: 1.0, 1: 2.0}, {0: 1.0, 1: 2.5}), margin)


def test_equivalences_of_a_family_are_corrected_for_their_number() -> None:
    rng = np.random.default_rng(2)
    nothing = dict.fromkeys(range(8), 0.0)
    found = [difference(nothing, dict(enumerate(rng.normal(0.1, 0.5, 8)))) for _ in range(4)]
    alone = [equivalence(one, 0.6) for one in found]
    together = equivalences([*found[:2], None, *found[2:]], 0.6)
    assert together[2] is None
    p_values = [one.p_value for one in alone if one]
    assert [one.p_value for one in together if one] == holm(p_values)
    assert sum(one.shown for one in together if one) < sum(one.shown for one in alone if one)


def test_that_all_are_equivalent_is_one_claim_that_needs_no_correction() -> None:
    rng = np.random.default_rng(2)
    nothing = dict.fromkeys(range(8), 0.0)
    found = [difference(nothing, dict(enumerate(rng.normal(0, 0.5, 8)))) for _ in range(4)]
    within = max(
        abs(end) for one in found if (same := equivalence(one, 1.0)) for end in (same.low, same.high)
    )
    together = equivalences(found, 1.001 * within)
    assert together == [equivalence(one, 1.001 * within) for one in found]
    assert all(one.shown for one in together if one)
