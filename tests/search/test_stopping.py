"""Halving, thresholds and medians: against their definitions, in every order of arrival."""

from __future__ import annotations

import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nnlab.search.errors import SearchError
from nnlab.search.halving import Halving
from nnlab.search.stopping import Threshold, is_below_median

SCORES = st.lists(st.one_of(st.integers(0, 9).map(float), st.just(math.inf)), min_size=1, max_size=40)


@given(scores=SCORES, factor=st.integers(2, 6))
def test_one_of_factor_goes_on_as_the_sorted_scores_say(scores: list[float], factor: int) -> None:
    halving = Halving(1, factor)
    cut = sorted(scores)[max(1, len(scores) // factor) - 1]
    for score in scores:
        assert halving.goes_on(score, scores) == (score <= cut and math.isfinite(score))


@given(scores=SCORES, factor=st.integers(2, 6))
def test_the_best_of_those_that_have_arrived_always_goes_on(scores: list[float], factor: int) -> None:
    halving = Halving(1, factor)
    for arrived in range(1, len(scores) + 1):
        known = scores[:arrived]
        if math.isfinite(min(known)):
            assert halving.goes_on(min(known), known)


@given(seed=st.permutations(range(27)))
def test_of_those_that_arrive_one_by_one_the_best_third_is_never_stopped_in_the_end(seed: list[int]) -> None:
    halving = Halving(1, 3)
    went_on = [score for place, score in enumerate(seed) if halving.goes_on(score, seed[: place + 1])]
    assert 0 in went_on
    judged_last = seed[-1]
    assert (judged_last in went_on) == (judged_last < 9)


def test_rungs_are_below_the_length_of_a_run() -> None:
    assert list(Halving(10, 3).rungs(270)) == [10, 30, 90]
    assert list(Halving(10, 3).rungs(271)) == [10, 30, 90, 270]
    assert list(Halving(10, 3).rungs(10)) == []


def test_a_factor_or_a_rung_that_is_none_is_refused() -> None:
    with pytest.raises(SearchError, match="a factor from 2 to 100, got 1"):
        Halving(10, 1)
    with pytest.raises(SearchError, match="first rung at step 1 or later, got 0"):
        Halving(0)


@pytest.mark.parametrize(
    ("rule", "step", "value", "words"),
    [
        (Threshold("val_loss", above=5, after_step=100), 100, 9.0, ""),
        (Threshold("val_loss", above=5, after_step=100), 101, 5.0, ""),
        (
            Threshold("val_loss", above=5, after_step=100),
            1101,
            5.5,
            "val_loss was 5.5 at step 1,101, above the rule's 5",
        ),
        (Threshold("val_loss", above=5), 1, math.nan, "val_loss was nan at step 1, above the rule's 5"),
        (
            Threshold("val_accuracy", below=0.2),
            7,
            0.125,
            "val_accuracy was 0.125 at step 7, below the rule's 0.2",
        ),
        (Threshold("val_accuracy", below=0.2), 7, 0.2, ""),
    ],
)
def test_a_threshold_says_how_it_is_broken(rule: Threshold, step: int, value: float, words: str) -> None:
    assert rule.broken_by(step, value) == words


def test_a_threshold_has_one_finite_bound() -> None:
    for bounds, message in (
        ({}, "above or below, got none"),
        ({"above": 1.0, "below": 0.0}, "above or below, got both"),
        ({"above": math.nan}, "a finite bound, got nan"),
    ):
        with pytest.raises(SearchError, match=re.escape(message)):
            Threshold("val_loss", bounds.get("above"), bounds.get("below"))


@given(averages=st.lists(st.floats(0, 10), max_size=20), best=st.floats(0, 10))
def test_the_median_rule_stops_what_is_worse_than_half_of_its_peers(
    averages: list[float], best: float
) -> None:
    stops = is_below_median(best, averages)
    if len(averages) < 4:
        assert not stops
    elif stops:
        assert sum(average < best for average in averages) >= len(averages) / 2
    else:
        assert sum(average >= best for average in averages) >= len(averages) / 2


def test_a_run_whose_values_are_no_numbers_is_below_any_median() -> None:
    assert is_below_median(math.nan, [1.0, 2.0, 3.0, 4.0])
