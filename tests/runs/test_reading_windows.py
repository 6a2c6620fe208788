"""Windows as the pages read them: exact at any zoom, in a bounded number of queries, within bounds."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from django.db import connection, transaction
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from nnlab.series import planning, sealing
from nnlab.series.batch import Key, Points
from nnlab.series.errors import SeriesError
from nnlab.series.planning import WindowSize
from nnlab.series.pyramid import Layout
from runs.models import Pyramid
from runs.reading import windows
from runs.reading.series import read_series
from runs.reading.windows import WindowTooLargeError, block_means, read_windows
from runs.store import tails, writing
from runs.store.writing import write
from tests.runs.builders import build_run, build_series
from tests.series.reading import assert_matches, window_of
from tests.series.stored import TINY, random_points

if TYPE_CHECKING:
    from pytest_django import DjangoAssertNumQueries

pytestmark = pytest.mark.django_db


def written(run_id: int, points: dict[Key, Points], *, final: bool = False) -> None:
    with transaction.atomic():
        write(run_id, points, final=final)


def regular(count: int, *, start: int = 0) -> Points:
    return np.arange(start, start + count), np.random.default_rng(count).standard_normal(count)


@pytest.fixture
def _tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    use_layout(monkeypatch, TINY)


def use_layout(monkeypatch: pytest.MonkeyPatch, layout: Layout) -> None:
    monkeypatch.setattr(windows, "LAYOUT", layout)
    monkeypatch.setattr(tails, "LAYOUT", layout)
    monkeypatch.setattr(writing, "FOLD_POINTS", 30)
    monkeypatch.setattr(writing, "CHUNK_POINTS", 8)
    monkeypatch.setattr(sealing, "LEAST_BUCKETS", 4)
    monkeypatch.setattr(planning, "RAW_POINTS", 2)


@pytest.mark.usefixtures("_tiny")
class TestWindowsAgainstBruteForce(TestCase):
    @settings(max_examples=40, deadline=None)
    @given(st.integers(0, 2**32), st.integers(1, 8))
    def test_any_writes_late_ones_too_give_windows_of_exactly_their_points(
        self, seed: int, writes: int
    ) -> None:
        rng = np.random.default_rng(seed)
        first, second = build_run(), build_run()
        for at in range(writes):
            for run in (first, second):
                pieces: dict[Key, Points] = {
                    key: random_points(rng, int(rng.integers(1, 90)))
                    for key in (("loss", None), ("norm", 0), ("norm", 1))
                    if rng.random() < 0.7
                }
                written(run.pk, pieces, final=at == writes - 1 and rng.random() < 0.5)
        if rng.random() < 0.3:
            Pyramid.objects.filter(level=int(rng.integers(0, 3))).delete()
        runs = [first.pk, second.pk]
        every = {(one.run_id, one.number): one for one in read_series(runs, ["loss", "norm"])}
        for columns in (10, int(rng.integers(2, 60))):
            low, high = np.sort(rng.integers(-60, 600, 2)).tolist()
            size = WindowSize(columns, 1, *((low, high) if rng.random() < 0.8 else (None, None)))
            found = read_windows(runs, ["loss", "norm"], columns=columns, first=size.first, last=size.last)
            assert [(one.run_id, one.number, one.metric, one.layer) for one in found] == [
                (one.run_id, one.number, one.metric, one.layer) for one in every.values()
            ]
            for one in found:
                whole = every[one.run_id, one.number]
                assert_matches(one.buckets, window_of((whole.steps, whole.values), size))
                assert len(one.buckets) <= columns


def test_a_window_of_many_series_takes_as_many_queries_as_one_of_one(
    django_assert_max_num_queries: DjangoAssertNumQueries, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_layout(monkeypatch, TINY)
    runs = [build_run() for _ in range(9)]
    for run in runs:
        written(run.pk, {("loss", None): regular(500), ("norm", 3): regular(400)})
    for asked in (runs[:1], runs):
        with django_assert_max_num_queries(9):  # of them two for the snapshot
            found = read_windows([run.pk for run in asked], ["loss", "norm"], columns=20, first=33, last=377)
        assert {one.buckets.points for one in found} == {345}
        assert len(found) == 2 * len(asked)


def test_a_run_or_a_metric_that_does_not_exist_has_no_series() -> None:
    run = build_run()
    written(run.pk, {("loss", None): regular(10)})
    assert read_windows([run.pk + 1], ["loss"], columns=10) == []
    assert read_windows([run.pk], ["nothing"], columns=10) == []
    assert read_windows([], [], columns=10) == []


def test_more_than_a_request_may_read_is_refused_with_a_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    run = build_run()
    written(run.pk, {("norm", layer): regular(300) for layer in range(101)}, final=True)
    with pytest.raises(WindowTooLargeError, match=r"at most 4,000 columns .* got 4,001; ask for a picture"):
        read_windows([run.pk], ["norm"], columns=4001)
    with pytest.raises(WindowTooLargeError, match=r"at most 100 series .* ask for fewer runs"):
        read_windows([run.pk], ["norm"], columns=10)
    written(run.pk, {("loss", None): regular(300)}, final=True)
    monkeypatch.setattr(windows, "MAX_POINTS", 299)
    with pytest.raises(WindowTooLargeError, match=r"at most 299 points .* got 300; zoom in"):
        read_windows([run.pk], ["loss"], columns=400)
    assert len(read_windows([run.pk], ["loss"], columns=400, last=298)[0].buckets) == 299


def test_a_window_that_ends_before_it_begins_is_refused() -> None:
    with pytest.raises(SeriesError, match="ends after step 5"):
        read_windows([1], ["loss"], columns=10, first=5, last=4)


def test_a_spike_and_a_nan_among_a_hundred_thousand_points_are_seen_at_any_zoom() -> None:
    run = build_run()
    steps, values = regular(100_000)
    values[12_345], values[65_432] = 1e4, np.nan
    written(run.pk, {("loss", None): (steps, values)}, final=True)
    for columns in (100, 777, 4000):
        for first, last in ((None, None), (12_345, 65_432), (12_000, 65_500), (1, 99_000)):
            [found] = read_windows([run.pk], ["loss"], columns=columns, first=first, last=last)
            assert found.buckets.maximum.max() == 1e4
            assert found.buckets.flags.max() == 1
            assert found.buckets.points == (100_000 if first is None or last is None else last - first + 1)


@pytest.mark.usefixtures("_tiny")
def test_a_step_that_fills_several_chunks_is_in_the_window_or_not() -> None:
    run = build_run()
    written(run.pk, {("loss", None): (np.repeat([5, 6], 40), np.arange(80.0))}, final=True)
    for first, last, count in ((6, None, 40), (None, 5, 40), (5, 6, 80), (6, 6, 40), (7, 9, 0)):
        [found] = read_windows([run.pk], ["loss"], columns=10, first=first, last=last)
        assert found.buckets.points == count


def test_the_chunk_of_an_edge_is_found_through_its_index() -> None:
    """The index leaves out first chunks, so that short series have no part in it."""
    statement = windows._EDGES.format("(0, 1, 0, 5)")
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN QUERY PLAN {statement}")
        plan = " ".join(str(row) for row in cursor.fetchall())
    assert "SEARCH earlier USING INDEX chunk_by_step (run_id=? AND series_number=? AND first_step<?)" in plan
    assert "SCAN chunk" not in plan


def test_a_line_keeps_extremes_at_their_steps_and_marks_what_is_not_finite() -> None:
    run, values = build_run(), np.sin(np.arange(5000.0))
    values[1234], values[4000] = 50.0, np.inf
    build_series(run, "train_loss", values)
    [found] = read_windows([run.pk], ["train_loss"], columns=100)
    steps, drawn = found.drawn()
    assert len(steps) <= 201
    assert (np.diff(steps) > 0).all()
    assert drawn[steps == 1235] == 50.0
    assert np.isnan(drawn[steps == 4001]).all()


def test_a_line_of_buckets_keeps_extremes_in_their_columns_and_ends_at_the_last_step() -> None:
    run, values = build_run(), np.sin(np.arange(5000.0))
    values[1234], values[4000] = 50.0, np.inf
    written(run.pk, {("train_loss", None): (np.arange(1, 5001), values)}, final=True)
    [found] = read_windows([run.pk], ["train_loss"], columns=20)
    steps, drawn = found.drawn()
    assert not found.is_whole
    assert len(steps) <= 41
    [spike] = steps[drawn == 50.0]
    assert 1235 - 250 <= spike <= 1235
    [broken] = steps[np.isnan(drawn)]
    assert 4001 - 250 <= broken <= 4001
    assert (steps[0], steps[-1]) == (1, 5000)


def test_block_means_match_brute_force() -> None:
    rng = np.random.default_rng(5)
    run = build_run()
    values = rng.standard_normal(97)
    values[70] = np.nan
    build_series(run, "train_loss", values, steps=range(1, 98))
    [found] = read_windows([run.pk], ["train_loss"], columns=150)
    edges = np.array([0, 10, 20, 60, 75, 97, 200])
    steps, means = block_means(found.read, edges)
    assert steps.tolist() == [10, 20, 60, 75, 97]
    expected = [
        values[start:stop].mean() for start, stop in [(0, 10), (10, 20), (20, 60), (60, 75), (75, 97)]
    ]
    np.testing.assert_allclose(means, expected)


def test_block_means_of_buckets_are_close_to_those_of_the_points() -> None:
    run, values = build_run(), np.linspace(0, 1, 60_000) + np.random.default_rng(2).standard_normal(60_000)
    written(run.pk, {("loss", None): (np.arange(1, 60_001), values)}, final=True)
    [found] = read_windows([run.pk], ["loss"], columns=300)
    assert not found.is_whole
    steps, means = block_means(found.read, np.arange(0, 60_001, 400))
    assert steps.tolist() == list(range(400, 60_001, 400))
    np.testing.assert_allclose(means, values.reshape(-1, 400).mean(axis=1), atol=0.06)
