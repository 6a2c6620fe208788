"""Points chosen before anything is known: each axis's share, its slices, and no repeats."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import kstest

from nnlab.search.errors import SearchError
from nnlab.search.sampling import latin_hypercube, random_points
from nnlab.search.space import Choices, Range, Space, key_of

SPACE = Space(
    {
        "learning_rate": Range(1e-4, 1e-1, log=True),
        "dropout": Range(0.0, 0.5),
        "width": Range(4, 64, whole=True, log=True),
        "depth": Range(1, 3, whole=True),
        "activation": Choices(("relu", "tanh")),
    }
)


@pytest.mark.parametrize("sample", [random_points, latin_hypercube])
def test_the_marginals_are_uniform_where_the_axes_say_so(sample: object) -> None:
    assert callable(sample)
    points = sample(SPACE, 900, 5)
    rates = [math.log10(point["learning_rate"]) for point in points]
    assert kstest(rates, "uniform", args=(-4, 3)).pvalue > 0.01
    assert kstest([point["dropout"] for point in points], "uniform", args=(0, 0.5)).pvalue > 0.01
    depths = np.bincount([point["depth"] for point in points])[1:]
    assert len(depths) == 3
    assert np.all(np.abs(depths - 300) < 60)
    assert abs(sum(point["activation"] == "relu" for point in points) - 450) < 80
    widths = [point["width"] for point in points]
    assert all(isinstance(width, int) for width in widths)
    expected = 900 * math.log(16.5 / 3.5) / math.log(64.5 / 3.5)  # 4 .. 16 of 4 .. 64
    assert abs(sum(width <= 16 for width in widths) - expected) < 80


def test_a_latin_hypercube_has_one_point_in_each_slice_of_each_axis() -> None:
    space = Space({"a": Range(0.0, 1.0), "b": Range(1.0, 1000.0, log=True)})
    points = latin_hypercube(space, 40, 3)
    assert sorted(int(point["a"] * 40) for point in points) == list(range(40))
    assert sorted(int(math.log10(point["b"]) / 3 * 40) for point in points) == list(range(40))


def test_choices_of_a_latin_hypercube_are_as_even_as_can_be() -> None:
    space = Space({"a": Range(0.0, 1.0), "b": Choices(("x", "y", "z"))})
    counts = [sum(point["b"] == name for point in latin_hypercube(space, 31, 0)) for name in ("x", "y", "z")]
    assert sorted(counts) in ([10, 10, 11], [9, 11, 11])


def test_points_are_a_function_of_the_seed_and_do_not_depend_on_their_number() -> None:
    assert random_points(SPACE, 30, 7)[:10] == random_points(SPACE, 10, 7)
    assert random_points(SPACE, 10, 7) != random_points(SPACE, 10, 8)
    assert latin_hypercube(SPACE, 10, 7) == latin_hypercube(SPACE, 10, 7)
    assert latin_hypercube(SPACE, 10, 7) != latin_hypercube(SPACE, 10, 8)


@pytest.mark.parametrize("sample", [random_points, latin_hypercube])
def test_no_point_comes_twice_even_where_all_of_a_space_are_asked_for(sample: object) -> None:
    assert callable(sample)
    space = Space({"depth": Range(0, 3, whole=True), "units": Choices(([8], [8, 8], [16]))})
    points = sample(space, 12, 1)
    assert len({key_of(point) for point in points}) == 12
    with pytest.raises(SearchError, match="at most 12 trials, as many points as the space has, got 13"):
        sample(space, 13, 1)


def test_points_that_are_taken_are_not_drawn_again() -> None:
    space = Space({"depth": Range(0, 3, whole=True)})
    taken = [{"depth": 0}, {"depth": 2}]
    found = random_points(space, 2, 0, taken=taken)
    assert sorted(point["depth"] for point in found) == [1, 3]
