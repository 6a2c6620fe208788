"""Group curves: against loops that do one step of one run at a time."""

from __future__ import annotations

import math
from random import Random
from typing import Any, get_args

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nnlab.stats.errors import StatsError
from nnlab.stats.groups import Band, Middle, RunCurve, group_curves
from nnlab.stats.intervals import mean_interval

CHOICES: tuple[tuple[Middle, Band], ...] = (
    *(("mean", band) for band in get_args(Band)),
    ("median", "quartiles"),
    ("median", "minmax"),
)
Points = dict[int, float]
LoopRun = tuple[str, int, Points]
VALUES = st.floats(-100, 100, width=32) | st.sampled_from([math.nan, math.inf, -math.inf])
POINTS = st.dictionaries(st.integers(0, 12), VALUES, min_size=1)
RUNS = st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 4), POINTS), min_size=1, max_size=10)


def value_at(points: Points, step: int) -> float | None:
    if step in points:
        return points[step] if math.isfinite(points[step]) else None
    before = [known for known in points if known < step]
    after = [known for known in points if known > step]
    if not before or not after:
        return None
    left, right = max(before), min(after)
    value = points[left] + (points[right] - points[left]) * (step - left) / (right - left)
    return value if math.isfinite(value) else None


def values_by_seed(runs: list[LoopRun], group: str, step: int) -> list[float]:
    by_seed: dict[int, list[float]] = {}
    for its_group, seed, points in runs:
        value = value_at(points, step)
        if its_group == group and value is not None:
            by_seed.setdefault(seed, []).append(value)
    return [sum(values) / len(values) for values in by_seed.values()]


def curves_of(runs: list[LoopRun]) -> list[RunCurve]:
    return [
        (group, seed, sorted(points), [points[step] for step in sorted(points)])
        for group, seed, points in runs
    ]


@given(RUNS)
def test_every_step_is_what_a_loop_finds(runs: list[LoopRun]) -> None:
    got = group_curves(curves_of(runs))

    assert [curve.group for curve in got] == list(dict.fromkeys(group for group, _, _ in runs))
    for curve in got:
        mine = [points for group, _, points in runs if group == curve.group]
        assert curve.steps.tolist() == sorted(set().union(*mine))
        assert curve.runs == len(mine)
        assert curve.seeds == len({seed for group, seed, _ in runs if group == curve.group})
        assert curve.diverged == sum(not all(map(math.isfinite, points.values())) for points in mine)
        for at, step in enumerate(curve.steps.tolist()):
            values = values_by_seed(runs, str(curve.group), step)
            assert curve.n[at] == len(values)
            drawn = (curve.middle[at], curve.low[at], curve.high[at])
            if not values:
                assert np.isnan(drawn).all()
                continue
            expected = mean_interval(values)
            ends = [math.nan if end is None else end for end in (expected.low, expected.high)]
            np.testing.assert_allclose(drawn, [expected.mean, *ends], rtol=1e-9, atol=1e-9)


@given(RUNS, st.randoms(use_true_random=False))
def test_the_order_of_the_runs_does_not_matter(runs: list[LoopRun], random: Random) -> None:
    runs = list({(group, seed): (group, seed, points) for group, seed, points in runs}.values())
    for middle, band in CHOICES:
        expected = {curve.group: curve for curve in group_curves(curves_of(runs), middle=middle, band=band)}
        shuffled = random.sample(runs, len(runs))
        for curve in group_curves(curves_of(shuffled), middle=middle, band=band):
            same = expected[curve.group]
            for name in ("steps", "middle", "low", "high", "n"):
                np.testing.assert_array_equal(getattr(curve, name), getattr(same, name))


@given(RUNS)
def test_a_group_is_the_same_whoever_else_is_there(runs: list[LoopRun]) -> None:
    for alone in group_curves(curves_of([run for run in runs if run[0] == "a"])):
        among = next(curve for curve in group_curves(curves_of(runs)) if curve.group == "a")
        np.testing.assert_array_equal(alone.middle, among.middle)
        np.testing.assert_array_equal(alone.high, among.high)


