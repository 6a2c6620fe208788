"""Sealing: whatever the cuts, the chunks hold every point and the pyramid every extreme."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nnlab.series import sealing
from nnlab.series.batch import Points
from nnlab.series.errors import SeriesError
from nnlab.series.pyramid import LAYOUT, Buckets, PyramidRow
from nnlab.series.sealing import SeriesTail
from nnlab.series.summaries import Summary
from tests.series.stored import TINY, StoredSeries, random_points


@pytest.fixture(autouse=True)
def _tiny_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sealing, "LEAST_BUCKETS", 4)


def by_brute_force(steps: np.ndarray, values: np.ndarray, size: int) -> list[tuple[object, ...]]:
    found: list[tuple[object, ...]] = []
    for start in range(0, len(steps), size):
        part = values[start : start + size]
        good = part[np.isfinite(part)]
        flags = np.isnan(part).any() + 2 * (part == np.inf).any() + 4 * (part == -np.inf).any()
        low, high = (good.min(), good.max()) if len(good) else (None, None)
        steps_of = steps[start : start + size]
        found.append((steps_of[0], steps_of[-1], len(part), low, high, len(part) - len(good), flags))
    return found


def as_rows(buckets: Buckets) -> list[tuple[object, ...]]:
    return [
        (*edge, count, None if np.isnan(low) else low, None if np.isnan(high) else high, nonfinite, flags)
        for *edge, count, low, high, _, nonfinite, flags in zip(*buckets.columns(), strict=True)
    ]


def grown(points: Points, rng: np.random.Generator, stored: StoredSeries) -> SeriesTail:
    """Let a series grow by random pieces, sealed, closed, reopened and robbed of rows at random."""
    steps, values = points
    tail, at = SeriesTail(stored.layout), 0
    while at < len(steps):
        stop = at + int(rng.integers(1, 60))
        tail.extend(steps[at:stop], values[at:stop])
        at = stop
        stored.take(tail.seal(final=at >= len(steps) or rng.random() < 0.3))
        if rng.random() < 0.5:
            waiting = tail.take_open()
            if rng.random() < 0.3:
                stored.drop_rows(lambda: rng.random() < 0.3)
            tail = stored.reopened()
            tail.extend(*waiting)
    return tail


@given(st.integers(0, 2**32), st.integers(1, 500))
def test_chunks_hold_every_bit_and_rows_every_extreme(seed: int, count: int) -> None:
    rng = np.random.default_rng(seed)
    steps, values = random_points(rng, count)
    stored = StoredSeries()
    grown((steps, values), rng, stored)
    assert stored.points()[0].tolist() == steps.tolist()
    assert stored.points()[1].tobytes() == values.tobytes()
    for (level, start), row in stored.rows.items():
        size = TINY.bucket_points(level)
        part = slice(start, start + row.points)
        assert as_rows(row.unpacked(size)) == by_brute_force(steps[part], values[part], size)


def test_finished_rows_cover_all_full_rows_of_each_level() -> None:
    rng = np.random.default_rng(4)
    stored, tail = StoredSeries(), SeriesTail(TINY)
    tail.extend(*random_points(rng, 333))
    stored.take(tail.seal(final=True))
    for level in range(4):
        full = [
            start
            for (at, start), row in stored.rows.items()
            if at == level and row.points == TINY.row_points(level)
        ]
        assert sorted(full) == list(
            range(0, 333 // TINY.row_points(level) * TINY.row_points(level), TINY.row_points(level))
        )


def test_the_product_writes_no_pyramid_for_a_series_of_one_chunk() -> None:
    tail = SeriesTail()
    tail.extend(np.arange(LAYOUT.chunk), np.ones(LAYOUT.chunk))
    sealed = tail.seal(final=True)
    assert len(sealed.chunks) == 1
    assert sealed.rows == []


def test_means_of_huge_values_do_not_overflow() -> None:
    values = np.full(64, 1.7e308)
    [mean] = Buckets.of_points(np.arange(64), values, 64).mean
    assert mean == pytest.approx(1.7e308)
    [merged] = Buckets.of_points(np.arange(64), values, 8).merged(np.zeros(1, np.int64)).mean
    assert merged == pytest.approx(1.7e308)


def test_means_weigh_buckets_by_their_finite_values() -> None:
    values = np.array([1.0, 2.0, np.nan, 9.0])
    [mean] = Buckets.of_points(np.arange(4), values, 2).merged(np.zeros(1, np.int64)).mean
    assert mean == pytest.approx(4.0)


def test_steps_that_go_back_are_refused() -> None:
    tail = SeriesTail()
    tail.extend(np.array([1, 2]), np.zeros(2))
    for steps in ([1], [3, 2]):
        with pytest.raises(SeriesError, match="do not go back"):
            tail.extend(np.array(steps), np.zeros(len(steps)))


@given(st.data())
def test_a_row_that_was_cut_or_changed_is_refused(data: st.DataObject) -> None:
    steps, values = random_points(np.random.default_rng(7), 64)
    row = PyramidRow.packed(0, 0, Buckets.of_points(steps, values, 2), 2)
    place = data.draw(st.integers(0, len(row.data) - 1))
    changed = bytearray(row.data)
    changed[place] ^= data.draw(st.integers(1, 255))
    for bad in (row.data[:place], bytes(changed)):
        with pytest.raises(SeriesError):
            PyramidRow(0, 0, 64, row.first_step, row.last_step, row.steps, bad).unpacked(2)


def test_steps_at_the_edges_of_64_bits_are_kept() -> None:
    steps = np.array([-(2**63), -(2**63), 0, 2**63 - 1, 2**63 - 1])
    tail, stored = SeriesTail(TINY), StoredSeries()
    tail.extend(steps, np.arange(5.0))
    stored.take(tail.seal(final=True))
    assert stored.points()[0].tolist() == steps.tolist()
    assert [row.unpacked(2).first_steps.tolist() for row in stored.rows.values()] in (
        [],
        [[-(2**63), 0, 2**63 - 1]],
    )


@given(st.integers(0, 2**32), st.integers(1, 60), st.integers(0, 60))
def test_a_summary_of_parts_is_that_of_the_whole(seed: int, count: int, cut: int) -> None:
    steps, values = random_points(np.random.default_rng(seed), count)
    parts = Summary().extended(steps[:cut], values[:cut]).extended(steps[cut:], values[cut:])
    assert parts == Summary().extended(steps, values)
    good = values[np.isfinite(values)]
    if len(good):
        assert (parts.minimum, parts.maximum) == (good.min(), good.max())
        assert parts.minimum_step == steps[values == good.min()][0]
        assert parts.maximum_step == steps[values == good.max()][0]
    assert (parts.points, parts.nonfinite) == (count, count - len(good))
    assert (parts.first_step, parts.last_step) == (steps[0], steps[-1])


def test_late_points_change_extremes_but_not_the_end() -> None:
    late = Summary().extended(np.array([5]), np.array([1.0])).extended(np.array([2]), np.array([7.0]))
    assert (late.first_step, late.last_step, late.last, late.maximum, late.maximum_step) == (
        2,
        5,
        1.0,
        7.0,
        2,
    )
