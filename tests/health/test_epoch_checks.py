"""Each check of the series of evaluations just beyond and just inside its thresholds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from nnlab.health.checks import (
    constant_prediction,
    dormant,
    dying_units,
    oscillation,
    overfitting,
    rank_collapse,
)
from nnlab.health.events import Severity
from nnlab.health.results import Result, Verdict
from nnlab.health.signals import Reading, Signals
from nnlab.health.thresholds import THRESHOLDS
from tests.health.builders import build_evaluation, build_info, build_relu_info

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import ModuleType

    from nnlab.engine.records import RunInfo

WIDE = (32, 32, 32, 3)


def judge(check: ModuleType, signals: Signals) -> Result:
    result = check.judge(signals, THRESHOLDS.checks[check.CHECK.id])
    assert isinstance(result, Result)
    return result


def build_signals(info: RunInfo | None = None, config: dict[str, Any] | None = None) -> Signals:
    signals = Signals(info or build_info(), config=config or {})
    signals.add_evaluation(build_evaluation(0))
    return signals


def build_late_signals(info: RunInfo | None = None) -> Signals:
    """After 150 steps: the next epoch is the first that is not too early for a verdict."""
    signals = build_signals(info)
    signals.add_steps(np.ones(150), np.ones(150))
    return signals


def add_epoch(signals: Signals, *, loss: float = 1.0, accuracy: float = 0.9, **changes: Any) -> None:
    signals.add_steps(np.full(50, loss), np.full(50, 1.0))
    signals.add_evaluation(build_evaluation(signals.step, accuracy, **changes))


def add_epochs(signals: Signals, validation: Sequence[float], training: float, accuracy: float = 0.9) -> None:
    for loss in validation:
        metrics = {"val_loss": loss, "val_accuracy": accuracy}
        add_epoch(signals, loss=training, metrics=metrics)


@pytest.mark.parametrize(
    ("widths", "share", "verdict"),
    [
        (WIDE, 0.34, "safe"),
        (WIDE, 0.36, "neutral"),
        (WIDE, 0.49, "neutral"),
        (WIDE, 0.51, "hit"),
        ((15, 15, 15, 3), 0.74, "neutral"),
        ((15, 15, 15, 3), 0.76, "hit"),
    ],
)
def test_dying_units_by_their_share_and_the_width_of_their_layer(
    widths: tuple[int, ...], share: float, verdict: str
) -> None:
    signals = build_late_signals(build_relu_info(widths=widths))
    add_epoch(signals, dead_share=np.array([0.1, share, 0.2]))
    result = judge(dying_units, signals)
    assert (result.verdict, result.value) == (verdict, share)
    assert result.layers == ((1,) if verdict == "hit" else ())


@pytest.mark.parametrize(
    ("width", "shares", "verdict"),
    [
        (32, (0.1, 0.1, 0.1, 0.2, 0.3, 0.31), "hit"),
        (32, (0.1, 0.1, 0.1, 0.2, 0.28, 0.29), "safe"),
        (32, (0.12, 0.1, 0.1, 0.2, 0.3, 0.31), "safe"),
        (32, (0.1, 0.1, 0.2, 0.3, 0.31), "safe"),
        (15, (0.1, 0.1, 0.1, 0.2, 0.3, 0.31), "safe"),
    ],
)
def test_dying_units_by_growth_over_five_evaluations_of_a_wide_layer(
    width: int, shares: Sequence[float], verdict: str
) -> None:
    signals = Signals(build_relu_info(widths=(width, width, width, 3)))
    for share in shares:
        add_epoch(signals, dead_share=np.array([share, 0.0, 0.0]))
    result = judge(dying_units, signals)
    assert (result.verdict, result.value >= result.threshold) == (verdict, verdict == "hit")


@pytest.mark.parametrize(("loss", "verdict"), [(0.56, "hit"), (0.54, "neutral")])
def test_dying_units_are_spared_where_the_task_is_learnt(loss: float, verdict: str) -> None:
    signals = build_late_signals(build_relu_info(widths=WIDE))
    add_epoch(signals, loss=loss, dead_share=np.array([0.1, 0.6, 0.2]))
    assert judge(dying_units, signals).verdict == verdict


@pytest.mark.parametrize(
    ("start", "accuracy", "severity"), [(0.9, 0.7, "info"), (0.88, 0.7, "warning"), (0.9, 0.36, "warning")]
)
def test_dying_units_do_not_hold_back_a_network_that_learns_fast(
    start: float, accuracy: float, severity: str
) -> None:
    signals = Signals(build_relu_info())
    signals.add_steps(np.full(100, start), np.ones(100))
    signals.add_steps(np.full(200, 0.8), np.ones(200))
    signals.add_evaluation(build_evaluation(300, accuracy, dead_share=np.array([0.9, 0.0, 0.0])))
    assert judge(dying_units, signals).severity == severity


def test_units_of_other_activations_never_die() -> None:
    signals = build_late_signals(build_info(activations=("tanh", "elu", "leaky_relu", "softmax")))
    add_epoch(signals, dead_share=np.full(3, np.nan))
    assert judge(dying_units, signals).verdict == Verdict.UNKNOWN


def test_a_layer_that_cannot_die_does_not_hide_one_that_does() -> None:
    info = build_info(widths=WIDE, activations=("tanh", "relu6", "relu", "softmax"))
    signals = build_late_signals(info)
    add_epoch(signals, dead_share=np.array([np.nan, 0.6, 0.1]))
    assert judge(dying_units, signals).layers == (1,)


@pytest.mark.parametrize(
    ("width", "share", "verdict"),
    [
        (16, 0.34, "safe"),
        (16, 0.36, "neutral"),
        (16, 0.5, "hit"),
        (15, 0.74, "neutral"),
        (15, 0.76, "hit"),
    ],
)
def test_dormant_units_by_their_share_and_the_width_of_their_layer(
    width: int, share: float, verdict: str
) -> None:
    signals = build_late_signals(build_info(widths=(width, width, width, 3)))
    add_epoch(signals, dormant_share=np.array([0.1, np.nan, share]))
    assert judge(dormant, signals).verdict == verdict


def test_the_first_200_steps_are_too_early_for_units_and_ranks() -> None:
    signals = build_signals(build_relu_info(widths=WIDE))
    for _ in range(3):
        add_epoch(signals, dead_share=np.full(3, 0.9), dormant_share=np.full(3, 0.9), effective_rank=1.0)
        assert judge(dying_units, signals).verdict == Verdict.NEUTRAL
        assert judge(dormant, signals).verdict == judge(rank_collapse, signals).verdict == Verdict.UNKNOWN


def test_what_evaluations_do_not_tell_is_unknown() -> None:
    signals = build_late_signals()
    for _ in range(5):
        add_epoch(signals)
    for check in (dormant, rank_collapse, constant_prediction):
        assert judge(check, signals).verdict == Verdict.UNKNOWN


@pytest.mark.parametrize(
    ("rank", "loss", "verdict"), [(1.9, 1.0, "hit"), (2.1, 1.0, "safe"), (1.9, 0.5, "neutral")]
)
def test_rank_collapse_by_effective_rank_while_there_is_much_to_learn(
    rank: float, loss: float, verdict: str
) -> None:
    signals = build_late_signals()
    add_epoch(signals, loss=loss, effective_rank=rank)
    result = judge(rank_collapse, signals)
    assert result.verdict == verdict
    assert result.layers == (() if verdict == "safe" else (2,))


def test_rank_collapse_asks_for_more_directions_where_there_are_many_classes() -> None:
    signals = build_late_signals(build_info(widths=(100, 100, 100, 50)))
    add_epoch(signals, effective_rank=9.0)
    assert (judge(rank_collapse, signals).verdict, judge(rank_collapse, signals).threshold) == ("hit", 10.0)


def test_three_units_cannot_collapse() -> None:
    signals = build_late_signals(build_info(widths=(8, 8, 3, 3)))
    add_epoch(signals, effective_rank=1.0)
    assert judge(rank_collapse, signals).verdict == Verdict.UNKNOWN


@pytest.mark.parametrize(
    ("predicted", "verdict"),
    [((397, 3, 0), "hit"), ((395, 5, 0), "neutral"), ((361, 39, 0), "neutral"), ((359, 41, 0), "safe")],
)
def test_a_constant_answer_by_the_rows_of_the_commonest_class(
    predicted: tuple[int, ...], verdict: str
) -> None:
    signals = build_signals()
    add_epochs(signals, [1.0] * 3, 1.0)
    add_epoch(signals, predicted=np.array(predicted))
    assert judge(constant_prediction, signals).verdict == verdict


@pytest.mark.parametrize(("variance", "verdict"), [(0.9e-3, "hit"), (1.1e-3, "neutral"), (1.1e-2, "safe")])
def test_a_constant_answer_by_the_variance_of_the_values(variance: float, verdict: str) -> None:
    signals = build_signals(build_info(task="regression", headline="val_rmse"))
    add_epochs(signals, [1.0] * 3, 1.0)
    add_epoch(signals, answer_variance=variance)
    assert judge(constant_prediction, signals).verdict == verdict


def test_one_answer_is_right_where_nine_of_ten_rows_are_of_one_class() -> None:
    signals = build_signals(build_info(baseline_metric=0.9))
    add_epochs(signals, [1.0] * 3, 1.0)
    add_epoch(signals, predicted=np.array([400, 0, 0]))
    assert judge(constant_prediction, signals).verdict == Verdict.UNKNOWN


@pytest.mark.parametrize(
    ("epochs", "loss", "severity"),
    [(5, 1.1, Severity.INFO), (6, 1.1, Severity.CRITICAL), (6, 0.9, Severity.WARNING)],
)
def test_a_constant_answer_is_worse_the_later_it_is(epochs: int, loss: float, severity: Severity) -> None:
    signals = build_signals()
    for _ in range(epochs):
        add_epoch(signals, loss=loss, accuracy=0.35, predicted=np.array([400, 0, 0]))
    assert judge(constant_prediction, signals).severity is severity


def test_a_constant_answer_is_not_judged_before_200_steps() -> None:
    signals = build_signals()
    for _ in range(3):
        add_epoch(signals, predicted=np.array([400, 0, 0]))
    assert judge(constant_prediction, signals).verdict == Verdict.UNKNOWN


def build_swinging(height: float, *, training: float = 0.9, accuracy: float = 0.7) -> Signals:
    """One epoch at an accuracy of 0.8, then twelve whose validation loss goes up and down."""
    signals = build_signals()
    add_epochs(signals, [0.9], training, accuracy=0.8)
    add_epochs(signals, [0.9, 0.9 + height] * 6, training, accuracy=accuracy)
    return signals


@pytest.mark.parametrize(
    ("height", "training", "accuracy", "verdict"),
    [
        (0.12, 0.9, 0.7, "hit"),
        (0.10, 0.9, 0.7, "safe"),
        (0.12, 0.54, 0.7, "neutral"),
        (0.12, 0.49, 0.7, "safe"),
        (0.12, 0.9, 0.71, "neutral"),
        (0.12, 0.9, 0.76, "safe"),
    ],
)
def test_oscillation_by_swings_that_cost_accuracy_before_the_task_is_learnt(
    height: float, training: float, accuracy: float, verdict: str
) -> None:
    signals = build_swinging(height, training=training, accuracy=accuracy)
    assert judge(oscillation, signals).verdict == verdict


def test_an_accuracy_of_few_rows_must_lose_more_to_be_an_oscillation() -> None:
    for rows, verdict in ((400, "hit"), (40, "neutral")):
        signals = build_signals(build_info(validation_rows=rows))
        add_epochs(signals, [0.9], 0.9, accuracy=0.8)
        add_epochs(signals, [0.9, 1.02] * 6, 0.9, accuracy=0.65)
        assert judge(oscillation, signals).verdict == verdict


def test_an_accuracy_that_rises_has_lost_nothing_however_the_loss_swings() -> None:
    signals = build_signals()
    for epoch in range(12):
        add_epochs(signals, [0.9 + 0.2 * (epoch % 2)], 0.9, accuracy=0.4 + 0.04 * epoch)
    result = judge(oscillation, signals)
    assert (result.verdict, result.value) == ("safe", 10)


def test_one_spike_that_recovers_is_no_oscillation() -> None:
    signals = build_signals()
    add_epochs(signals, [0.9], 0.9, accuracy=0.8)
    add_epochs(signals, [*[0.9] * 5, 3.0, 3.2, *[0.9] * 4], 0.9, accuracy=0.7)
    result = judge(oscillation, signals)
    assert (result.verdict, result.value) == ("neutral", 2)


def test_a_falling_loss_is_no_oscillation_however_fast_it_falls() -> None:
    signals = build_signals()
    add_epochs(signals, [10.0 * 0.7**epoch for epoch in range(11)], 0.9)
    assert judge(oscillation, signals).verdict == Verdict.SAFE


def build_overfitted(
    validation: float, *, training: float = 0.1, epochs: int = 12, accuracy: float = 0.9, **info: Any
) -> Signals:
    """Eight epochs with both losses at 0.5, then epochs at other ones."""
    signals = build_signals(build_info(**info))
    add_epochs(signals, [0.5] * 8, 0.5)
    add_epochs(signals, [validation] * epochs, training, accuracy=accuracy)
    return signals


@pytest.mark.parametrize(
    ("validation", "training", "epochs", "verdict"),
    [
        (0.53, 0.1, 12, "hit"),
        (0.522, 0.1, 12, "neutral"),
        (0.508, 0.1, 12, "safe"),
        (0.6, 0.1, 3, "hit"),
        (0.6, 0.1, 2, "neutral"),
        (0.6, 0.47, 12, "neutral"),
    ],
)
def test_overfitting_by_a_validation_loss_that_stays_above_its_minimum(
    validation: float, training: float, epochs: int, verdict: str
) -> None:
    signals = build_overfitted(validation, training=training, epochs=epochs)
    assert judge(overfitting, signals).verdict == verdict


def test_overfitting_lasts_a_twentieth_of_the_run_before_it_is_told() -> None:
    assert judge(overfitting, build_overfitted(0.8, epochs=6, steps=6000)).verdict == Verdict.NEUTRAL
    assert judge(overfitting, build_overfitted(0.8, epochs=7, steps=6000)).verdict == Verdict.HIT


def test_a_dropout_that_keeps_the_training_loss_high_is_no_overfitting() -> None:
    assert judge(overfitting, build_overfitted(0.53, training=0.45)).verdict == Verdict.NEUTRAL


@pytest.mark.parametrize(
    ("validation", "accuracy", "severity"),
    [
        (0.7, 0.9, Severity.INFO),
        (0.7, 0.88, Severity.INFO),
        (0.7, 0.85, Severity.WARNING),
        (1.5, 0.9, Severity.INFO),
    ],
)
def test_overfitting_is_a_warning_once_it_costs_accuracy(
    validation: float, accuracy: float, severity: Severity
) -> None:
    signals = build_overfitted(validation, accuracy=accuracy)
    assert judge(overfitting, signals).severity is severity


@pytest.mark.parametrize(("rows", "severity"), [(400, "warning"), (40, "info")])
def test_one_or_two_rows_more_that_are_wrong_are_no_overfitting(rows: int, severity: str) -> None:
    signals = build_overfitted(0.7, accuracy=0.85, validation_rows=rows)
    assert judge(overfitting, signals).severity == severity


@pytest.mark.parametrize(
    ("accuracy", "validation", "severity"),
    [
        (0.7, 1.05, "warning"),
        (0.7, 0.95, "info"),
        (0.8, 1.05, "info"),
        (0.36, 1.2, "warning"),
        (0.36, 0.95, "info"),
    ],
    ids=["doubled", "not doubled", "good scores", "worse than a constant answer", "better than one"],
)
def test_overfitting_without_a_fall_in_accuracy_is_a_warning_where_scores_are_not_good(
    accuracy: float, validation: float, severity: str
) -> None:
    signals = build_signals()
    least = 0.5 if accuracy > 0.5 else 0.9
    add_epochs(signals, [least] * 8, 0.5, accuracy=accuracy)
    add_epochs(signals, [validation] * 14, 0.1, accuracy=accuracy)
    assert judge(overfitting, signals).severity == severity


def test_a_tiny_loss_may_double_without_a_warning() -> None:
    signals = build_signals()
    add_epochs(signals, [0.05] * 8, 0.05)
    add_epochs(signals, [0.12] * 12, 0.01)
    result = judge(overfitting, signals)
    assert (result.verdict, result.severity) == (Verdict.HIT, Severity.INFO)


def test_the_best_network_given_back_is_not_overfitted() -> None:
    signals = build_overfitted(0.9)
    assert judge(overfitting, signals).verdict == Verdict.HIT
    signals.add_evaluation(build_evaluation(signals.step, restored_step=400))
    signals.reading = Reading.END
    assert judge(overfitting, signals).verdict == Verdict.SAFE


def test_words_speak_of_epochs_only_where_evaluations_are_epochs() -> None:
    for config, word in [({}, "10 epochs"), ({"validate_every": 50}, "10 evaluations")]:
        signals = build_signals(config=config)
        add_epochs(signals, [0.9, 1.1] * 6, 0.9)
        limits = THRESHOLDS.checks["oscillation"]
        told = oscillation.explain(signals, limits, judge(oscillation, signals))
        assert told.title.endswith(word)
