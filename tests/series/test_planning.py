"""Windows: whatever is stored, missing or still open, each column tells the truth about its points."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nnlab.series import planning, sealing
from nnlab.series.batch import Points
from nnlab.series.errors import SeriesError
from nnlab.series.planning import WindowPlan, WindowSize
from nnlab.series.pyramid import Buckets
from nnlab.series.sealing import SeriesTail
from tests.series.reading import assert_matches, fulfil, plan_of, window_of
from tests.series.stored import StoredSeries, random_points


@pytest.fixture(autouse=True)
def _tiny_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sealing, "LEAST_BUCKETS", 4)
    monkeypatch.setattr(planning, "RAW_POINTS", 2)


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(11)


def grown(points: Points, rng: np.random.Generator, stored: StoredSeries) -> Points:
    """Seal a series piece by piece, sometimes with short chunks in the middle. Returns what stays open."""
    steps, values = points
    tail, at = SeriesTail(stored.layout), 0
    while at < len(steps):
        stop = at + int(rng.integers(1, 120))
        tail.extend(steps[at:stop], values[at:stop])
        at = stop
        stored.take(tail.seal(final=rng.random() < 0.2))
    return tail.take_open()


def in_order(*parts: Points) -> Points:
    steps = np.concatenate([steps for steps, _ in parts])
    order = np.argsort(steps, kind="stable")
    return steps[order], np.concatenate([values for _, values in parts])[order]


def random_size(rng: np.random.Generator, steps: np.ndarray) -> WindowSize:
    columns, lines = int(rng.integers(2, 40)), int(rng.choice([1, 50]))
    edges = sorted(int(rng.choice(steps)) + int(rng.integers(-2, 3)) for _ in range(2))
    first, last = (edge if rng.random() < 0.8 else None for edge in edges)
    return WindowSize(columns, lines, first, last)


def assert_true(found: Buckets, points: Points, size: WindowSize) -> None:
    """Compare each column with its points, found by counting: columns share the window in its order."""
    steps, values = window_of(points, size)
    assert len(found) <= size.columns
    assert found.points == len(steps)
    assert (found.first_steps[1:] >= found.first_steps[:-1]).all()
    for at, start in enumerate(np.cumsum(found.counts) - found.counts):
        of_column = slice(start, start + found.counts[at])
        part = values[of_column]
        good = part[np.isfinite(part)]
        low, high = (good.min(), good.max()) if len(good) else (np.nan, np.nan)
        np.testing.assert_array_equal([found.minimum[at], found.maximum[at]], [low, high])
        flags = np.isnan(part).any() + 2 * (part == np.inf).any() + 4 * (part == -np.inf).any()
        assert (found.nonfinite[at], found.flags[at]) == (len(part) - len(good), flags)
        assert found.first_steps[at] == steps[start]
        assert found.last_steps[at] == steps[of_column][-1]
        if len(good) and np.ptp(good / 4) < 1e6:  # the mean is rounded
            assert found.mean[at] == pytest.approx(good.mean(), rel=1e-5, abs=1e-5)


@given(st.integers(0, 2**32), st.integers(1, 400))
def test_every_column_of_any_window_tells_the_truth_about_its_points(seed: int, count: int) -> None:
    rng = np.random.default_rng(seed)
    points = random_points(rng, count)
    stored = StoredSeries()
    more = grown(points, rng, stored)
    if rng.random() < 0.3:
        lost = rng.choice([0.1, 0.5, 1.0])
        stored.drop_rows(lambda: rng.random() < lost)
    for size in (WindowSize(25), *(random_size(rng, points[0]) for _ in range(2))):
        assert_true(fulfil(plan_of(stored, size), stored, more), points, size)


@given(st.integers(0, 2**32), st.integers(1, 400), st.integers(1, 30))
def test_points_that_came_late_are_in_their_columns(seed: int, count: int, late_count: int) -> None:
    rng = np.random.default_rng(seed)
    points, stored = random_points(rng, count), StoredSeries()
    more = grown(points, rng, stored)
    sealed = stored.points()
    low, high = int(points[0][0]) - 5, int(points[0][-1]) + 5
    late = np.sort(rng.integers(low, high, late_count)), rng.standard_normal(late_count)
    waiting = in_order(more, late)
    for size in (WindowSize(15), random_size(rng, points[0])):
        found = fulfil(plan_of(stored, size), stored, waiting)
        expected = window_of(in_order(sealed, waiting), size)
        assert_matches(found, expected)


@given(st.integers(0, 2**32), st.integers(2, 500))
def test_columns_are_equally_wide_in_steps(seed: int, columns: int) -> None:
    rng = np.random.default_rng(seed)
    points, stored = random_points(rng, 300), StoredSeries()
    more = grown(points, rng, stored)
    found = fulfil(plan_of(stored, WindowSize(columns)), stored, more)
    span = int(points[0][-1]) - int(points[0][0]) + 1
    places = (found.first_steps - points[0][0]) // -(-span // columns)
    if len(found) < columns and len(found) < 300:
        assert (np.diff(places) > 0).all()


def test_one_spike_and_one_nan_are_seen_at_any_zoom(rng: np.random.Generator) -> None:
    steps, values = np.arange(3000), rng.standard_normal(3000)
    values[1234], values[2345] = 1e4, np.nan
    stored = StoredSeries()
    more = grown((steps, values), rng, stored)
    for columns in (2, 7, 40, 333):
        for _ in range(30):
            size = WindowSize(columns, 1, int(rng.integers(0, 1235)), int(rng.integers(2345, 3000)))
            found = fulfil(plan_of(stored, size), stored, more)
            assert found.maximum.max() == 1e4
            assert found.flags.max() == 1


def test_steps_at_the_edges_of_64_bits_do_not_overflow() -> None:
    low, high = -(2**63), 2**63 - 1
    steps = np.array([low, low, *range(-20, 20), *range(high - 20, high), high, high])
    points, stored = (steps, np.arange(len(steps), dtype=np.float64)), StoredSeries()
    more = grown(points, np.random.default_rng(1), stored)
    for first in (None, low, low + 1, -3, high - 7, high):
        for last in (None, high, high - 1, 5, low):
            for columns in (2, 5, 30):
                if first is None or last is None or first <= last:
                    size = WindowSize(columns, 1, first, last)
                    assert_true(fulfil(plan_of(stored, size), stored, more), points, size)


def test_a_series_without_points_has_no_columns() -> None:
    assert len(WindowPlan(0, None, None, WindowSize(10, 1, 3, 4)).buckets()) == 0


def test_a_window_beside_the_series_asks_for_nothing() -> None:
    for size in (WindowSize(10, first=101), WindowSize(10, last=-1)):
        plan = WindowPlan(1000, 0, 100, size)
        assert (plan.edges, plan.rows_wanted(), plan.chunks_wanted()) == ([], [], [])
        assert len(plan.buckets()) == 0


def test_a_chunk_that_is_missing_is_no_hole_in_the_picture(rng: np.random.Generator) -> None:
    stored = StoredSeries()
    grown(random_points(rng, 40), rng, stored)
    stored.rows.clear()
    plan = plan_of(stored, WindowSize(5))
    del stored.chunks[8]
    with pytest.raises(SeriesError, match="expected a chunk with the points 8 to"):
        fulfil(plan, stored)


@pytest.mark.parametrize(
    ("columns", "first", "last", "message"),
    [(1, None, None, "at least 2 columns"), (9, 5, 4, "after step 5")],
)
def test_windows_that_cannot_be_are_refused(
    columns: int, first: int | None, last: int | None, message: str
) -> None:
    with pytest.raises(SeriesError, match=message):
        WindowSize(columns, 1, first, last)
