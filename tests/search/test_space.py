"""Axes: the values of shares, what is counted, and what is refused."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nnlab.search.errors import SearchError
from nnlab.search.space import Choices, Range, Space

SHARES = st.floats(0.0, 1.0)
RANGES = [
    Range(1e-5, 0.3, log=True),
    Range(0.0, 0.5),
    Range(3, 400, whole=True, log=True),
    Range(0, 7, whole=True),
    Range(0.0, 1.0, step=0.3),
    Range(8, 60, whole=True, step=8),
]


@given(share=SHARES, which=st.integers(0, len(RANGES) - 1))
def test_every_share_of_a_range_is_a_value_within_its_bounds(share: float, which: int) -> None:
    axis = RANGES[which]
    value = axis.at(share)
    assert axis.low <= value <= axis.high
    assert isinstance(value, int) == axis.whole


@given(low=SHARES, high=SHARES, which=st.integers(0, len(RANGES) - 1))
def test_larger_shares_are_never_smaller_values(low: float, high: float, which: int) -> None:
    low, high = sorted((low, high))
    assert RANGES[which].at(low) <= RANGES[which].at(high)


def test_a_step_reaches_its_multiples_and_no_others() -> None:
    axis = Range(8, 60, whole=True, step=8)
    assert {axis.at(share / 1000) for share in range(1001)} == {8, 16, 24, 32, 40, 48, 56}
    assert axis.count == 7
    assert {Range(0.0, 1.0, step=0.25).at(share / 100) for share in range(101)} == {0, 0.25, 0.5, 0.75, 1}


def test_values_are_written_with_four_digits() -> None:
    assert Range(1e-4, 1e-1, log=True).at(0.4321) == float(f"{10 ** (-4 + 3 * 0.4321):.4g}")


def test_the_edges_of_a_space_reach_every_end_of_every_axis() -> None:
    space = Space({"rate": Range(0.1, 1.0), "width": Range(2, 9, whole=True), "kind": Choices(("a", "b"))})
    edges = space.edges()
    assert {edge["rate"] for edge in edges} == {0.1, 1.0}
    assert {edge["width"] for edge in edges} == {2, 9}
    assert {edge["kind"] for edge in edges} == {"a", "b"}
    assert {"rate": 1.0, "width": 9, "kind": "b"} in edges


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"low": 1, "high": 1}, "low below high, got 1 and 1"),
        ({"low": math.nan, "high": 1}, "low below high, got nan and 1"),
        ({"low": 0, "high": math.inf}, "finite bounds, got 0 and inf"),
        ({"low": 0, "high": 1, "log": True}, "low above 0 on a logarithmic range, got 0"),
        ({"low": 1, "high": 2, "log": True, "step": 1}, "a step or a logarithmic range, got both"),
        ({"low": 1, "high": 2, "step": 3}, "a step above 0 and at most 1, got 3"),
        ({"low": 1, "high": 2, "step": math.nan}, "a step above 0 and at most 1, got nan"),
        ({"low": 0.5, "high": 2, "whole": True}, "whole bounds, got 0.5 and 2"),
        ({"low": 0, "high": 9, "whole": True, "step": 1.5}, "a whole step between whole numbers, got 1.5"),
    ],
)
def test_a_range_that_is_none_is_refused(options: dict[str, float], message: str) -> None:
    with pytest.raises(SearchError, match=message):
        Range(**options)  # type: ignore[arg-type]


def test_a_space_without_axes_and_an_axis_without_choices_are_refused() -> None:
    with pytest.raises(SearchError, match="at least one axis"):
        Space({})
    with pytest.raises(SearchError, match="at least one choice"):
        Choices(())
