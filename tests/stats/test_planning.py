"""How many seeds: against published tables of sample sizes and against simulated experiments."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from nnlab.stats.errors import StatsError
from nnlab.stats.planning import MoreSeeds, more_seeds, power, sd_limit, seeds_needed


def test_seeds_needed_are_the_published_sample_sizes() -> None:
    """Cohen (1988): power 0.8 at 0.05 for two sides; 34 pairs as G*Power has it."""
    apart = [seeds_needed(effect, math.sqrt(2), freedom=2) for effect in (0.2, 0.5, 0.8)]
    assert apart == [394, 64, 26]
    assert [seeds_needed(effect, 1.0) for effect in (0.2, 0.5, 0.8)] == [199, 34, 15]


def test_power_is_how_often_scipys_test_finds_the_difference() -> None:
    rng = np.random.default_rng(0)
    drawn = rng.normal(1.0, 1.0, size=(20_000, 6))
    share = float(np.mean(np.asarray(stats.ttest_1samp(drawn, 0.0, axis=1).pvalue) < 0.05))
    assert power(1.0, 1.0, 6) == pytest.approx(share, abs=0.01)


@given(st.floats(0.01, 100), st.floats(0.01, 100), st.sampled_from([1.0, 1.5, 2.0]))
def test_one_seed_fewer_would_not_do(resolve: float, sd: float, freedom: float) -> None:
    needed = seeds_needed(resolve, sd, freedom)
    if needed is None:
        assert power(resolve, sd, 1000, freedom) < 0.8
    else:
        assert needed >= 2
        assert power(resolve, sd, needed, freedom) >= 0.8
        assert needed == 2 or power(resolve, sd, needed - 1, freedom) < 0.8


def test_the_limit_of_a_spread_covers_four_in_five() -> None:
    rng = np.random.default_rng(0)
    for n in (2, 5, 20):
        sds = rng.normal(size=(20_000, n)).std(axis=1, ddof=1)
        covered = np.mean([sd_limit(float(sd), n - 1) >= 1 for sd in sds])
        assert covered == pytest.approx(0.8, abs=0.02)


def test_two_seeds_do_not_promise_too_much() -> None:
    before = {0: 0.90, 1: 0.91}
    few = more_seeds(before, {0: 0.91, 1: 0.925}, 0.005)
    assert few is not None
    assert few.more is not None
    assert few.at_most is not None
    assert few.at_most > 10 * max(1, few.more)


def test_a_plan_reads_as_words() -> None:
    assert MoreSeeds(0.005, 4, 10, 10).sentence("points", 100) == "6 more seeds would resolve 0.5 points"
    assert MoreSeeds(0.005, 4, 5, 5).sentence("points", 100) == "1 more seed would resolve 0.5 points"
    assert MoreSeeds(2.0, 4, 10, 13).sentence() == "6 to 9 more seeds would resolve 2"
    assert MoreSeeds(2.0, 4, 10, None).sentence("USD") == "6 to many more seeds would resolve 2 USD"
    assert MoreSeeds(2.0, 4, 4, 5).sentence() == "up to 1 more seed would resolve 2"
    assert MoreSeeds(2.0, 4, 3, 4).sentence() == "4 seeds resolve 2"
    assert MoreSeeds(2.0, 4, None, None).sentence() == "resolving 2 would take more than 1,000 seeds"


def test_a_plan_is_a_number_where_there_is_little_room() -> None:
    plans = [MoreSeeds(1, 4, likely, most) for likely, most in ((3, 4), (10, 10), (10, 13), (9, None))]
    assert [plan.short for plan in plans] == ["0", "6", "6 to 9", "5 to many"]
    assert MoreSeeds(1, 4, None, None).short == "over 1,000"


def test_shared_seeds_are_planned_in_pairs_and_others_apart() -> None:
    before = {seed: float(seed) for seed in range(5)}
    after = {seed: seed + 1.0 + 0.1 * (seed % 2) for seed in range(5)}
    paired = more_seeds(before, after, 0.2)
    apart = more_seeds(before, {seed + 9: value for seed, value in after.items()}, 0.2)
    assert paired is not None
    assert paired.likely is not None
    assert paired.likely < 10
    assert apart is not None
    assert apart.likely is not None
    assert apart.likely > 500


def test_one_seed_tells_no_spread() -> None:
    assert more_seeds({0: 1.0}, {0: 2.0}, 1.0) is None
    assert more_seeds({0: 1.0, 1: 2.0}, {5: 2.0, 6: None}, 1.0) is None


@pytest.mark.parametrize("after", [{0: 2.0, 1: 2.0}, {0: 1.0, 1: 1.0}, {5: 2.0, 6: 2.0}])
def test_seeds_that_are_all_alike_do_not_tell_how_others_vary(after: dict[int, float | None]) -> None:
    assert more_seeds({0: 1.0, 1: 1.0}, after, 0.1) is None


@pytest.mark.parametrize("unit", [1e-120, 1e120])
@pytest.mark.parametrize("first", [0, 9])
def test_the_unit_of_values_does_not_change_the_plan(unit: float, first: int) -> None:
    before, after = {0: 1.0, 1: 2.0, 2: 4.0}, {first: 3.0, first + 1: 3.5, first + 2: 7.0}
    huge_or_tiny = {seed: unit * value for seed, value in before.items()}
    other = {seed: unit * value for seed, value in after.items()}
    plain, found = more_seeds(before, after, 1.0), more_seeds(huge_or_tiny, other, unit)
    assert plain is not None
    assert found is not None
    assert (found.likely, found.cautious) == (plain.likely, plain.cautious)


@pytest.mark.parametrize("resolve", [0.0, -1.0, math.nan, math.inf])
def test_a_difference_that_is_none_is_refused(resolve: float) -> None:
    with pytest.raises(StatsError, match="expected a difference above 0"):
        seeds_needed(resolve, 1.0)
    with pytest.raises(StatsError, match="at least 2 seeds, got 1"):
        power(1.0, 1.0, 1)
