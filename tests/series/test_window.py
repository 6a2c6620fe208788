"""Window: no extreme is lost, whatever is left out."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from nnlab.series.errors import SeriesError
from nnlab.series.window import Window, window

Million = tuple[NDArray[np.int64], NDArray[np.float64]]
VALUES = st.floats(-3, 3, width=16) | st.sampled_from([np.nan, np.inf, -np.inf, -0.0])
GAPS = st.integers(0, 9)


def points_of(gaps_and_values: list[tuple[int, float]]) -> list[tuple[int, float]]:
    steps = np.cumsum([gap for gap, _ in gaps_and_values], dtype=np.int64) - 60
    return [(step, value) for step, (_, value) in zip(steps.tolist(), gaps_and_values, strict=True)]


# Many points and few columns: else most examples are shown raw and prove little.
POINTS = (
    st.lists(st.tuples(GAPS, VALUES), min_size=30, max_size=80) | st.lists(st.tuples(GAPS, VALUES))
).map(points_of)
COLUMNS = st.integers(4, 16)


def window_of(points: list[tuple[int, float]], columns: int, first: int | None, last: int | None) -> Window:
    return window([step for step, _ in points], [value for _, value in points], columns, first, last)


def buckets_of(points: list[tuple[int, float]], count: int) -> list[list[tuple[int, float]]]:
    """Deal the points into equally wide buckets of steps, one by one."""
    low, high = points[0][0], points[-1][0]
    buckets: list[list[tuple[int, float]]] = [[] for _ in range(count)]
    for step, value in points:
        buckets[(step - low) * count // (high - low + 1)].append((step, value))
    return [bucket for bucket in buckets if bucket]


def kept_by_hand(points: list[tuple[int, float]], columns: int) -> list[tuple[int, float]]:
    if len(points) <= columns:
        return points
    kept = {0, len(points) - 1}
    at = 0
    for bucket in buckets_of(points, (columns - 2) // 2):
        values = [value for _, value in bucket]
        kept |= {at + values.index(min(values)), at + values.index(max(values))}
        at += len(bucket)
    return [points[place] for place in sorted(kept)]


@given(POINTS, COLUMNS, st.none() | st.integers(-70, 20), st.none() | st.integers(20, 320))
def test_the_points_are_those_found_by_brute_force(
    points: list[tuple[int, float]], columns: int, first: int | None, last: int | None
) -> None:
    inside = [
        (step, value)
        for step, value in points
        if (first is None or step >= first) and (last is None or step <= last)
    ]
    finite = [point for point in inside if np.isfinite(point[1])]
    bad = [point for point in inside if not np.isfinite(point[1])]
    marked = bad if len(bad) <= columns else [bucket[0] for bucket in buckets_of(bad, columns)]

    got = window_of(points, columns, first, last)

    assert list(zip(got.steps.tolist(), got.values.tolist(), strict=True)) == kept_by_hand(finite, columns)
    assert got.kind == ("raw" if len(finite) <= columns else "extremes")
    assert (got.count, got.nonfinite_count) == (len(finite), len(bad))
    assert got.nonfinite_steps.tolist() == [step for step, _ in marked]
    np.testing.assert_array_equal(got.nonfinite_values, [value for _, value in marked])


@given(POINTS, COLUMNS)
def test_never_more_points_than_columns_and_never_one_that_was_not_there(
    points: list[tuple[int, float]], columns: int
) -> None:
    got = window_of(points, columns, None, None)
    assert len(got.steps) <= columns
    assert len(got.nonfinite_steps) <= columns
    assert set(zip(got.steps.tolist(), got.values.tolist(), strict=True)) <= set(points)


@given(POINTS, COLUMNS)
def test_every_value_lies_between_the_extremes_kept_of_its_bucket(
    points: list[tuple[int, float]], columns: int
) -> None:
    finite = [point for point in points if np.isfinite(point[1])]
    if not finite:
        return
    got = window_of(finite, columns, None, None)
    shown = set(zip(got.steps.tolist(), got.values.tolist(), strict=True))
    for bucket in buckets_of(finite, (columns - 2) // 2):
        drawn = [value for step, value in bucket if (step, value) in shown]
        assert all(min(drawn) <= value <= max(drawn) for _, value in bucket)


def a_million() -> Million:
    return np.arange(1, 1_000_001), np.random.default_rng(5).standard_normal(1_000_000)


def test_one_spike_and_one_nan_among_a_million_survive() -> None:
    steps, values = a_million()
    values[123_456], values[777_776] = 1e9, np.nan
    got = window(steps, values, 1000)
    assert got.values[got.steps == 123_457].tolist() == [1e9]
    assert got.nonfinite_steps.tolist() == [777_777]
    assert (got.count, got.nonfinite_count, got.kind) == (999_999, 1, "extremes")


def test_zooming_in_ends_at_the_raw_points() -> None:
    steps, values = a_million()
    got = window(steps, values, 1000, 5001, 6000)
    assert got.kind == "raw"
    np.testing.assert_array_equal(got.values, values[5000:6000])


def test_a_run_that_stays_nan_gives_few_markers_and_the_first_is_exact() -> None:
    steps, values = a_million()
    values[300_000:] = np.nan
    got = window(steps, values, 500)
    assert len(got.nonfinite_steps) == 500
    assert got.nonfinite_steps[0] == 300_001
    assert got.nonfinite_count == 700_000
    assert got.steps[-1] == 300_000


def test_steps_may_lie_as_far_apart_as_int64_allows() -> None:
    ends = np.array([-(2**63), 2**63 - 1])
    steps = np.concatenate([ends[:1], np.arange(20), ends[1:]])
    got = window(steps, np.zeros(22), 8)
    assert got.steps.tolist() == [-(2**63), 0, 2**63 - 1]


def test_an_empty_series_has_an_empty_window() -> None:
    got = window([], [], 100)
    assert (got.steps.shape, got.kind, got.count, got.nonfinite_count) == ((0,), "raw", 0, 0)


def test_what_is_no_series_is_refused() -> None:
    with pytest.raises(SeriesError, match="do not fall, got 1 after 5 at position 1"):
        window([5, 1], [0.0, 0.0], 10)
    with pytest.raises(SeriesError, match=r"shapes \(2,\) and \(1,\)"):
        window([1, 2], [0.0], 10)
    with pytest.raises(SeriesError, match="integer steps, got float64"):
        window([1.0, 2.0], [0.0, 0.0], 10)
    with pytest.raises(SeriesError, match="at least 4 columns, got 3"):
        window([1], [0.0], 3)
    with pytest.raises(SeriesError, match="first 7 and last 6"):
        window([1], [0.0], 10, 7, 6)


@pytest.mark.parametrize("low", [-(2**63), -1, 0, 2**63 - 4])
@pytest.mark.parametrize("bad", [0.0, np.nan])
def test_steps_repeated_more_often_than_there_are_columns_are_shown(low: int, bad: float) -> None:
    steps = np.repeat(np.arange(4) + low, 100)
    values = np.tile(np.arange(100.0), 4) + bad
    found = window(steps, values, 20)
    shown, at = (found.steps, found.values) if bad == 0.0 else (found.nonfinite_steps, found.nonfinite_values)
    assert set(shown.tolist()) == set(steps.tolist())
    assert len(shown) <= 20
    assert bad != 0.0 or {0.0, 99.0} == set(at.tolist())
