"""Checks of what layers hand on, forward and back: just beyond and just inside their thresholds."""

from __future__ import annotations

import numpy as np
import pytest

from nnlab.health.checks import forward_collapse, saturated, update_ratio, vanishing
from nnlab.health.results import Verdict
from nnlab.health.signals import Signals
from nnlab.health.thresholds import THRESHOLDS
from tests.health.builders import (
    CONFIG,
    build_dead_sample,
    build_info,
    build_relu_info,
    build_sample,
    build_signals,
    build_vanishing_sample,
    judge,
)


@pytest.mark.parametrize(
    ("spread", "verdict"), [(0.0029, "hit"), (0.0031, "neutral"), (0.029, "neutral"), (0.031, "safe")]
)
def test_forward_collapse_by_the_spread_of_the_last_hidden_layer(spread: float, verdict: str) -> None:
    signals = build_signals()
    signals.add_sample(build_sample(50, spread=np.array([0.5, 0.5, spread])))
    result = judge(forward_collapse, signals)
    assert result.verdict == verdict
    assert result.layers == ((2,) if verdict == "hit" else ())


def test_forward_collapse_is_told_by_vanishing_where_both_hold() -> None:
    signals = build_signals()
    spread = np.array([0.5, 0.02, 0.002])
    signals.add_sample(build_sample(50, delta_rms=build_vanishing_sample(50).delta_rms, spread=spread))
    assert judge(forward_collapse, signals).verdict == Verdict.UNKNOWN
    result = judge(vanishing, signals)
    assert result.verdict == Verdict.HIT
    explanation = vanishing.CHECK.explain(signals, THRESHOLDS.checks["vanishing"], result)
    assert "hidden 3 gives nearly the same for all" in explanation.cause


def test_vanishing_says_nothing_of_a_forward_signal_that_is_there() -> None:
    signals = build_signals()
    signals.add_sample(build_vanishing_sample(50))
    limits = THRESHOLDS.checks["vanishing"]
    assert "forward" not in vanishing.CHECK.explain(signals, limits, judge(vanishing, signals)).cause


def test_a_silent_layer_has_not_collapsed() -> None:
    signals = build_signals(build_relu_info())
    signals.add_sample(build_dead_sample(50, 2, spread=np.array([0.5, 0.5, 0.0])))
    assert judge(forward_collapse, signals).verdict == Verdict.UNKNOWN


def test_one_row_has_no_spread_to_judge() -> None:
    signals = build_signals()
    signals.add_sample(build_sample(50, spread=np.array([0.5, 0.5, np.nan])))
    assert judge(forward_collapse, signals).verdict == Verdict.UNKNOWN


@pytest.mark.parametrize(
    ("share", "verdict"), [(0.5, "hit"), (0.49, "neutral"), (0.3, "neutral"), (0.29, "safe")]
)
def test_saturation_by_the_share_of_a_layers_units(share: float, verdict: str) -> None:
    signals = build_signals()
    signals.add_sample(build_sample(50, saturated_share=np.array([0.1, share, 0.0, 0.0])))
    result = judge(saturated, signals)
    assert result.verdict == verdict
    assert result.layers == ((1,) if verdict == "hit" else ())


@pytest.mark.parametrize(
    ("output", "loss", "task", "verdict"),
    [
        ("tanh", "half_mse", "binary", "hit"),
        ("sigmoid", "mse", "binary", "hit"),
        ("sigmoid", "auto", "regression", "hit"),
        ("sigmoid", "auto", "binary", "safe"),
        ("sigmoid", "binary_cross_entropy", "binary", "safe"),
        ("softmax", "mse", "multiclass", "safe"),
    ],
)
def test_an_output_is_saturated_under_losses_of_errors_only(
    output: str, loss: str, task: str, verdict: str
) -> None:
    info = build_info(task=task, activations=("relu", "relu", "relu", output))
    signals = Signals(info, config={**CONFIG, "loss": loss})
    signals.add_sample(build_sample(1, saturated_share=np.array([0.0, 0.0, 0.0, 1.0])))
    result = judge(saturated, signals)
    assert result.verdict == verdict
    if verdict == "hit":
        title = saturated.CHECK.explain(signals, THRESHOLDS.checks["saturated"], result).title
        assert title == f"Saturated output: 100% of its {output} units are stuck at their ends"