@given(st.lists(st.lists(st.floats(-100, 100, width=32), min_size=4, max_size=4), min_size=2, max_size=8))
def test_every_band_is_what_numpy_finds(values: list[list[float]]) -> None:
    runs: list[RunCurve] = [("g", seed, [1, 2, 3, 4], row) for seed, row in enumerate(values)]
    table = np.array(values)
    mean, sd, root = table.mean(0), table.std(0, ddof=1), math.sqrt(len(values))
    low, median, high = np.quantile(table, [0.25, 0.5, 0.75], axis=0)
    expected: dict[tuple[Middle, Band], Any] = {
        ("mean", "sd"): (mean - sd, mean, mean + sd),
        ("mean", "se"): (mean - sd / root, mean, mean + sd / root),
        ("mean", "minmax"): (table.min(0), mean, table.max(0)),
        ("median", "quartiles"): (low, median, high),
        ("median", "minmax"): (table.min(0), median, table.max(0)),
    }
    for (middle, band), wanted in expected.items():
        (curve,) = group_curves(runs, middle=middle, band=band)
        np.testing.assert_allclose((curve.low, curve.middle, curve.high), wanted, rtol=1e-9, atol=1e-6)


def test_a_diverged_run_counts_as_the_worst_in_a_median() -> None:
    nan = math.nan
    runs: list[RunCurve] = [
        ("g", 0, [1, 2, 3], [1.0, 1.0, 1.0]),
        ("g", 1, [1, 2, 3], [2.0, 2.0, 2.0]),
        ("g", 2, [1, 2], [0.5, nan]),
    ]
    (lower,) = group_curves(runs, middle="median", band="quartiles")
    assert lower.middle.tolist() == [1.0, 2.0, 2.0]
    assert lower.high[0] == 1.5
    assert np.isnan(lower.high[1:]).all()  # between 2 and the one that diverged
    (higher,) = group_curves(runs, middle="median", band="quartiles", worst=-math.inf)
    assert higher.middle.tolist() == [1.0, 1.0, 1.0]
    (mean,) = group_curves(runs)
    assert mean.middle.tolist() == [pytest.approx(3.5 / 3), 1.5, 1.5]


def test_a_median_that_diverged_is_a_gap() -> None:
    (curve,) = group_curves(
        [("g", 0, [1, 2], [1.0, 1.0]), ("g", 1, [1, 2], [1.0, math.inf])], middle="median"
    )
    assert curve.middle[0] == 1.0
    assert np.isnan(curve.middle[1])


def test_a_run_that_ends_early_is_not_drawn_on() -> None:
    (curve,) = group_curves([("g", 0, [1, 2, 3], [1.0, 1.0, 1.0]), ("g", 1, [1, 2], [3.0, 3.0])])
    assert curve.n.tolist() == [2, 2, 1]
    assert curve.middle.tolist() == [2.0, 2.0, 1.0]
    assert np.isnan(curve.low[2])


def test_a_diverged_run_stops_counting_and_is_counted() -> None:
    nan = math.nan
    (curve,) = group_curves([("g", 0, [1, 2, 3], [1.0, 1.0, 1.0]), ("g", 1, [1, 2, 3], [3.0, nan, nan])])
    assert curve.n.tolist() == [2, 1, 1]
    assert (curve.diverged, curve.runs) == (1, 2)


def test_runs_read_at_different_steps_meet_on_straight_lines() -> None:
    (curve,) = group_curves([("g", 0, [0, 10], [0.0, 10.0]), ("g", 1, [0, 4, 10], [0.0, 4.0, 10.0])])
    assert curve.steps.tolist() == [0, 4, 10]
    assert curve.n.tolist() == [2, 2, 2]
    assert curve.middle.tolist() == [0.0, 4.0, 10.0]


def test_a_seed_that_ran_twice_counts_once() -> None:
    runs: list[RunCurve] = [("g", 0, [1], [1.0]), ("g", 0, [1], [3.0]), ("g", 1, [1], [6.0])]
    (curve,) = group_curves(runs)
    assert (curve.middle.tolist(), curve.n.tolist(), curve.seeds, curve.runs) == ([4.0], [2], 2, 3)


def test_equal_runs_have_a_band_without_width() -> None:
    (curve,) = group_curves([("g", seed, [1, 2], [0.1, 0.7]) for seed in range(3)])
    np.testing.assert_array_equal(curve.low, curve.high)


def test_no_runs_are_no_groups() -> None:
    assert group_curves([]) == []


def test_what_is_no_curve_is_refused_by_name() -> None:
    with pytest.raises(StatsError, match="group 'g', seed 7: expected steps that increase, got 1 after 2"):
        group_curves([("g", 7, [2, 1], [0.0, 0.0])])
    with pytest.raises(StatsError, match=r"got shapes \(0,\) and \(0,\)"):
        group_curves([("g", 7, [], [])])
    with pytest.raises(StatsError, match=r"got shapes \(2,\) and \(1,\)"):
        group_curves([("g", 7, [1, 2], [0.0])])
    with pytest.raises(StatsError, match="got nan after 1"):
        group_curves([("g", 7, [1, math.nan], [0.0, 0.0])])
