"""One outlier and one NaN in ten million points: seen at 1,000 pixels, at every zoom, for 50 runs at once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from nnlab.series.columns import drawn
from nnlab.series.planning import WindowSize
from nnlab.series.pyramid import LAYOUT, Buckets
from nnlab.series.sealing import SeriesTail
from tests.series.reading import fulfil, plan_of
from tests.series.stored import StoredSeries

POINTS = 10_000_000
RUNS = 50
PIXELS = 1000
PART = 1_000_000  # written at once
OUTLIER = 1e6


@dataclass
class Spiked:
    """A stored series of one point a step, with its values as they went in."""

    stored: StoredSeries
    values: NDArray[np.float64]
    outlier: int
    broken: int


def build(points: int, seed: int) -> Spiked:
    """Store noise with one outlier and one NaN, through the codec, as a run writes it."""
    rng = np.random.default_rng(seed)
    values = rng.standard_normal(points, np.float32).astype(np.float64)
    outlier, broken = rng.choice(points, 2, replace=False).tolist()
    values[outlier], values[broken] = OUTLIER, np.nan
    stored, tail = StoredSeries(LAYOUT), SeriesTail()
    for start in range(0, points, PART):
        stop = min(start + PART, points)
        tail.extend(np.arange(start, stop), values[start:stop])
        stored.take(tail.seal(final=stop == points))
    return Spiked(stored, values, outlier, broken)


@pytest.fixture(scope="module")
def long() -> Spiked:
    return build(POINTS, 0)


@pytest.fixture(scope="module")
def overlaid() -> list[Spiked]:
    """Fifty runs that have ten million points together."""
    return [build(POINTS // RUNS, seed) for seed in range(RUNS)]


def look(series: Spiked, first: int, last: int, lines: int) -> None:
    """Compare every column of a window with its points, and find outlier and NaN in what is drawn."""
    size = WindowSize(PIXELS, lines, first, last)
    found = fulfil(plan_of(series.stored, size), series.stored)
    assert len(found) <= PIXELS
    assert_is_brute_force(found, series.values, first, last)
    line = drawn(found)
    pixel = (last - first + 1) / PIXELS
    peaks = line.steps[line.values == OUTLIER]
    if first <= series.outlier <= last:
        assert np.abs(peaks - series.outlier).min() <= 2 * pixel
    else:
        assert not len(peaks)
    if first <= series.broken <= last:
        assert np.abs(line.marked_steps - series.broken).min() <= 2 * pixel
    else:
        assert not len(line.marked_steps)


def assert_is_brute_force(found: Buckets, values: NDArray[np.float64], first: int, last: int) -> None:
    """Take the extremes of every column from the points themselves: there is one a step."""
    assert (found.first_steps[0], found.last_steps[-1]) == (first, last)
    np.testing.assert_array_equal(found.first_steps[1:], found.last_steps[:-1] + 1)
    starts, inside = found.first_steps - first, values[first : last + 1]
    np.testing.assert_array_equal(found.minimum, np.fmin.reduceat(inside, starts))
    np.testing.assert_array_equal(found.maximum, np.fmax.reduceat(inside, starts))
    broken = np.add.reduceat(np.isnan(inside).astype(np.int64), starts)
    np.testing.assert_array_equal(found.nonfinite, broken)
    np.testing.assert_array_equal(found.flags > 0, broken > 0)


def window_around(middle: int, width: int, share: float, points: int) -> tuple[int, int]:
    """Place a window of some width so that a step lies at a share of it, within the series."""
    first = min(max(0, middle - round(width * share)), points - width)
    return first, first + width - 1


ZOOMS = st.floats(0.7, 7).map(lambda exponent: round(10**exponent))


@settings(max_examples=60, deadline=None)
@given(ZOOMS, st.floats(0, 1), st.sampled_from(["outlier", "broken", "anywhere"]), st.sampled_from([1, RUNS]))
@example(POINTS, 0.0, "anywhere", 1)
@example(POINTS, 0.0, "anywhere", RUNS)
def test_an_outlier_and_a_nan_in_ten_million_points_are_seen_at_every_zoom(
    long: Spiked, width: int, share: float, target: str, lines: int
) -> None:
    middle = {"outlier": long.outlier, "broken": long.broken, "anywhere": round(share * POINTS)}[target]
    look(long, *window_around(middle, width, share, POINTS), lines)


@settings(max_examples=12, deadline=None)
@given(ZOOMS, st.floats(0, 1), st.integers(0, RUNS - 1))
@example(POINTS, 0.0, 0)
def test_every_one_of_fifty_overlaid_runs_shows_its_own(
    overlaid: list[Spiked], width: int, share: float, chosen: int
) -> None:
    points = POINTS // RUNS
    window = window_around(overlaid[chosen].outlier, min(width, points), share, points)
    for series in overlaid:
        look(series, *window, RUNS)
