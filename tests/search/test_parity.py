"""Networks of one size: as near as any, within what was promised, and refused where there is none."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nnlab.engine.config import TrainingConfig
from nnlab.engine.sizes import multiply_adds, parameter_count
from nnlab.search.errors import SearchError
from nnlab.search.parity import MAX_WIDTH, TOLERANCE, Count, Fit, fit

DIGITS = (64, 10)
SHAPES = st.tuples(st.integers(1, 80), st.integers(1, 12))


def parameters(inputs: int, outputs: int, activation: str = "relu") -> Count:
    return lambda layers: parameter_count(
        TrainingConfig(hidden_units=layers, activation=activation), inputs, outputs
    )


def multiplications(inputs: int, outputs: int) -> Count:
    return lambda layers: sum(a * b for a, b in pairwise((inputs, *layers, outputs)))


def brute_force(count: Count, depth: int, target: int) -> Fit | None:
    """Try every width, and every last layer beside it."""
    equal = [(width,) * depth for width in range(1, 400)]
    found = min(equal, key=lambda layers: abs(count(layers) - target))
    if abs(count(found) - target) > TOLERANCE * target and depth > 1:
        under = [layers for layers in equal if count(layers) <= target]
        first = under[-1][0] if under else 0
        widths = [width for width in (first, first + 1) if width]
        tapered = [
            (*(width,) * (depth - 1), last)
            for width in widths
            for last in range(-(-width // 2), 2 * width + 1)
        ]
        found = min([found, *tapered], key=lambda layers: abs(count(layers) - target))
    is_near = abs(count(found) - target) <= TOLERANCE * target
    return Fit(found, count(found), count(found) / target - 1) if is_near else None


@settings(max_examples=40, deadline=None)
@given(
    shape=st.tuples(st.integers(4, 80), st.integers(1, 12)),
    depth=st.integers(1, 6),
    target=st.integers(50, 2000),
)
def test_no_network_comes_nearer_than_the_one_found(shape: tuple[int, int], depth: int, target: int) -> None:
    for count in (parameters(*shape), multiplications(*shape)):
        expected = brute_force(count, depth, target)
        if expected is None:
            with pytest.raises(SearchError, match="the nearest"):
                fit(count, depth, target)
        else:
            found = fit(count, depth, target)
            assert abs(found.deviation) == pytest.approx(abs(expected.deviation))
            assert found.cost == count(found.hidden_units)


@given(shape=SHAPES, depth=st.integers(1, 8), target=st.integers(1, 200_000))
def test_what_is_found_keeps_to_the_tolerance_and_the_depth(
    shape: tuple[int, int], depth: int, target: int
) -> None:
    try:
        found = fit(parameters(*shape), depth, target)
    except SearchError:
        return
    assert abs(found.cost - target) <= TOLERANCE * target * (1 + 1e-12)
    assert len(found.hidden_units) == depth
    assert len(set(found.hidden_units[:-1])) <= 1
    assert found.deviation == pytest.approx(found.cost / target - 1)


@given(shape=SHAPES, layers=st.lists(st.integers(1, 40), max_size=5))
def test_the_engine_counts_the_same_multiplications(shape: tuple[int, int], layers: list[int]) -> None:
    config = TrainingConfig(hidden_units=tuple(layers), activation="prelu", batch_norm=True)
    assert multiply_adds(config, *shape) == multiplications(*shape)(tuple(layers))


def test_the_networks_of_five_thousand_parameters_on_the_digits() -> None:
    found = [fit(parameters(*DIGITS), depth, 5000) for depth in (1, 2, 4)]
    assert [one.hidden_units for one in found] == [(67,), (42, 42), (30, 30, 30, 30)]
    assert [one.cost for one in found] == [5035, 4966, 5050]


def test_the_last_layer_differs_only_where_equal_ones_miss() -> None:
    found = fit(parameters(*DIGITS), 3, 700)
    assert len(set(found.hidden_units)) == 2
    assert abs(found.deviation) <= TOLERANCE


def test_slopes_that_an_activation_learns_count_too() -> None:
    count = parameters(*DIGITS, activation="prelu")
    assert fit(count, 1, 5000).hidden_units == (66,)
    assert count((66,)) == 66 * 76 + 10


def test_what_no_network_can_cost_is_refused_with_the_nearest() -> None:
    with pytest.raises(SearchError, match=r"1 hidden layer within 1 % of 100, and the nearest, 1, has 85"):
        fit(parameters(*DIGITS), 1, 100)
    with pytest.raises(SearchError, match="within 1 % of 9,999,999,999"):
        fit(parameters(*DIGITS), 1, 9_999_999_999)


@pytest.mark.parametrize(("depth", "target"), [(0, 100), (1, 0), (-1, 5)])
def test_nonsense_is_refused(depth: int, target: int) -> None:
    with pytest.raises(SearchError, match="at least 1"):
        fit(parameters(*DIGITS), depth, target)


def test_a_width_beyond_the_engines_is_never_asked_about() -> None:
    asked: list[int] = []

    def count(layers: tuple[int, ...]) -> int:
        asked.append(max(layers))
        return layers[0]

    with pytest.raises(SearchError):
        fit(count, 2, 10**9)
    assert max(asked) <= MAX_WIDTH
