"""Runs that are too slow for their budget, and those that only look so."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nnlab.health.checks import slow
from nnlab.health.monitor import Monitor
from nnlab.health.progress import LONGER, MOST_POINTS, ProgressTrack, gain_of_more, grasp, loss_at_end
from nnlab.health.results import Result, Verdict
from nnlab.health.signals import Reading, Signals
from nnlab.health.thresholds import THRESHOLDS
from tests.health.builders import (
    CONFIG,
    DENSE_START,
    build_evaluation,
    build_info,
    build_run,
    build_sample,
    judge,
)
from tests.health.watching import build_digits, build_plane, watch

LIMITS = THRESHOLDS.checks["slow"]


def feed(
    until: int,
    *,
    update: float = 1e-5,
    q: tuple[float, float] = (1.05, 1.04),
    accuracy: float = 0.4,
    evaluations: bool = True,
    reading: Reading = Reading.EVALUATION,
    config: dict[str, Any] | None = None,
    **info: Any,
) -> Signals:
    """A run of 1,000 steps, up to a step: both losses fall along a line from one q to another there."""
    signals = Signals(build_info(**info), config=CONFIG | (config or {}))
    h0 = signals.info.baseline_loss

    def loss(step: int) -> float:
        return h0 * (q[0] + (q[1] - q[0]) * step / until)

    signals.add_evaluation(build_evaluation(0, accuracy, metrics=scores(loss(0), accuracy)))
    samples = [*DENSE_START, *range(50, until + 1, 50)]
    for step in range(1, until + 1):
        signals.add_steps(np.array([loss(step)]), np.ones(1))
        if step in samples:
            signals.add_sample(build_sample(step, update_ratio=np.full(4, update)))
        if evaluations and step % 50 == 0:
            signals.add_evaluation(build_evaluation(step, accuracy, metrics=scores(loss(step), accuracy)))
    signals.reading = reading
    return signals


def scores(loss: float, accuracy: float) -> dict[str, float]:
    return {"val_loss": loss, "val_accuracy": accuracy}


@pytest.mark.parametrize(
    ("changes", "verdict"),
    [
        ({}, "hit"),
        ({"update": 1.9e-4}, "hit"),
        ({"update": 2.1e-4}, "neutral"),
        ({"update": 4.1e-4}, "safe"),
        ({"accuracy": 0.66}, "hit"),
        ({"accuracy": 0.69}, "neutral"),
        ({"accuracy": 0.79}, "safe"),
        ({"q": (1.05, 1.01)}, "hit"),
        ({"q": (1.05, 0.98)}, "neutral"),
        ({"q": (1.05, 0.95)}, "safe"),
        ({"config": {"warmup_steps": 200}}, "unknown"),
        ({"config": {"warmup_steps": 100}}, "hit"),
        ({"baseline_loss": 1e-4}, "unknown"),
    ],
)
def test_a_run_whose_weights_will_hardly_move_is_slow(changes: dict[str, Any], verdict: str) -> None:
    assert judge(slow, feed(100, **changes)).verdict == verdict


@pytest.mark.parametrize(
    ("step", "update", "verdict"),
    [(33, 1e-5, "unknown"), (34, 9e-5, "hit"), (34, 1.1e-4, "neutral"), (50, 1e-5, "unknown")],
)
def test_samples_tell_of_it_before_there_is_anything_else_where_the_path_is_half_as_long(
    step: int, update: float, verdict: str
) -> None:
    signals = feed(step, update=update, evaluations=False, reading=Reading.SAMPLE)
    assert judge(slow, signals).verdict == verdict


def test_what_started_late_is_no_longer_slow() -> None:
    signals = feed(400)
    assert judge(slow, signals).verdict == Verdict.HIT
    for step in range(450, 750, 50):
        signals.add_steps(np.full(50, 1.1), np.ones(50))
        signals.add_sample(build_sample(step, update_ratio=np.full(4, 2e-3)))
    assert judge(slow, signals).verdict == Verdict.SAFE


@pytest.mark.parametrize(
    ("changes", "verdict"),
    [
        ({"q": (1.2, 0.8)}, "hit"),
        ({"q": (0.84, 0.8)}, "safe"),
        ({"q": (1.2, 0.45)}, "safe"),
        ({"q": (1.2, 0.8), "accuracy": 0.7}, "safe"),
        ({"q": (1.2, 0.8), "steps": 1001}, "safe"),
        ({"q": (1.2, 0.8), "reading": Reading.EVALUATION}, "safe"),
        ({"q": (1.2, 0.8), "evaluations": False}, "safe"),
    ],
    ids=[
        "still falling",
        "level",
        "little left",
        "good answers",
        "stopped early",
        "not over",
        "not looked at",
    ],
)
def test_a_run_whose_losses_still_fall_at_its_end_has_ended_too_early(
    changes: dict[str, Any], verdict: str
) -> None:
    usual: dict[str, Any] = {"update": 1e-3, "reading": Reading.END}
    signals = feed(1000, **usual | changes)
    assert judge(slow, signals).verdict == verdict


def test_a_loss_that_only_training_lowers_promises_nothing() -> None:
    signals = feed(1000, update=1e-3, q=(1.2, 0.8), reading=Reading.END)
    assert gain_of_more(signals) > 0.1
    for point, step in enumerate(range(800, 1001, 50)):
        index = -5 + point
        kept = signals.progress.points[index]
        assert kept.step == step
        signals.progress.points[index] = kept._replace(validation_average=1.0)
    assert gain_of_more(signals) == 0


def test_a_power_law_is_continued_exactly() -> None:
    info = build_info(baseline_loss=1.0)
    signals = Signals(info, config=CONFIG)
    signals.add_steps(np.ones(1000), np.ones(1000))
    for step in range(100, 1001, 100):
        loss = float(step) ** -0.3
        signals.progress.add_points([(step, loss, loss, loss)])
    assert gain_of_more(signals) == pytest.approx(1000**-0.3 - (1000 * LONGER) ** -0.3, rel=1e-12)


def test_a_fall_that_picks_up_is_projected_at_its_latest_pace() -> None:
    slowly, faster = feed(400, q=(1.0, 0.96)), feed(400, q=(1.0, 0.96))
    assert loss_at_end(slowly) == pytest.approx(0.902, abs=1e-3)
    points = faster.progress.points
    faster.progress.points = [point._replace(loss=1.1) if point.step <= 200 else point for point in points]
    assert loss_at_end(faster) == pytest.approx(0.844, abs=1e-3)


def test_the_path_counts_every_step_and_ends_at_the_present_pace() -> None:
    track = ProgressTrack(build_info(steps=100))
    track.add_updates(1, [0.1, 0.01, float("nan"), 0.0])
    track.add_updates(11, [0.01, 0.02, float("nan"), 0.0])
    assert track.paths == pytest.approx([0.2, 0.21, 0.0, 0.0])
    assert track.reach([0.01, 0.001, float("nan"), 0.0]) == pytest.approx(0.2 + 89 * 0.01)
    assert np.isnan(track.reach([float("nan")] * 4))


@given(st.integers(1, 700), st.integers(1, 150))
def test_few_evaluations_are_kept_evenly_and_the_last_one_always(count: int, together: int) -> None:
    points = [(step, 0.5, 0.5, 0.5) for step in range(1, count + 1)]
    track, whole = ProgressTrack(build_info()), ProgressTrack(build_info())
    whole.add_points(points)
    for start in range(0, count, together):
        track.add_points(points[start : start + together])
    assert track.points == whole.points
    steps = [point.step for point in track.points]
    assert steps[-1] == count
    assert len(steps) <= MOST_POINTS
    gaps = set(np.diff([0, *steps[:-1]]))
    assert len(gaps) <= 1
    assert count <= 1 or steps[-1] - steps[-2] <= max(gaps, default=1)


def test_an_evaluation_that_the_series_leaves_out_is_left_out_here() -> None:
    signals = Signals(build_info(), config=CONFIG)
    signals.add_evaluation(build_evaluation(0))
    assert signals.progress.points == []


@pytest.mark.parametrize(
    ("headline", "metric", "expected"), [("val_accuracy", 0.675, 0.5), ("val_mae", 0.3031, 0.5)]
)
def test_numbers_are_grasped_by_the_root_of_r_squared(headline: str, metric: float, expected: float) -> None:
    signals = Signals(build_info(headline=headline, baseline_metric=0.35), config=CONFIG)
    signals.metric = metric
    assert grasp(signals) == pytest.approx(expected, abs=1e-3)


@pytest.mark.parametrize(
    ("value", "threshold", "title"),
    [
        (
            0.051,
            "reach",
            "Too slow for its budget: all 1,000 steps move no layer's weights by more than 5.1%",
        ),
        (0.2, "gain", "Ended too early: the loss was still falling, with much left to learn"),
    ],
)
def test_it_says_whether_steps_are_too_short_or_too_few(value: float, threshold: str, title: str) -> None:
    result = Result(Verdict.HIT, value, LIMITS[threshold])
    assert slow.CHECK.explain(feed(1000), LIMITS, result).title.startswith(title)


NET = {"hidden_units": [32], "batch_size": 32, "epochs": 10}


def test_a_rate_far_too_small_is_told_within_a_tenth_of_the_budget_and_raised() -> None:
    for problem in (build_digits(), build_plane()):
        watched = watch(NET | {"learning_rate": 1e-6}, problem)
        first = next(event for event in watched.events if event.check == "slow")
        steps = len(problem.x_train) // 32 * 10
        assert first.step <= max(0.1 * steps, LIMITS["least_steps"])
        assert watched.last("slow").advice[0].code == "A4"
        assert "slow" in watched.alarms_at_end()


def test_a_batch_of_all_rows_is_too_few_steps() -> None:
    problem = build_digits()
    watched = watch(NET | {"learning_rate": 1e-3, "batch_size": len(problem.x_train)}, problem)
    assert "slow" in watched.alarms_at_end()
    assert watched.last("slow").advice[0].code == "A19"


@pytest.mark.parametrize(
    "changes",
    [
        {"learning_rate": 1e-3},
        {"learning_rate": 1e-3, "schedule": "cosine", "warmup_steps": 100},
        {"learning_rate": 3e-3, "schedule": "exponential", "decay_every": 60},
        {"learning_rate": 0.05, "optimizer": "sgd"},
        {"learning_rate": 0.01, "optimizer": "momentum", "hidden_units": [256]},
    ],
    ids=["plain", "warm-up and cosine", "decay to 0", "sgd", "wide with momentum"],
)
def test_a_network_that_learns_is_never_called_slow(changes: dict[str, Any]) -> None:
    watched = watch(NET | changes, build_digits())
    assert watched.metric > 0.85
    assert all(event.check != "slow" for event in watched.events)


def test_a_slow_run_gives_one_alert_however_long_it_is() -> None:
    records = build_run(
        1000,
        loss=1.1,
        sample=lambda step: build_sample(step, update_ratio=np.full(4, 1e-6)),
        evaluation=lambda step: build_evaluation(step, 0.36, metrics=scores(1.1, 0.36)),
    )
    monitor = Monitor(build_info(), CONFIG)
    events = [event for event in [*monitor.observe(records), *monitor.close()] if event.check == "slow"]
    assert [str(event.kind) for event in events[:2]] == ["open", "update"]
    assert events[0].step == 34
