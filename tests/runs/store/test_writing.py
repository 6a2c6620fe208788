"""The store: whatever is written in whatever pieces, every point is there once, and every figure is right."""

from __future__ import annotations

import numpy as np
import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from nnlab.series.batch import Key, Points
from nnlab.series.chunks import points_from
from nnlab.series.errors import SeriesError
from nnlab.series.pyramid import Buckets, Layout, PyramidRow
from nnlab.series.summaries import Summary
from runs.models import Chunk, Journal, Ledger, Pyramid, Run, RunMetric, Series
from runs.reading.series import read_series
from runs.store import folding, numbers, summaries, tails, writing
from runs.store.journal import in_order
from runs.store.memory import Memory
from runs.store.rewinding import rewind
from runs.store.tails import Tail
from runs.store.writing import write
from tests.runs.builders import build_run
from tests.series.stored import random_points

TINY = Layout(chunk=8, bucket=2, fanout=2, row=4)
KEYS: tuple[Key, ...] = (("loss", None), ("norm", 0), ("norm", 1))


@pytest.fixture(autouse=True)
def _tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tails, "LAYOUT", TINY)
    monkeypatch.setattr(writing, "FOLD_POINTS", 30)
    monkeypatch.setattr(writing, "CHUNK_POINTS", 8)
    monkeypatch.setattr(summaries, "REFRESH_SECONDS", 0.0)


def assert_holds(run: Run, expected: dict[Key, Points]) -> None:
    """Compare all that is stored of a run with the points by themselves."""
    wanted = {key: points for key, points in expected.items() if len(points[0])}
    found = {
        (series.metric, series.layer): series
        for series in read_series([run.pk], ["loss", "norm"])
        if len(series.steps)
    }
    assert found.keys() == wanted.keys()
    for key, (steps, values) in wanted.items():
        assert found[key].steps.tolist() == steps.tolist(), key
        assert found[key].values.tobytes() == values.tobytes(), key
    for series in Series.objects.filter(run=run, points__gt=0):
        assert_sealed(series)
    ledger = Ledger.objects.get(run=run)
    rows = Journal.objects.filter(run=run)
    assert (ledger.pending_batches, ledger.pending_points) == (rows.count(), sum(row.points for row in rows))
    if "loss" in {metric for metric, _ in wanted}:
        metric = RunMetric.objects.get(run=run, name__text="loss")
        whole = Summary().extended(*wanted["loss", None])
        assert (metric.last, metric.minimum, metric.maximum) == (whole.last, whole.minimum, whole.maximum)


def assert_sealed(series: Series) -> None:
    """Compare the pyramid of a series with its chunks, and see that those have no gap."""
    mine = {"run_id": series.run_id, "series_number": series.number}
    steps, values = points_from(tails.stored_chunks(series.run_id, series.number, 0), 0)
    at = 0
    for chunk in Chunk.objects.filter(**mine).order_by("start"):
        assert chunk.start == at
        at += chunk.points
    assert at == series.points
    for row in Pyramid.objects.filter(**mine):
        size = TINY.bucket_points(row.level)
        part = slice(row.start, row.start + row.points)
        names = ("level", "start", "points", "first_step", "last_step", "steps", "data")
        found = PyramidRow(*(getattr(row, name) for name in names)).unpacked(size)
        expected = Buckets.of_points(steps[part], values[part], 1).merged(np.arange(0, row.points, size))
        for one, other in zip(found.columns()[:5], expected.columns()[:5], strict=True):
            np.testing.assert_array_equal(one, other)
        assert found.nonfinite.tolist() == expected.nonfinite.tolist()
        assert found.flags.tolist() == expected.flags.tolist()


class TestWritingAgainstBruteForce(TestCase):
    @settings(max_examples=40)
    @given(st.integers(0, 2**32), st.integers(1, 10))
    def test_any_pieces_in_any_order_with_rewinds_give_every_point_once(self, seed: int, writes: int) -> None:
        rng = np.random.default_rng(seed)
        run = build_run()
        expected: dict[Key, Points] = {}
        for _ in range(writes):
            chosen = [key for key in KEYS if rng.random() < 0.7] or [KEYS[0]]
            fresh = {key: random_points(rng, int(rng.integers(1, 40))) for key in chosen}
            for key, points in fresh.items():
                expected[key] = in_order([expected[key], points] if key in expected else [points])
            with transaction.atomic():
                write(run.pk, fresh, final=bool(rng.random() < 0.3))
            if rng.random() < 0.2:
                step = int(rng.integers(-60, 240))
                with transaction.atomic():
                    rewind(run.pk, step)
                expected = {
                    key: (steps[steps <= step], values[steps <= step])
                    for key, (steps, values) in expected.items()
                }
            assert_holds(run, expected)


@pytest.mark.django_db
def test_a_rewound_series_stands_as_if_the_later_points_had_never_been() -> None:
    run = build_run()
    write(run.pk, {("loss", None): (np.arange(100), np.sin(np.arange(100.0)))}, final=True)
    write(
        run.pk,
        {("loss", None): (np.array([100]), np.array([9.0])), ("late", None): (np.array([99]), np.ones(1))},
    )
    rewind(run.pk, 49)
    write(run.pk, {}, final=True)
    [series] = Series.objects.filter(run=run)
    expected = Summary().extended(np.arange(50), np.sin(np.arange(50.0)))
    assert tails.summary_of(series) == expected
    metric = RunMetric.objects.get(run=run)
    assert (metric.last, metric.minimum, metric.maximum) == (
        expected.last,
        expected.minimum,
        expected.maximum,
    )


