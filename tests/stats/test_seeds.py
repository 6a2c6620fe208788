"""Many groups at once: the same as one by one, whatever the order of the runs."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nnlab.stats.errors import StatsError
from nnlab.stats.seeds import SeedMeans, numbered, seed_means

Run = tuple[int, int, int, float]  # group, seed, configuration, value

RUNS = st.lists(
    st.tuples(st.integers(0, 3), st.integers(0, 2), st.integers(0, 2), st.floats(-1e6, 1e6)), max_size=40
)


def averaged(runs: Sequence[Run], count: int = 4) -> SeedMeans:
    groups, seeds, configs, values = (np.array([run[place] for run in runs]) for place in range(4))
    return seed_means(groups, seeds, configs, values, count)


def one_by_one(runs: Sequence[Run], group: int) -> tuple[list[float], bool]:
    """Return the means of a group's seeds as the definition says it, and whether they are even."""
    seeds: dict[int, dict[int, list[float]]] = {}
    for of, seed, config, value in runs:
        if of == group:
            seeds.setdefault(seed, {}).setdefault(config, []).append(value)
    means = [
        math.fsum(math.fsum(same) / len(same) for same in configs.values()) / len(configs)
        for _, configs in sorted(seeds.items())
    ]
    return means, len({frozenset(configs) for configs in seeds.values()}) < 2


@settings(max_examples=200, deadline=None)
@given(RUNS)
def test_every_group_is_what_its_definition_says(runs: list[Run]) -> None:
    found = averaged(runs)
    for group in range(4):
        means, even = one_by_one(runs, group)
        assert found.of(group).tolist() == pytest.approx(means, rel=1e-12, abs=1e-9)
        assert bool(found.even[group]) is even
        middle = math.fsum(means) / len(means) if means else math.nan
        assert found.middles()[group] == pytest.approx(middle, rel=1e-12, abs=1e-9, nan_ok=True)


@settings(max_examples=50, deadline=None)
@given(RUNS, st.randoms(use_true_random=False))
def test_the_order_of_the_runs_changes_not_a_digit(runs: list[Run], random: object) -> None:
    shuffled = list(runs)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    np.testing.assert_array_equal(averaged(runs).means, averaged(shuffled).means)


def test_equal_values_have_equal_means_however_many_runs_a_seed_has() -> None:
    runs = [(0, seed, config, 0.1) for seed in range(3) for config in range(3 + 10 * seed)]
    assert set(averaged(runs, 1).means.tolist()) == {0.1}


def test_a_value_that_is_not_finite_is_refused() -> None:
    with pytest.raises(StatsError, match="expected finite values, got nan"):
        averaged([(0, 0, 0, math.nan)])


def test_things_are_numbered_as_they_come() -> None:
    things, numbers = numbered(["b", None, "b", "a"])
    assert (things, numbers.tolist()) == (["b", None, "a"], [0, 1, 0, 2])