def feed_updates(
    signals: Signals, update: float, *, gradient: float = 1e-2, rate: float = 0.05, step: int = 50
) -> None:
    """Five samples with the same updates, at one scheduled rate."""
    for number in range(5):
        signals.add_steps(np.ones(1), np.ones(1), np.array([rate]))
        signals.add_sample(
            build_sample(step + number, update_ratio=np.full(4, update), gradient_rms=np.full(4, gradient))
        )


@pytest.mark.parametrize(
    ("update", "verdict"),
    [
        (0.051, "hit"),
        (0.049, "neutral"),
        (0.029, "safe"),
        (3.1e-4, "safe"),
        (2.9e-4, "neutral"),
        (0.99e-4, "hit"),
        (0.0, "hit"),
    ],
)
def test_update_ratios_beyond_their_usual_range(update: float, verdict: str) -> None:
    signals = build_signals()
    feed_updates(signals, update)
    assert judge(update_ratio, signals).verdict == verdict


def test_the_median_of_five_samples_decides_on_updates() -> None:
    signals = build_signals()
    for update in (0.5, 0.01, 0.5, 0.01):
        signals.add_sample(build_sample(50, update_ratio=np.full(4, update)))
        assert judge(update_ratio, signals).verdict == Verdict.UNKNOWN
    signals.add_sample(build_sample(50, update_ratio=np.full(4, 0.01)))
    assert judge(update_ratio, signals).value == 0.01


def test_a_layer_with_a_gradient_and_no_update_is_frozen() -> None:
    signals = build_signals()
    feed_updates(signals, 0.0)
    result = judge(update_ratio, signals)
    assert (result.value, result.layers) == (0.0, (0, 1, 2, 3))
    title = update_ratio.CHECK.explain(signals, THRESHOLDS.checks["update_ratio"], result).title
    assert title.startswith("Frozen: hidden 1 to output")


def test_no_update_without_a_gradient_is_not_frozen() -> None:
    signals = build_signals(loss=0.1)
    feed_updates(signals, 0.0, gradient=0.0)
    signals.add_steps(np.full(500, 0.1), np.ones(500))
    assert judge(update_ratio, signals).verdict == Verdict.SAFE


def test_where_no_gradient_arrives_the_learning_rate_is_not_blamed() -> None:
    signals = build_signals()
    feed_updates(signals, 0.0, gradient=0.0)
    result = judge(update_ratio, signals)
    told = update_ratio.CHECK.explain(signals, THRESHOLDS.checks["update_ratio"], result)
    assert told.title == "No updates: no step changes the weights of any layer"
    assert "whatever the learning rate" in told.cause


@pytest.mark.parametrize(("rate", "verdict"), [(0.00049, "unknown"), (0.00051, "hit")])
def test_tiny_updates_of_a_rate_that_was_lowered_on_purpose_are_fine(rate: float, verdict: str) -> None:
    signals = build_signals()
    feed_updates(signals, 1e-6, rate=rate)
    assert judge(update_ratio, signals).verdict == verdict


def test_large_first_updates_are_not_judged() -> None:
    signals = build_signals(steps=20)
    feed_updates(signals, 0.3, step=20)
    assert judge(update_ratio, signals).verdict == Verdict.NEUTRAL


def test_tiny_updates_of_a_network_that_has_learnt_are_fine() -> None:
    signals = build_signals(steps=500, loss=0.1)
    signals.add_steps(np.full(50, 0.1), np.ones(50))
    for _ in range(5):
        signals.add_sample(build_sample(500, update_ratio=np.full(4, 1e-6)))
    assert judge(update_ratio, signals).verdict == Verdict.SAFE
