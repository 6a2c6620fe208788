"""Each check just beyond and just inside its thresholds."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from nnlab.engine.records import NonFinite
from nnlab.health.checks import dead_layer, exploding, nonfinite, not_learning, vanishing
from nnlab.health.events import Severity
from nnlab.health.results import Verdict
from nnlab.health.signals import Reading
from tests.health.builders import (
    build_dead_sample,
    build_evaluation,
    build_info,
    build_relu_info,
    build_sample,
    build_signals,
    judge,
)

DEAD = np.array([0.1, 1.0, 0.2])


@pytest.mark.parametrize(
    ("smallest", "verdict"),
    [(0.99e-3, "hit"), (1.01e-3, "neutral"), (0.99e-2, "neutral"), (1.01e-2, "safe")],
)
def test_vanishing_by_its_smallest_ratio(smallest: float, verdict: str) -> None:
    signals = build_signals()
    signals.add_sample(build_sample(50, delta_rms=np.array([smallest, 0.1, 0.5, 1.0])))
    assert judge(vanishing, signals).verdict == verdict


def test_vanishing_names_every_layer_below_its_limit() -> None:
    signals = build_signals()
    signals.add_sample(build_sample(50, delta_rms=np.array([3e-4, 0.0199, 0.0201, 1.0])))
    assert judge(vanishing, signals).layers == (0, 1)


def test_vanishing_is_critical_at_once_where_the_forward_signal_is_gone_too() -> None:
    signals = build_signals()
    severities = []
    for step in range(1, 11):
        signals.add_sample(
            build_sample(step, delta_rms=np.array([1e-7, 0.1, 0.5, 1.0]), spread=np.full(3, 2e-3))
        )
        severities.append(judge(vanishing, signals).severity)
    assert severities == [None] * 9 + [Severity.CRITICAL]


@pytest.mark.parametrize(("step", "verdict"), [(1, "unknown"), (2, "unknown"), (3, "hit")])
def test_vanishing_waits_for_an_output_layer_that_starts_at_0(step: int, verdict: str) -> None:
    signals = build_signals(steps=step)
    weights = np.array([2.0, 2.0, 2.0, 0.0])
    delta = np.array([4e-4, 2e-3, 1e-2, 1.0])
    signals.add_sample(build_sample(step, weight_norm=weights, delta_rms=delta))
    assert judge(vanishing, signals).verdict == verdict


@pytest.mark.parametrize(("peak", "verdict"), [(9.0, "safe"), (99.0, "neutral"), (101.0, "hit")])
def test_exploding_by_the_median_of_recent_gradients(peak: float, verdict: str) -> None:
    signals = build_signals(steps=60)
    signals.add_sample(build_sample(60))
    signals.add_steps(np.ones(1), np.array([peak]))
    signals.add_sample(build_sample(61))
    assert judge(exploding, signals).verdict == verdict


@pytest.mark.parametrize(("peak", "verdict"), [(990.0, "neutral"), (1010.0, "hit")])
def test_exploding_by_the_first_gradients(peak: float, verdict: str) -> None:
    signals = build_signals(steps=10)
    signals.add_sample(build_sample(10))
    for step, norm in [(60, 50.0), (110, peak)]:
        signals.add_steps(np.ones(50), np.full(50, norm))
        signals.add_sample(build_sample(step))
    assert judge(exploding, signals).verdict == verdict


def test_a_gradient_peak_of_a_converged_network_is_harmless() -> None:
    signals = build_signals(steps=10)
    signals.add_sample(build_sample(10))
    for step, norm in [(110, 1e-7), (160, 1e-3)]:
        signals.add_steps(np.ones(50), np.full(50, norm))
        signals.add_sample(build_sample(step))
    assert judge(exploding, signals).verdict == Verdict.NEUTRAL


@pytest.mark.parametrize(
    ("steps", "loss", "update", "verdict"),
    [
        (50, 1.4, 0.31, "hit"),
        (50, 1.4, 0.29, "neutral"),
        (50, 1.4, 0.09, "safe"),
        (34, 1.4, 0.31, "neutral"),
        (50, 1.2, 0.31, "neutral"),
    ],
)
def test_exploding_by_updates_of_a_network_worse_than_a_constant(
    steps: int, loss: float, update: float, verdict: str
) -> None:
    signals = build_signals(steps=steps, loss=loss)
    signals.add_sample(build_sample(steps, update_ratio=np.array([1e-3, 1e-3, update, 1e-3])))
    result = judge(exploding, signals)
    assert result.verdict == verdict
    assert result.layers == ((2,) if verdict == "hit" else ())


@pytest.mark.parametrize(("loss", "severity"), [(1.15, None), (1.16, Severity.CRITICAL)])
def test_exploding_is_critical_where_the_loss_is_above_the_baseline(
    loss: float, severity: Severity | None
) -> None:
    signals = build_signals(steps=200, loss=loss)
    signals.add_sample(build_sample(200))
    signals.add_steps(np.array([loss]), np.array([101.0]))
    signals.add_sample(build_sample(201))
    assert judge(exploding, signals).severity is severity


@pytest.mark.parametrize(("rows", "verdict"), [(267, "unknown"), (268, "hit")])
def test_a_dead_layer_needs_300_silent_rows(rows: int, verdict: str) -> None:
    signals = build_signals(build_relu_info())
    signals.add_sample(build_dead_sample(50, 1))
    signals.add_evaluation(build_evaluation(50, dead_share=DEAD, rows=rows))
    result = judge(dead_layer, signals)
    assert result.verdict == verdict
    assert result.layers == ((1,) if verdict == "hit" else ())


@pytest.mark.parametrize("share", [0.0, 0.875])
def test_a_layer_that_an_evaluation_finds_alive_is_not_dead(share: float) -> None:
    signals = build_signals(build_relu_info())
    for step in range(1, 40):
        signals.add_sample(build_dead_sample(step, 1))
    signals.add_evaluation(build_evaluation(50, dead_share=np.array([0.1, share, 0.2])))
    signals.reading = Reading.EVALUATION
    assert judge(dead_layer, signals).verdict == Verdict.SAFE


def test_one_unit_that_fires_makes_a_layer_alive() -> None:
    signals = build_signals(build_relu_info())
    signals.add_sample(build_dead_sample(1, 1))
    signals.add_evaluation(build_evaluation(1, dead_share=DEAD))
    counts = build_dead_sample(2, 1).active_counts
    counts[1][3] = 1
    signals.add_sample(build_sample(2, active_counts=counts))
    assert judge(dead_layer, signals).verdict == Verdict.UNKNOWN


@pytest.mark.parametrize("activation", ["leaky_relu", "elu", "tanh", "prelu"])
def test_units_with_a_slope_below_0_are_never_dead(activation: str) -> None:
    signals = build_signals(build_info(activations=(activation,) * 3 + ("softmax",)))
    for step in range(1, 40):
        signals.add_sample(build_dead_sample(step, 1))
    signals.add_evaluation(build_evaluation(50, dead_share=np.full(3, np.nan)))
    assert judge(dead_layer, signals).verdict == Verdict.UNKNOWN


@pytest.mark.parametrize(("evaluations", "severity"), [(1, "warning"), (2, "critical")])
def test_a_dead_layer_is_critical_at_the_second_evaluation(evaluations: int, severity: str) -> None:
    signals = build_signals(build_relu_info())
    signals.add_sample(build_dead_sample(50, 1))
    for number in range(evaluations):
        signals.add_evaluation(build_evaluation(50 * (1 + number), dead_share=DEAD))
    assert judge(dead_layer, signals).severity == severity


def test_a_dead_layer_is_only_shown_where_labels_have_one_class() -> None:
    signals = build_signals(build_relu_info(baseline_loss=0.0, baseline_metric=1.0))
    signals.add_sample(build_dead_sample(50, 1))
    for step in (50, 100, 150):
        signals.add_evaluation(build_evaluation(step, dead_share=DEAD))
    assert judge(dead_layer, signals).severity == Severity.INFO


@pytest.mark.parametrize(
    ("changes", "steps", "loss", "accuracy", "verdict", "severity"),
    [
        ({}, 200, 1.1, 0.36, "hit", "info"),
        ({"steps": 500}, 200, 1.1, 0.36, "hit", "critical"),
        ({"steps": 501}, 200, 1.1, 0.36, "hit", "info"),
        ({"steps": 4001}, 200, 1.1, 0.36, "neutral", None),
        ({}, 199, 1.1, 0.36, "neutral", None),
        ({}, 200, 1.07, 0.36, "neutral", None),
        ({}, 200, 1.1, 0.38, "neutral", None),
        ({}, 200, 0.98, 0.36, "safe", None),
        ({"baseline_loss": 0.0}, 200, 1.1, 0.36, "unknown", None),
    ],
)
def test_not_learning_by_loss_metric_and_budget(
    changes: dict[str, Any], steps: int, loss: float, accuracy: float, verdict: str, severity: str | None
) -> None:
    signals = build_signals(build_info(**changes), steps=steps, loss=loss)
    signals.add_evaluation(build_evaluation(steps, accuracy))
    result = judge(not_learning, signals)
    assert (result.verdict, result.severity) == (verdict, severity)


@pytest.mark.parametrize(("reading", "verdict"), [(Reading.END, "hit"), (Reading.EVALUATION, "neutral")])
def test_a_run_too_short_to_be_judged_is_warned_at_its_end(reading: Reading, verdict: str) -> None:
    signals = build_signals(build_info(steps=100), steps=100, loss=1.1)
    signals.add_evaluation(build_evaluation(100, 0.3))
    signals.reading = reading
    result = judge(not_learning, signals)
    assert result.verdict == verdict
    assert result.severity == (Severity.WARNING if verdict == "hit" else None)


def test_nonfinite_names_the_first_bad_layer() -> None:
    signals = build_signals()
    assert judge(nonfinite, signals).verdict == Verdict.UNKNOWN
    signals.add_nonfinite(NonFinite(51, "gradient", 2, 1.0))
    assert judge(nonfinite, signals).layers == (2,)


def test_a_loss_that_is_not_finite_is_enough_for_nonfinite() -> None:
    signals = build_signals()
    signals.add_steps(np.array([math.inf]), np.array([math.nan]))
    assert signals.nonfinite == NonFinite(51, "loss", None, 1.0)
    assert judge(nonfinite, signals).verdict == Verdict.HIT
