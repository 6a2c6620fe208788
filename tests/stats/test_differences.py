"""Differences: against SciPy's tests, and the sentences people read."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy import stats

from nnlab.stats.differences import Difference, difference, holm
from nnlab.stats.errors import StatsError

SAMPLE = st.lists(st.integers(-1000, 1000).map(lambda number: number / 8), min_size=2, max_size=12)


def build_difference(mean: float, low: float | None, high: float | None, **changes: int) -> Difference:
    counts = {"n_before": 5, "n_after": 5, "diverged": 0, "unpaired": 0} | changes
    return Difference(mean, low, high, None, paired=True, **counts)


@given(SAMPLE, st.data(), st.sampled_from([0.9, 0.95]))
def test_shared_seeds_give_the_paired_test_of_scipy(
    before: list[float], data: st.DataObject, confidence: float
) -> None:
    after = data.draw(st.lists(st.integers(-1000, 1000), min_size=len(before), max_size=len(before)))
    assume(np.std(np.subtract(after, before)) > 0)
    got = difference(dict(enumerate(before)), dict(enumerate(after)), confidence)
    expected = stats.ttest_rel(after, before)
    assert got.paired
    assert (got.n_before, got.n_after, got.unpaired) == (len(before), len(before), 0)
    assert got.p_value == pytest.approx(expected.pvalue, rel=1e-9)
    assert (got.low, got.high) == pytest.approx(
        tuple(expected.confidence_interval(confidence)), rel=1e-7, abs=1e-9
    )


@given(SAMPLE, SAMPLE, st.sampled_from([0.9, 0.95]))
def test_other_seeds_give_welchs_test_of_scipy(
    before: list[float], after: list[float], confidence: float
) -> None:
    assume(np.std(before) > 0 and np.std(after) > 0)  # else SciPy warns
    got = difference(dict(enumerate(before)), dict(enumerate(after, start=100)), confidence)
    expected = stats.ttest_ind(after, before, equal_var=False)
    assert not got.paired
    assert (got.n_before, got.n_after) == (len(before), len(after))
    assert got.p_value == pytest.approx(expected.pvalue, rel=1e-7)
    assert (got.low, got.high) == pytest.approx(
        tuple(expected.confidence_interval(confidence)), rel=1e-7, abs=1e-9
    )


def test_sleep_data_give_their_published_values() -> None:
    """Student (1908): extra hours of sleep, ten patients, two drugs."""
    first = dict(enumerate([0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0]))
    second = dict(enumerate([1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4]))
    paired = difference(first, second)
    assert (paired.mean, paired.low, paired.high) == pytest.approx((1.58, 0.7001142, 2.4598858), abs=1e-7)
    assert paired.p_value == pytest.approx(0.002833, abs=1e-6)
    apart = difference(first, {seed + 10: value for seed, value in second.items()})
    assert (apart.low, apart.high) == pytest.approx((-0.2054832, 3.3654832), abs=1e-7)
    assert apart.p_value == pytest.approx(0.07939, abs=1e-5)


def test_seeds_of_one_group_only_are_left_out_and_counted() -> None:
    got = difference({0: 1.0, 1: 2.0, 2: 9.0}, {0: 2.0, 1: 3.5, 3: 9.0, 4: 9.0})
    assert (got.paired, got.mean, got.n_before, got.unpaired) == (True, 1.25, 2, 3)


def test_diverged_runs_are_left_out_and_counted() -> None:
    got = difference({0: 1.0, 1: math.nan, 2: 2.0}, {0: 2.0, 1: 3.0, 2: 4.0, 3: None})
    assert (got.mean, got.n_before, got.diverged, got.unpaired) == (1.5, 2, 2, 1)


def test_one_pair_has_no_interval() -> None:
    got = difference({0: 1.0}, {0: 1.5})
    assert got == Difference(0.5, None, None, None, True, 1, 1, 0, 0)
    assert not got.found
    assert got.sentence("points") == "0.500 points higher, 1 seed: no interval"
    assert difference({0: 1.0}, {0: 1.0}).sentence("points") == "equal, 1 seed: no interval"


def test_one_run_against_other_seeds_has_no_interval() -> None:
    got = difference({0: 1.0}, {1: 1.5, 2: 2.5})
    assert got == Difference(1.0, None, None, None, False, 1, 2, 0, 0)
    assert got.sentence() == "1.00 higher, 1 and 2 seeds: no interval"


@pytest.mark.parametrize("unit", [1e-200, 1e200])
@pytest.mark.parametrize("first", [0, 9])
def test_the_unit_of_values_does_not_change_the_test(unit: float, first: int) -> None:
    before, after = {0: 1.0, 1: 2.0, 2: 4.0}, {first: 3.0, first + 1: 3.5, first + 2: 7.0}
    huge_or_tiny = {seed: unit * value for seed, value in before.items()}
    other = {seed: unit * value for seed, value in after.items()}
    plain, found = difference(before, after), difference(huge_or_tiny, other)
    assert (found.p_value, found.degrees) == pytest.approx((plain.p_value, plain.degrees), rel=1e-9)


def test_one_shared_seed_among_several_is_no_pairing() -> None:
    assert not difference({0: 1.0, 1: 2.0}, {1: 3.0, 2: 4.0}).paired


def test_equal_groups_show_no_difference() -> None:
    same = difference({0: 1.0, 1: 2.0}, {0: 1.0, 1: 2.0})
    assert (same.p_value, same.found) == (1.0, False)


@pytest.mark.parametrize("seeds", [(0, 1, 2), (3, 4, 5)])
def test_differences_that_are_all_alike_have_no_interval(seeds: tuple[int, int, int]) -> None:
    before, after = dict.fromkeys(range(3), 26 / 30), dict.fromkeys(seeds, 27 / 30)
    found = difference(before, after)
    assert (found.low, found.high, found.p_value, found.found) == (None, None, None, False)
    assert found.sentence("points", 100) == (
        f"3.33 points higher, the same for all, {'3' if seeds[0] == 0 else '3 and 3'} seeds: no interval"
    )


def test_a_group_without_a_finished_run_is_refused() -> None:
    with pytest.raises(StatsError, match="a finished run in both groups, got 0 and 1"):
        difference({0: math.nan}, {0: 1.0})


SENTENCES = {
    "0.8 points higher [0.2, 1.4], 5 seeds": build_difference(0.008, 0.002, 0.014),
    "0.8 points lower [0.2, 1.4], 5 seeds": build_difference(-0.008, -0.014, -0.002),
    "no difference found [-0.2, 1.4] points, 5 seeds": build_difference(0.006, -0.002, 0.014),
    "90 points higher [78, 102], 5 seeds": build_difference(0.9, 0.78, 1.02),
    "0.80 points higher [0.02, 1.58], 5 seeds": build_difference(0.008, 0.0002, 0.0158),
    "1,234.0 points higher [1,233.0, 1,235.0], 5 seeds": build_difference(12.34, 12.33, 12.35),
    "0.800 points higher [0.800, 0.800], 5 seeds": build_difference(0.008, 0.008, 0.008),
    "no difference found [0, 0] points, 5 seeds": build_difference(0.0, 0.0, 0.0),
    "0.8 points higher [0.2, 1.4], 5 seeds; 2 diverged, left out": build_difference(
        0.008, 0.002, 0.014, diverged=2
    ),
}


@pytest.mark.parametrize(("sentence", "result"), SENTENCES.items(), ids=SENTENCES.keys())
def test_a_difference_reads_as_a_sentence(sentence: str, result: Difference) -> None:
    assert result.sentence("points", 100) == sentence


def test_holm_gives_published_values() -> None:
    assert holm([0.01, 0.02, 0.03, 0.04, 0.05]) == pytest.approx([0.05, 0.08, 0.09, 0.09, 0.09])
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([]) == []


@given(st.lists(st.floats(0, 1), max_size=6))
def test_holm_is_bonferroni_over_every_group_of_hypotheses(p_values: list[float]) -> None:
    """The closed test: a hypothesis falls when every group that it is in falls."""
    indices = range(len(p_values))
    groups = [group for size in indices for group in itertools.combinations(indices, size + 1)]
    expected = [
        max(
            min(1.0, len(group) * min(p_values[member] for member in group))
            for group in groups
            if index in group
        )
        for index in indices
    ]
    assert holm(p_values) == pytest.approx(expected)


def test_holm_refuses_what_is_no_p_value() -> None:
    with pytest.raises(StatsError, match="between 0 and 1, got nan"):
        holm([0.5, math.nan])
