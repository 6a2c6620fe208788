"""Checks that read losses alone: stalls, divergence, and what must not be taken for either."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from nnlab.health.checks import divergence, not_learning, plateau
from nnlab.health.events import Severity
from nnlab.health.results import Verdict
from nnlab.health.signals import Reading, Signals
from nnlab.health.thresholds import THRESHOLDS
from tests.health.builders import CONFIG, build_evaluation, build_info, build_signals, judge

if TYPE_CHECKING:
    from collections.abc import Callable


def windows_of(check: Any, loss: Callable[[int], float], steps: int, **info: Any) -> list[str]:
    """The verdicts of a check window by window, on a given course of the loss."""
    signals = Signals(build_info(**info), config=CONFIG)
    verdicts = []
    for first in range(1, steps + 1, signals.window):
        every = range(first, first + signals.window)
        signals.add_steps(np.array([loss(step) for step in every]), np.ones(signals.window))
        verdicts.append(str(judge(check, signals).verdict))
    return verdicts


def three_in_a_row(verdicts: list[str]) -> bool:
    return "hit hit hit" in " ".join(verdicts)


def stalled(
    *, loss: float = 1.05, accuracy: float = 0.4, fall: float = 0.0, val_loss: float = 1.0, rate: float = 0.05
) -> Signals:
    """A run that has stood still for 400 steps."""
    signals = Signals(build_info(), config=CONFIG)
    losses = np.full(800, loss)
    losses[:400] /= 1 - fall
    signals.add_steps(losses, np.ones(800), np.full(800, rate))
    metrics = {"val_loss": val_loss, "val_accuracy": accuracy}
    signals.add_evaluation(build_evaluation(800, metrics=metrics))
    return signals


@pytest.mark.parametrize(
    ("changes", "verdict"),
    [
        ({}, "hit"),
        ({"loss": 0.98}, "neutral"),
        ({"loss": 0.9}, "safe"),
        ({"accuracy": 0.52}, "neutral"),
        ({"val_loss": 1.3}, "neutral"),
        ({"rate": 0.004}, "neutral"),
        ({"loss": 1.1}, "hit"),
        ({"accuracy": 0.37}, "unknown"),
    ],
)
def test_a_plateau_by_loss_metric_and_rate(changes: dict[str, float], verdict: str) -> None:
    assert judge(plateau, stalled(**changes)).verdict == verdict


@pytest.mark.parametrize(
    ("fall", "verdict"), [(0.0, "hit"), (0.009, "hit"), (0.011, "neutral"), (0.031, "safe")]
)
def test_a_plateau_by_the_fall_of_the_average_loss(fall: float, verdict: str) -> None:
    signals = build_signals(steps=400, loss=1.05)
    signals.add_steps(np.full(200, 1.05 * (1 - fall)), np.ones(200))
    signals.add_evaluation(build_evaluation(600, 0.4))
    assert judge(plateau, signals).verdict == verdict


def test_no_plateau_is_seen_before_there_is_a_window_to_look_back() -> None:
    signals = build_signals(steps=200, loss=1.05)
    signals.add_evaluation(build_evaluation(200, 0.4))
    assert judge(plateau, signals).verdict == Verdict.UNKNOWN


@pytest.mark.parametrize(
    "loss",
    [
        lambda step: 0.5 * 1.004 ** max(step - 300, 0),
        lambda step: 1.4 * 1.0001**step,
    ],
    ids=["rises from its lowest", "stays above a constant answer"],
)
def test_a_loss_that_rises_diverges(loss: Callable[[int], float]) -> None:
    verdicts = windows_of(divergence, lambda step: 0.9 if step == 1 else loss(step), 1000)
    assert three_in_a_row(verdicts)


def test_divergence_is_not_judged_before_an_epoch_and_200_steps() -> None:
    verdicts = windows_of(divergence, lambda step: 0.5 * 1.02**step, 400)
    assert verdicts[:3] == ["unknown"] * 3
    assert verdicts[-1] == "hit"


@pytest.mark.parametrize(
    "loss",
    [
        lambda step: 0.5 + 3.0 * (500 <= step < 560),
        lambda step: 0.5 if step < 500 else 0.5 + 0.5 * 0.9985 ** (step - 500),
        lambda step: 0.5 + 0.45 * math.sin(2 * math.pi * step / 120),
        lambda step: 0.001 * (1 + step / 100),
        lambda step: 2.0 * 0.998**step,
        lambda step: 2.0,
        lambda step: 2.0 if step > 1 else 1.5,
        lambda step: 1.1,
    ],
    ids=[
        "spike",
        "slow recovery",
        "cyclic rate",
        "converged and noisy",
        "slow start",
        "as bad as at first",
        "a lucky first batch",
        "stuck",
    ],
)
def test_a_loss_that_comes_back_or_never_rose_does_not_diverge(loss: Callable[[int], float]) -> None:
    assert not three_in_a_row(windows_of(divergence, loss, 1500))


@pytest.mark.parametrize(("validation", "verdict"), [(0.7, "neutral"), (0.8, "hit")])
def test_a_loss_that_rises_in_training_alone_does_not_diverge(validation: float, verdict: str) -> None:
    signals = build_signals(steps=500, loss=0.5)
    signals.add_evaluation(build_evaluation(500, metrics={"val_loss": 0.5, "val_accuracy": 0.6}))
    signals.add_steps(np.linspace(0.5, 1.0, 100), np.ones(100))
    signals.add_evaluation(build_evaluation(600, metrics={"val_loss": validation, "val_accuracy": 0.6}))
    assert judge(divergence, signals).verdict == verdict


@pytest.mark.parametrize("check", [plateau, divergence, not_learning])
def test_labels_of_one_class_leave_progress_undefined(check: Any) -> None:
    signals = build_signals(build_info(baseline_loss=0.0, baseline_metric=1.0), steps=600, loss=1e-6)
    assert judge(check, signals).verdict == Verdict.UNKNOWN


@pytest.mark.parametrize(("steps", "verdict"), [(15, "neutral"), (49, "neutral"), (50, "hit"), (199, "hit")])
def test_a_run_of_a_few_steps_is_not_blamed_for_not_learning(steps: int, verdict: str) -> None:
    signals = build_signals(build_info(steps=steps), steps=steps, loss=1.1)
    signals.add_evaluation(build_evaluation(steps, 0.3))
    signals.reading = Reading.END
    assert judge(not_learning, signals).verdict == verdict


@pytest.mark.parametrize(("start", "severity"), [(1.1, "critical"), (1.2, "critical"), (1.3, "info")])
def test_a_loss_that_falls_towards_the_baseline_is_not_critical(start: float, severity: str) -> None:
    signals = build_signals(steps=300, loss=start)
    signals.add_steps(np.full(200, 1.1), np.ones(200))
    signals.add_evaluation(build_evaluation(500, 0.3))
    result = judge(not_learning, signals)
    assert (result.verdict, result.severity) == (Verdict.HIT, severity)


@pytest.mark.parametrize(
    ("changes", "loss", "accuracy", "reading", "verdict"),
    [
        ({}, 0.8, 0.5, Reading.END, "hit"),
        ({}, 0.8, 0.5, Reading.SAMPLE, "safe"),
        ({}, 0.8, 0.52, Reading.END, "safe"),
        ({}, 0.5, 0.5, Reading.END, "safe"),
        ({"baseline_metric": 0.61}, 0.8, 0.62, Reading.END, "safe"),
        ({"steps": 1001}, 0.8, 0.5, Reading.END, "safe"),
    ],
    ids=["little learnt", "not yet over", "enough learnt", "low loss", "one large class", "stopped early"],
)
def test_a_run_that_ended_having_learnt_little_is_warned(
    changes: dict[str, Any], loss: float, accuracy: float, reading: Reading, verdict: str
) -> None:
    signals = build_signals(build_info(**changes), steps=1000, loss=loss)
    signals.add_evaluation(build_evaluation(1000, accuracy))
    signals.reading = reading
    result = judge(not_learning, signals)
    assert (result.verdict, result.severity) == (verdict, Severity.WARNING if verdict == "hit" else None)
    if verdict == "hit":
        title = not_learning.CHECK.explain(signals, THRESHOLDS.checks["not_learning"], result).title
        assert title == "Learnt little: the run ended 23% of the way from a constant answer to perfect"


def test_a_loss_close_to_a_constants_is_little_learnt_even_with_better_answers() -> None:
    for loss, accuracy, verdict in ((1.0, 0.57, "hit"), (1.0, 0.59, "neutral"), (0.98, 0.57, "safe")):
        signals = build_signals(steps=1000, loss=loss)
        signals.add_evaluation(build_evaluation(1000, accuracy))
        signals.reading = Reading.END
        assert judge(not_learning, signals).verdict == verdict


def test_a_short_run_may_have_learnt_too_little_as_well() -> None:
    signals = build_signals(build_info(steps=80), steps=80, loss=1.0)
    signals.add_evaluation(build_evaluation(80, 0.45))
    signals.reading = Reading.END
    assert judge(not_learning, signals).verdict == Verdict.HIT


def test_numbers_whose_answers_explain_nothing_are_little_learnt() -> None:
    for error, verdict in ((1.1, "hit"), (0.97, "hit"), (0.96, "safe")):
        info = build_info(task="regression", headline="val_rmse", baseline_metric=1.0, baseline_loss=1.0)
        signals = build_signals(info, steps=1000, loss=0.8)
        signals.add_evaluation(build_evaluation(1000, metrics={"val_loss": 0.8, "val_rmse": error}))
        signals.reading = Reading.END
        result = judge(not_learning, signals)
        assert result.verdict == verdict
        if error > 1:
            title = not_learning.CHECK.explain(signals, THRESHOLDS.checks["not_learning"], result).title
            assert title == "Learnt little: the run ended 0% of the way from a constant answer to perfect"


def test_good_answers_clear_a_loss_that_is_still_a_constants() -> None:
    signals = build_signals(steps=600, loss=1.05)
    signals.add_evaluation(build_evaluation(600, 0.7))
    assert judge(not_learning, signals).verdict == Verdict.SAFE


def test_one_class_learnt_to_the_last_bit_breaks_nothing() -> None:
    signals = Signals(build_info(baseline_loss=0.0, baseline_metric=1.0), config=CONFIG)
    for step in (50, 100, 150):
        signals.add_steps(np.zeros(50), np.zeros(50))
        signals.add_evaluation(build_evaluation(step, metrics={"val_loss": 0.0, "val_accuracy": 1.0}))
    assert signals.epochs.risen == 0
    assert judge(not_learning, signals).verdict == Verdict.UNKNOWN
