"""Signals: windows and ratios, against the formulas that define them."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.testing import assert_allclose

from nnlab.health.signals import Signals
from nnlab.health.tracks import GradientTrack, LossTrack
from tests.health.builders import (
    build_dead_sample,
    build_evaluation,
    build_info,
    build_relu_info,
    build_sample,
)


def test_the_loss_average_is_an_exponential_one_without_the_bias_of_its_start() -> None:
    losses = np.random.default_rng(1).random(300)
    track = LossTrack(steps_per_epoch=400)
    track.add(losses.tolist())
    weights = (1 - 2 / 101) ** np.arange(299, -1, -1.0)
    assert_allclose(track.average, np.average(losses, weights=weights), rtol=1e-12)


def test_the_fall_of_the_loss_is_a_share_of_the_average_before() -> None:
    track = LossTrack(steps_per_epoch=1)
    track.add([2.0] * 500)
    assert track.fall_over(200) == pytest.approx(0.0)
    track.add([1.0] * 500)
    assert track.fall_over(500) == pytest.approx(0.5)
    assert math.isnan(track.fall_over(1000))


def test_a_loss_that_is_not_finite_stays_out_of_the_average() -> None:
    track = LossTrack(steps_per_epoch=1)
    track.add([1.0, 1.0, math.nan, math.inf])
    assert track.average == pytest.approx(1.0)
    assert (track.bad_step, track.last_finite) == (3, 1.0)


@pytest.mark.parametrize("bad", [None, 0, 57, 299])
def test_loss_averages_are_the_same_to_the_last_bit_however_they_are_cut_and_gone_through(
    bad: int | None,
) -> None:
    losses = np.random.default_rng(2).random(300)
    if bad is not None:
        losses[bad] = math.nan
    whole, cut_up = LossTrack(steps_per_epoch=100), LossTrack(steps_per_epoch=100)
    whole.read(losses)
    for start in range(0, 300, 7):
        cut_up.add(losses[start : start + 7].tolist())
        whole.go_to(min(start + 7, 300))
        told = [
            repr(
                (
                    one.step,
                    one.average,
                    one.lowest,
                    one.first,
                    one.bad_step,
                    one.last_finite,
                    one.fall_over(50),
                )
            )
            for one in (whole, cut_up)
        ]
        assert told[0] == told[1]


def test_a_gradient_peak_is_never_its_own_reference() -> None:
    track = GradientTrack(recent=50, first=10)
    track.add(np.array([math.nan, *[1.0] * 12]))
    track.turn()
    assert math.isnan(track.recent)
    track.add(np.array([500.0]))
    track.turn()
    assert (track.peak, track.recent, track.first) == (500.0, 1.0, 1.0)


def test_backward_ratios_compare_with_the_largest_delta_above() -> None:
    signals = Signals(build_info())
    signals.add_sample(build_sample(1, delta_rms=np.array([1e-3, 4.0, 1e-2, 2.0])))
    assert_allclose(signals.ratios, [1e-3 / 4, 2.0, 1e-2 / 2])


def test_a_delta_that_underflows_below_active_layers_is_a_ratio_of_0() -> None:
    signals = Signals(build_relu_info())
    signals.add_sample(build_sample(1, delta_rms=np.array([0.0, 0.0, 1e-30, 1.0])))
    assert signals.smallest_ratio == 0.0


def test_a_delta_of_0_below_a_dead_layer_is_undefined() -> None:
    signals = Signals(build_relu_info())
    signals.add_sample(build_dead_sample(1, 1))
    assert_allclose(signals.ratios, [np.nan, np.nan, 2 / 3])


def test_ratios_of_a_perfect_fit_are_undefined() -> None:
    signals = Signals(build_info())
    signals.add_sample(build_sample(1, delta_rms=np.zeros(4)))
    assert math.isnan(signals.smallest_ratio)


def test_updates_are_measured_against_the_initial_weights_where_those_shrank() -> None:
    signals = Signals(build_info())
    signals.add_sample(build_sample(1, weight_norm=np.array([4.0, 1.0, 0.0, 1.0])))
    signals.add_sample(
        build_sample(
            2, weight_norm=np.array([1.0, 2.0, 1.0, 1.0]), update_ratio=np.array([0.4, 0.4, 0.4, np.nan])
        )
    )
    assert_allclose(signals.updates, [0.1, 0.4, 0.4, np.nan])
    assert signals.largest_update == 0.4


@pytest.mark.parametrize(("rmse", "no_better"), [(99.5, True), (98.0, False), (math.nan, True)])
def test_errors_are_compared_with_the_baseline_as_r_squared(rmse: float, no_better: bool) -> None:
    signals = Signals(build_info(task="regression", headline="val_rmse", baseline_metric=100.0))
    signals.add_evaluation(build_evaluation(50, metrics={"val_loss": 1.0, "val_rmse": rmse}))
    assert signals.metric_is_no_better is no_better


@pytest.mark.parametrize(
    ("steps", "loss", "accuracy", "stuck"),
    [
        (200, 1.1, 0.36, True),
        (199, 1.1, 0.36, False),
        (200, 1.07, 0.36, False),
        (200, 1.1, 0.38, False),
    ],
)
def test_a_run_is_stuck_only_by_loss_and_metric_and_not_before_200_steps(
    steps: int, loss: float, accuracy: float, stuck: bool
) -> None:
    signals = Signals(build_info())
    signals.add_steps(np.full(steps, loss), np.full(steps, np.nan))
    signals.add_evaluation(build_evaluation(steps, accuracy))
    assert signals.is_stuck is stuck


def test_the_relative_loss_is_undefined_for_labels_of_one_class() -> None:
    signals = Signals(build_info(baseline_loss=0.0, baseline_metric=1.0))
    signals.add_steps(np.full(300, 1e-9), np.full(300, np.nan))
    assert math.isnan(signals.q)
    assert not signals.is_stuck
    assert not signals.eases


@pytest.mark.parametrize(
    ("rates", "share"),
    [([], 1.0), ([0.01], 0.2), ([0.05, 0.0005], 0.01), ([0.2, 0.1], 0.5)],
    ids=["not scheduled", "warm-up", "decay", "above the config's"],
)
def test_the_rate_is_a_share_of_the_highest_that_the_run_has_or_will_have(
    rates: list[float], share: float
) -> None:
    signals = Signals(build_info(), config={"learning_rate": 0.05})
    signals.add_steps(np.ones(len(rates)), np.ones(len(rates)), np.array(rates))
    assert signals.rate_share == pytest.approx(share)


def test_the_rate_of_a_run_whose_config_is_unknown_is_never_a_low_one() -> None:
    assert Signals(build_info()).rate_share == 1.0


def test_the_lowest_average_is_one_over_a_whole_window() -> None:
    track = LossTrack(steps_per_epoch=400)
    track.add([0.1] * 10 + [1.0] * 80)
    assert math.isinf(track.lowest)
    track.add([1.0] * 500)
    assert 0.8 < track.lowest < 1.0
    assert track.first == 0.1


def test_progress_is_judged_by_the_last_evaluation_not_by_the_best() -> None:
    signals = Signals(build_info())
    signals.add_steps(np.full(400, 1.2), np.full(400, np.nan))
    for step, accuracy in [(200, 0.9), (400, 0.35)]:
        signals.add_evaluation(build_evaluation(step, accuracy))
    assert signals.skill == pytest.approx(0.0)
    assert signals.is_stuck


def test_skill_is_the_part_of_the_way_from_the_baseline_to_a_perfect_metric() -> None:
    signals = Signals(build_info(baseline_metric=0.5))
    assert math.isnan(signals.skill)
    signals.add_evaluation(build_evaluation(50, 0.9))
    assert signals.skill == pytest.approx(0.8)
    errors = Signals(build_info(task="regression", headline="val_rmse", baseline_metric=100.0))
    errors.add_evaluation(build_evaluation(50, metrics={"val_loss": 1.0, "val_rmse": 50.0}))
    assert errors.skill == pytest.approx(0.75)
