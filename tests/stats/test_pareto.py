"""The Pareto front, against the definition spelled out."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nnlab.stats.errors import StatsError
from nnlab.stats.pareto import pareto_front

# Few different numbers, so that ties of either kind are common.
POINTS = st.lists(
    st.tuples(st.integers(0, 6), st.integers(-3, 3)) | st.tuples(st.floats(0, 9), st.floats(-1, 1))
)


def dominates(one: tuple[float, float], other: tuple[float, float], *, higher: bool) -> bool:
    gain, other_gain = (one[1], other[1]) if higher else (-one[1], -other[1])
    return one[0] <= other[0] and gain >= other_gain and (one[0] < other[0] or gain > other_gain)


@given(POINTS, st.booleans())
def test_the_front_is_what_no_point_dominates(points: list[tuple[float, float]], higher: bool) -> None:
    costs, values = [point[0] for point in points], [point[1] for point in points]
    expected = {
        index
        for index, point in enumerate(points)
        if not any(dominates(other, point, higher=higher) for other in points)
    }
    front = pareto_front(costs, values, higher=higher)
    assert set(front) == expected
    assert len(front) == len(expected)
    assert [costs[index] for index in front] == sorted(costs[index] for index in front)


def test_equal_points_share_the_front() -> None:
    assert pareto_front([1, 1, 1], [5, 5, 4], higher=True) == [0, 1]
    assert pareto_front([1, 1, 1], [5, 5, 4], higher=False) == [2]


def test_what_cannot_be_compared_is_refused() -> None:
    with pytest.raises(StatsError, match="finite"):
        pareto_front([1.0, 2.0], [0.5, math.nan], higher=True)
    with pytest.raises(StatsError, match="a cost for each of 1 values, got 2"):
        pareto_front([1.0, 2.0], [0.5], higher=True)
