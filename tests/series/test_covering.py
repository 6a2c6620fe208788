"""Covering: where steps are sparse, finer buckets are read, and no more of them than allowed."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nnlab.series import planning, sealing
from nnlab.series.batch import Points
from nnlab.series.planning import WindowPlan, WindowSize
from nnlab.series.sealing import SeriesTail
from tests.series.reading import assert_matches, fulfil, plan_of, window_of
from tests.series.stored import TINY, StoredSeries


@pytest.fixture(autouse=True)
def _tiny_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sealing, "LEAST_BUCKETS", 4)
    monkeypatch.setattr(planning, "RAW_POINTS", 2)


def sealed(points: Points) -> StoredSeries:
    stored, tail = StoredSeries(), SeriesTail(TINY)
    tail.extend(*points)
    stored.take(tail.seal(final=True))
    return stored


def thinning(dense: int, sparse: int, stride: int) -> Points:
    """Log each step at first, and then one in ``stride``."""
    steps = np.concatenate([np.arange(dense), dense + stride * np.arange(sparse)])
    return steps, np.sin(steps / 50)


@pytest.mark.parametrize("columns", [40, 60])
def test_sparse_steps_get_a_column_each_where_they_can(columns: int) -> None:
    steps, values = thinning(2000, 30, 300)
    found = fulfil(plan_of(sealed((steps, values)), WindowSize(columns)), sealed((steps, values)))
    width = -(-(int(steps[-1]) + 1) // columns)
    expected = len(np.unique(steps[2000:] // width))
    assert (found.first_steps >= 2000).sum() >= min(expected, 30) - 1
    assert (found.last_steps - found.first_steps < 2 * width).all()


def test_a_window_of_even_steps_is_read_from_one_level() -> None:
    points = thinning(2048, 0, 1)
    stored = sealed(points)
    plan = plan_of(stored, WindowSize(64, lines=50))
    rounds = 0
    while wanted := plan.rows_wanted():
        rounds += 1
        plan.take_rows(stored.rows[one.level, start] for one in wanted for start in range(0, 2048, 128))
        assert {one.level for one in wanted} == {4}
    assert (rounds, plan.chunks_wanted()) == (1, [])


def read_points(plan: WindowPlan, stored: StoredSeries) -> int:
    """Count the points of the chunks that a plan asks for behind its rows."""
    while plan.rows_wanted():
        plan.take_rows(stored.rows.values())
    return sum(stop - start for start, stop in plan.chunks_wanted())


def test_gaps_all_over_a_series_do_not_make_it_read_all_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    steps = np.arange(4096) + 10_000 * (np.arange(4096) // 17)
    stored = sealed((steps, np.zeros(4096)))
    monkeypatch.setattr(planning, "FINER_PARTS", 20)
    part = TINY.row // TINY.fanout * TINY.bucket
    assert read_points(plan_of(stored, WindowSize(400)), stored) <= 20 * part
    monkeypatch.setattr(planning, "FINER_PARTS", 10_000)
    assert read_points(plan_of(stored, WindowSize(400)), stored) > 20 * part


@given(st.integers(0, 2**32), st.integers(1, 600), st.sampled_from([0, 3, 10_000]))
def test_every_column_over_uneven_steps_tells_the_truth(seed: int, count: int, parts: int) -> None:
    rng = np.random.default_rng(seed)
    jumps = (
        rng.choice([0, 1, 1, 1, 1, 300], count) * rng.choice([1, 1, 40], count // 50 + 1).repeat(50)[:count]
    )
    values = rng.standard_normal(count)
    values[rng.random(count) < 0.05] = np.nan
    points = np.cumsum(jumps) - 500, values
    stored = sealed(points)
    stored.drop_rows(lambda: rng.random() < 0.1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(planning, "FINER_PARTS", parts)
        for columns in (5, 30, 100):
            first, last = sorted(int(step) for step in rng.choice(points[0], 2))
            for size in (WindowSize(columns), WindowSize(columns, 20, first, last)):
                found = fulfil(plan_of(stored, size), stored)
                assert len(found) <= columns
                assert_matches(found, window_of(points, size))
