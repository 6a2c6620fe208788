"""The series of evaluations against the formulas that define it, and in bounded memory."""

from __future__ import annotations

import math
import pickle
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nnlab.health.epochs import GAIN, EpochTrack, ScoreTrack, swings
from nnlab.health.events import EventKind
from nnlab.health.monitor import AlertEvent, Monitor
from nnlab.health.thresholds import THRESHOLDS
from tests.health.builders import CONFIG, build_evaluation, build_info, build_run, cut

if TYPE_CHECKING:
    from nnlab.engine.records import Evaluation, Records


def build_track(**info: Any) -> EpochTrack:
    return EpochTrack(build_info(**info), {}, dict(THRESHOLDS.checks["overfitting"]))


def add(
    track: EpochTrack, validation: float, training: float = 1.0, step: int | None = None, **changes: Any
) -> None:
    track.add_losses([training] * 50)
    metrics = {"val_loss": validation, "val_accuracy": 0.9}
    track.add_evaluation(build_evaluation(step or 50 * (track.count + 1), metrics=metrics, **changes))


@pytest.mark.parametrize(
    ("values", "count"),
    [
        ([], 0),
        ([3.0], 0),
        ([5.0, 4.0, 3.0, 2.0, 1.0], 1),
        ([0.0, 0.9, 0.0, 0.9], 0),
        ([0.0, 1.0, 0.0, 1.0], 3),
        ([0.0, 0.6, 1.2, 0.6, 0.1, 0.0], 2),
        ([0.0, 2.0, 1.5, 2.5, 1.6, 0.0], 2),
    ],
)
def test_swings_are_moves_between_extremes(values: list[float], count: int) -> None:
    assert swings(values, 1.0) == count


def test_averages_are_exponential_from_the_first_value_on() -> None:
    losses = np.random.default_rng(1).random(20)
    track = build_track()
    for loss in losses:
        add(track, float(loss), training=float(2 * loss))
    expected = losses[0]
    for loss in losses[1:]:
        expected = (1 - GAIN) * expected + GAIN * loss
    assert track.validation_loss == pytest.approx(expected)
    assert track.training_loss == pytest.approx(2 * expected)


def test_the_training_loss_is_the_mean_since_the_last_evaluation() -> None:
    track = build_track()
    track.add_losses([1.0] * 3)
    track.add_losses([2.0])
    track.add_evaluation(build_evaluation(4))
    assert track.training_loss == pytest.approx(1.25)


def test_the_training_loss_is_the_same_to_the_last_bit_however_it_is_cut() -> None:
    losses = np.random.default_rng(0).random(1000).tolist()
    whole, cut_up = build_track(), build_track()
    whole.add_losses(losses)
    for start in range(0, 1000, 7):
        cut_up.add_losses(losses[start : start + 7])
    for track in (whole, cut_up):
        track.add_evaluation(build_evaluation(1000))
    assert whole.training_loss == cut_up.training_loss


def test_the_minimum_is_remembered_with_its_step_and_training_loss() -> None:
    track = build_track()
    for validation, training in [(1.0, 0.9), (0.4, 0.3), (1.2, 0.3)]:
        add(track, validation, training=training)
    assert track.least_step == 100
    assert track.least == pytest.approx(0.8)
    assert track.least_training_loss == pytest.approx(0.7)
    assert track.rise == pytest.approx(0.4 / 3)


def test_the_untrained_network_and_a_restored_one_are_no_part_of_the_series() -> None:
    track = build_track()
    track.add_evaluation(build_evaluation(0))
    assert (track.count, track.is_restored) == (0, False)
    add(track, 1.0)
    add(track, 0.1, restored_step=50)
    assert (track.count, track.is_restored) == (1, True)
    assert track.validation_loss == pytest.approx(1.0)


@pytest.mark.parametrize(("validation", "training"), [(math.nan, 1.0), (math.inf, 1.0), (1.0, math.inf)])
def test_losses_that_are_not_finite_do_not_spoil_the_averages(validation: float, training: float) -> None:
    track = build_track()
    add(track, 0.5)
    add(track, validation, training=training, step=100)
    add(track, 0.5, step=150)
    assert (track.count, track.validation_loss, track.training_loss) == (2, 0.5, 1.0)


def test_scores_of_errors_are_r_squared() -> None:
    score = ScoreTrack(build_info(headline="val_rmse", baseline_metric=2.0))
    for error in (1.0, 2.0, 4.0):
        score.add([error])
    assert list(score.last) == [0.75, 0.0, -3.0]
    assert score.best == 0.75


def test_a_score_without_a_baseline_is_left_out() -> None:
    score = ScoreTrack(build_info(headline="val_rmse", baseline_metric=0.0))
    score.add([1.0])
    assert list(score.last) == []


def test_memory_does_not_grow_with_the_number_of_epochs() -> None:
    sizes = []
    track = build_track()
    for epoch in range(400):
        add(track, 1.0 + 1.0 / (epoch + 3), training=1.0 / (epoch + 3))
        sizes.append(len(pickle.dumps(track)))
    assert max(sizes[200:]) - min(sizes[200:]) < 50


def watch(chunks: list[Records]) -> list[AlertEvent]:
    monitor = Monitor(build_info(), CONFIG)
    return [event for records in chunks for event in monitor.observe(records)] + monitor.close()


def overfitted(step: int) -> Evaluation:
    validation = 0.3 if step < 400 else 0.3 + (step - 400) / 1000
    metrics = {"val_loss": validation, "val_accuracy": 0.9}
    return build_evaluation(step, metrics=metrics, is_brief=step % 150 > 0)


@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(1, 999), max_size=30))
def test_alerts_of_the_series_do_not_depend_on_how_records_are_cut(at: list[int]) -> None:
    noise = np.random.default_rng(3).random(1001)
    records = build_run(1000, loss=lambda step: float(noise[step]) * 0.3 / step, evaluation=overfitted)
    whole = watch([records])
    assert (whole[0].check, whole[0].kind) == ("overfitting", EventKind.OPEN)
    assert watch(cut(records, at)) == whole
