"""Series as the pages read them: every point, once, in two queries."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from runs.reading.series import metric_names, read_series
from tests.runs import builders

if TYPE_CHECKING:
    from pytest_django import DjangoAssertNumQueries

pytestmark = pytest.mark.django_db


class TestReadingAgainstBruteForce(TestCase):
    @settings(max_examples=30, deadline=None)
    @given(
        sizes=st.lists(st.integers(1, 9), max_size=6),
        gaps=st.lists(st.integers(1, 50), min_size=1, max_size=40),
        after=st.integers(-1, 200),
        seed=st.integers(0, 1000),
    )
    def test_any_chunking_gives_every_later_point_once(
        self, sizes: list[int], gaps: list[int], after: int, seed: int
    ) -> None:
        steps = np.cumsum(gaps)
        values = np.random.default_rng(seed).standard_normal(len(steps))
        values[:: max(1, seed % 7)] = np.nan
        run = builders.build_run()
        series = builders.build_series(run, "train_loss", values, steps=steps.tolist(), chunk_sizes=sizes)

        [whole] = read_series([run.pk], ["train_loss"])
        np.testing.assert_array_equal(whole.steps, steps)
        np.testing.assert_array_equal(whole.values, values)

        rest = read_series([run.pk], ["train_loss"], after={series.number: after})
        expected = [(step, value) for step, value in zip(steps, values, strict=True) if step > after]
        got = [pair for points in rest for pair in zip(points.steps, points.values, strict=True)]
        np.testing.assert_array_equal(np.array(got), np.array(expected))


def test_many_runs_and_metrics_cost_three_queries(django_assert_num_queries: DjangoAssertNumQueries) -> None:
    sweep = builders.build_sweep()
    runs = [builders.build_run(sweep) for _ in range(5)]
    for number, run in enumerate(runs):
        if number % 2:  # so that one metric has several numbers
            builders.build_series(run, "gradient_norm", [1.0])
        builders.build_series(run, "train_loss", [3.0, 2.0, 1.0 + number], chunk_sizes=[1, 1])
        builders.build_series(run, "val_loss", [2.5, number], steps=[0, 3])
    with django_assert_num_queries(3):
        found = read_series([run.pk for run in runs], ["train_loss", "val_loss"])
    assert [(points.run_id, points.metric) for points in found] == [
        (run.pk, metric) for run in runs for metric in ("train_loss", "val_loss")
    ]
    assert [points.values[-1] for points in found[::2]] == [1.0, 2.0, 3.0, 4.0, 5.0]


def test_layers_are_read_apart() -> None:
    run = builders.build_run()
    for layer in range(3):
        builders.build_series(run, "gradient_rms", [layer + 0.5], layer=layer)
    found = read_series([run.pk], ["gradient_rms"])
    assert [(points.layer, points.values[0]) for points in found] == [(0, 0.5), (1, 1.5), (2, 2.5)]


def test_points_written_late_and_steps_written_twice_are_all_kept_in_order() -> None:
    run = builders.build_run()
    builders.build_series(run, "train_loss", [1.0, 2.0, 3.0], steps=[1, 2, 3])
    builders.build_series(run, "train_loss", [9.0, 8.0], steps=[2, 0])
    [points] = read_series([run.pk], ["train_loss"])
    assert points.steps.tolist() == [0, 1, 2, 2, 3]
    assert points.values.tolist() == [8.0, 1.0, 2.0, 9.0, 3.0]


def test_nothing_is_read_for_an_unknown_metric_or_run() -> None:
    run = builders.build_run()
    assert read_series([run.pk], ["nonsense"]) == []
    assert read_series([], ["train_loss"]) == []
    assert metric_names([run.pk]) == []


def test_metrics_are_named_without_those_of_layers() -> None:
    run = builders.build_run()
    builders.build_series(run, "val_loss", [1.0])
    builders.build_series(run, "gradient_rms", [1.0], layer=0)
    builders.build_series(builders.build_run(), "train_loss", [1.0])
    assert metric_names([run.pk]) == ["val_loss"]
