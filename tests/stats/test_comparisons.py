"""Families of comparisons: one by one the same as alone, and corrected together."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from nnlab.stats.comparisons import against, all_pairs, many_paired, statement
from nnlab.stats.differences import difference, holm
from nnlab.stats.errors import StatsError

VALUES = st.lists(st.integers(-100, 100).map(lambda number: number / 4), min_size=0, max_size=6)


def build_groups() -> dict[str, dict[int, float | None]]:
    rng = np.random.default_rng(3)
    means = {"a": 0.0, "b": 0.1, "c": 5.0, "d": 9.0}
    return {key: dict(enumerate(mean + rng.normal(size=6))) for key, mean in means.items()}


def test_each_comparison_is_scipys_test_corrected_for_their_number() -> None:
    groups = build_groups()
    found = against(groups, "a")
    assert [(one.before, one.after) for one in found] == [("a", "b"), ("a", "c"), ("a", "d")]
    base = list(groups["a"].values())
    tests: list[Any] = [stats.ttest_rel(list(groups[key].values()), base) for key in "bcd"]
    assert [one.p_value for one in found] == pytest.approx(holm([test.pvalue for test in tests]))
    assert [one.found for one in found] == [False, True, True]
    assert statement(found) == "2 of 3 differ, with a risk of 5 % that any of these verdicts is false"


def test_all_pairs_are_compared_once() -> None:
    found = all_pairs(build_groups())
    assert len(found) == 6
    assert {frozenset((str(one.before), str(one.after))) for one in found} == {
        frozenset(pair) for pair in ("ab", "ac", "ad", "bc", "bd", "cd")
    }


def test_a_reference_picked_by_its_mean_is_corrected_as_the_part_of_all_pairs_that_it_is() -> None:
    groups = build_groups()
    plain = [one.difference.p_value for one in against(groups, "d") if one.difference]
    by_size = sorted(p_value for p_value in plain if p_value is not None)
    worst, expected = 0.0, {}
    for rank, p_value in enumerate(by_size):  # 6 pairs in all, of which 3 are looked at
        worst = max(worst, min(1.0, (6 - rank) * p_value))
        expected[p_value] = worst
    found = against(groups, "d", picked=True)
    assert [one.p_value for one in found] == [expected[p_value] for p_value in plain if p_value is not None]


def test_the_best_of_equal_groups_is_rarely_found_to_differ() -> None:
    """Of 20 groups without any difference, the best mean against the others: 17 % of families uncorrected."""
    rng = np.random.default_rng(0)
    wrong = {True: 0, False: 0}
    for _ in range(200):
        values = rng.standard_normal((20, 10))
        groups: dict[int, dict[int, float | None]] = {
            group: dict(enumerate(row)) for group, row in enumerate(values.tolist())
        }
        best = int(values.mean(axis=1).argmax())
        for picked in wrong:
            wrong[picked] += any(one.found for one in against(groups, best, picked=picked))
    assert wrong[True] <= 10
    assert wrong[False] >= 24


def test_groups_that_cannot_be_tested_do_not_count_in_the_correction() -> None:
    groups = build_groups()
    alone = against({key: groups[key] for key in "ac"}, "a")[0]
    odd: dict[str, dict[int, float | None]] = {
        "one": {0: 1.0},
        "diverged": {0: None, 1: math.nan},
        "none": {},
    }
    more = against({**groups, **odd}, "a")
    by_key = {one.after: one for one in more}
    assert by_key["diverged"].difference is None
    assert by_key["none"].difference is None
    assert by_key["one"].difference is not None
    assert [by_key[key].p_value for key in ("one", "diverged", "none")] == [None, None, None]
    assert alone.difference == by_key["c"].difference
    assert statement(more).startswith("2 of 3 differ")


def test_the_words_do_not_promise_more_than_was_found() -> None:
    same = {0: 1.0, 1: 2.0}
    assert statement(against({"a": same, "b": same, "c": same}, "a")) == "none of 2 differs for certain"
    assert statement(against({"a": same, "b": same}, "a")) == "no difference found"
    assert statement(against({"a": {0: 1.0}, "b": same}, "a")).startswith("no comparison has two seeds")


def test_a_reference_that_is_not_there_is_refused() -> None:
    with pytest.raises(StatsError, match="among the 4 groups, got 'z'"):
        against(build_groups(), "z")


@given(st.lists(VALUES, max_size=8))
def test_many_at_once_are_the_same_as_one_by_one(sets: list[list[float]]) -> None:
    found = many_paired(sets)
    for place, values in enumerate(sets):
        assert found.n[place] == len(values)
        if not values:
            assert math.isnan(found.mean[place])
            continue
        expected = difference(dict.fromkeys(range(len(values)), 0.0), dict(enumerate(values)))
        assert found.mean[place] == pytest.approx(expected.mean, abs=1e-12)
        for got, wanted in (
            (found.low, expected.low),
            (found.high, expected.high),
            (found.p_value, expected.p_value),
        ):
            assert got[place] == pytest.approx(math.nan if wanted is None else wanted, abs=1e-9, nan_ok=True)