@pytest.mark.django_db
def test_a_run_rewound_to_its_beginning_has_nothing_left() -> None:
    run, other = build_run(), build_run()
    for one in (run, other):
        write(one.pk, {("loss", None): (np.arange(100), np.ones(100))}, final=True)
        write(one.pk, {("loss", None): (np.arange(100, 103), np.ones(3))})
    rewind(run.pk, None)
    for model in (Chunk, Pyramid, Journal, Series, RunMetric):
        assert not model.objects.filter(run=run).exists()
        assert model.objects.filter(run=other).exists()
    ledger = Ledger.objects.get(run=run)
    assert (ledger.pending_points, ledger.carried_points, ledger.stored_bytes) == (0, 0, 0)


@pytest.mark.django_db
def test_a_series_that_is_sealed_by_its_first_write_is_stored_once() -> None:
    """A row that is inserted and then updated would leave a dead one: half of the table of short runs."""
    run = build_run()
    with CaptureQueriesContext(connection) as asked:
        write(run.pk, {("loss", None): (np.arange(20), np.ones(20))}, final=True)
    stored = [query["sql"] for query in asked.captured_queries if "runs_series" in query["sql"]]
    assert [sql.split()[0] for sql in stored if not sql.startswith("SELECT")] == ["INSERT"]
    assert_holds(run, {("loss", None): (np.arange(20), np.ones(20))})


@pytest.mark.django_db
def test_the_ledger_knows_the_bytes_of_chunks_and_pyramid() -> None:
    run = build_run()
    rng = np.random.default_rng(3)
    for start in (0, 50, 20):  # the last are late, so that chunks are opened again
        write(run.pk, {("loss", None): (np.arange(start, start + 60), rng.random(60))})
    counted = Ledger.objects.get(run=run).stored_bytes
    assert counted == sum(
        len(row.data) + len(row.steps or b"") for row in Chunk.objects.filter(run=run)
    ) + sum(len(row.data) + len(row.steps or b"") for row in Pyramid.objects.filter(run=run))


@pytest.mark.django_db
def test_a_run_has_only_so_many_series(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(numbers, "MAX_SERIES", 3)
    run = build_run()
    point = (np.array([1]), np.ones(1))
    write(run.pk, {(f"m{number}", None): point for number in range(3)})
    with (
        pytest.raises(SeriesError, match="at most 3 series in a run, got 3 and 1 new ones"),
        transaction.atomic(),
    ):
        write(run.pk, {("m0", None): point, ("m4", None): point})
    assert Journal.objects.filter(run=run).count() == 1
    write(run.pk, {("m0", None): point})


@pytest.mark.django_db(transaction=True)
def test_what_was_rolled_back_is_not_remembered() -> None:
    run = build_run()
    point = (np.arange(40), np.ones(40))
    with transaction.atomic():
        write(run.pk, {("loss", None): point, ("norm", 0): point})
        transaction.set_rollback(True)
    assert not Series.objects.filter(run=run).exists()
    with transaction.atomic():
        write(run.pk, {("loss", None): point})
    with transaction.atomic():
        write(run.pk, {("norm", 0): point})
    assert_holds(run, {("loss", None): point, ("norm", 0): point})


@pytest.mark.django_db(transaction=True)
def test_a_fold_by_another_process_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process's memory of the ends of series must not outlive a fold that it did not make."""
    run = build_run()
    values = np.random.default_rng(1).random(400)
    memories = [Memory[dict[int, Tail]](10) for _ in range(2)]
    for place, start in enumerate(range(0, 400, 20)):
        monkeypatch.setattr(folding, "_remembered", memories[place // 4 % 2])
        with transaction.atomic():
            write(run.pk, {("loss", None): (np.arange(start, start + 20), values[start : start + 20])})
    assert_holds(run, {("loss", None): (np.arange(400), values)})


@pytest.mark.django_db(transaction=True)
def test_a_series_that_another_process_began_is_folded(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process knows the numbers of the series that it saw; the journal may hold others."""
    run = build_run()
    memories = [Memory[dict[Key, int]](10) for _ in range(2)]
    few, many = (np.arange(3), np.ones(3)), (np.arange(3, 63), np.ones(60))
    writes: list[tuple[int, Key, Points]] = [(0, KEYS[0], few), (1, KEYS[1], few), (0, KEYS[0], many)]
    for process, key, points in writes:
        monkeypatch.setattr(numbers, "_remembered", memories[process])
        with transaction.atomic():
            write(run.pk, {key: points})
    assert Chunk.objects.filter(run=run).exists()
    assert_holds(run, {KEYS[0]: (np.arange(63), np.ones(63)), KEYS[1]: few})


@pytest.mark.django_db
def test_extremes_that_wait_to_be_sealed_again_do_not_outlive_a_rewind() -> None:
    run = build_run()
    write(run.pk, {("loss", None): (np.arange(12), np.arange(12.0))}, final=True)  # chunks of 8 and 4
    write(
        run.pk, {("loss", None): (np.array([9]), np.array([50.0])), ("norm", 0): (np.arange(40), np.ones(40))}
    )
    rewind(run.pk, 7)
    assert_holds(
        run, {("loss", None): (np.arange(8), np.arange(8.0)), ("norm", 0): (np.arange(8), np.ones(8))}
    )
    series = Series.objects.get(run=run, metric="loss")
    assert tails.summary_of(series) == Summary().extended(np.arange(8), np.arange(8.0))
