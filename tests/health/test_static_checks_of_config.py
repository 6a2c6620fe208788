"""The checks of the configuration: what they name, and what they leave alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from nnlab.health.checks import (
    born_dead,
    dropout,
    initial_loss,
    linear_collapse,
    output_mismatch,
    symmetry,
)
from nnlab.health.events import Severity
from nnlab.health.results import Verdict
from nnlab.health.signals import Reading, Signals
from tests.health.builders import build_evaluation, build_info, build_relu_info
from tests.health.problems import build_problem, build_regression, build_static, explain, judge

if TYPE_CHECKING:
    from nnlab.engine.records import Evaluation, RunInfo
    from nnlab.health.results import Result

RISING = np.tile(np.linspace(0.0, 1.0, 30), 5)


def build_seen(
    *evaluations: Evaluation, info: RunInfo, loss: float = 1.0, facts: Any = None, **config: Any
) -> Signals:
    """A run whose steps all had the same loss, at its last evaluation."""
    signals = build_static(facts, info, **config)
    signals.add_steps(np.full(evaluations[-1].step, loss), np.full(evaluations[-1].step, 1.0))
    for evaluation in evaluations:
        signals.add_evaluation(evaluation)
    signals.reading = Reading.EVALUATION
    return signals


@pytest.mark.parametrize("initializer", ["zeros", "ones", "constant"])
def test_equal_weights_are_symmetric_in_every_hidden_layer(initializer: str) -> None:
    signals = build_static(initializer=initializer)
    result = judge(symmetry, signals)
    assert (result.verdict, result.severity, result.layers) == ("hit", None, (0, 1, 2))
    assert symmetry.CHECK.severity is Severity.CRITICAL
    assert f"The initializer {initializer} gives" in explain(symmetry, signals).cause


@pytest.mark.parametrize(
    ("weights", "biases", "layers"),
    [
        (["ones", "ones", "he_normal", "he_normal"], "auto", (0,)),
        (["he_normal", "ones", "zeros", "constant"], "auto", (1, 2)),
        (["ones", "he_normal", "he_normal", "zeros"], "auto", ()),
        ("ones", "zeros", (0, 1, 2)),
        ("ones", ["normal", "zeros", "ones", "auto"], (1, 2)),
        ("ones", "normal", ()),
    ],
)
def test_drawn_weights_above_or_drawn_biases_tell_equal_units_apart(
    weights: Any, biases: Any, layers: tuple[int, ...]
) -> None:
    signals = build_static(initializer=weights, bias_initializer=biases)
    assert judge(symmetry, signals).layers == layers


@pytest.mark.parametrize("initializer", ["auto", "he_normal", "uniform", "truncated_normal", "playground"])
def test_drawn_weights_are_not_symmetric(initializer: str) -> None:
    assert judge(symmetry, build_static(initializer=initializer)).verdict == Verdict.UNKNOWN


@pytest.mark.parametrize(("widths", "layers"), [((1, 8, 3), (1,)), ((1, 3), ()), ((10,), ())])
def test_a_single_unit_has_none_to_be_equal_to(widths: tuple[int, ...], layers: tuple[int, ...]) -> None:
    info = build_info(widths=widths, activations=("tanh",) * (len(widths) - 1) + ("softmax",))
    assert judge(symmetry, build_static(info=info, initializer="ones")).layers == layers


@pytest.mark.parametrize(
    ("initializer", "rate", "severity"),
    [("ones", 0.5, "info"), ("ones", [0.5, 0.0, 0.5], None), ("zeros", 0.5, None)],
)
def test_dropout_in_every_layer_tells_equal_units_apart(
    initializer: str, rate: Any, severity: str | None
) -> None:
    assert judge(symmetry, build_static(initializer=initializer, dropout=rate)).severity == severity


@pytest.mark.parametrize(
    ("activation", "loss", "outputs", "severity"),
    [
        ("softmax", "cross_entropy", 1, "critical"),
        ("sigmoid", "cross_entropy", 1, "critical"),
        ("softmax", "mse", 1, "critical"),
        ("sigmoid", "binary_cross_entropy", 1, None),
        ("sigmoid", "mse", 1, None),
        ("tanh", "half_mse", 1, None),
    ],
)
def test_one_output_divided_by_itself_learns_nothing(
    activation: str, loss: str, outputs: int, severity: str | None
) -> None:
    info = build_info(task="binary", widths=(8, outputs), activations=("relu", activation), loss=loss)
    assert judge(output_mismatch, build_static(build_problem(), info)).severity == severity


@pytest.mark.parametrize(
    ("activation", "loss", "outputs", "severity"),
    [
        ("softmax", "softmax_cross_entropy", 3, None),
        ("softmax", "cross_entropy", 3, None),
        ("softmax", "mae", 3, "info"),
        ("linear", "clipped_binary_cross_entropy", 3, "warning"),
        ("relu", "clipped_binary_cross_entropy", 1, "warning"),
        ("softplus", "clipped_binary_cross_entropy", 3, "warning"),
        ("softmax", "clipped_binary_cross_entropy", 3, None),
        ("sigmoid", "clipped_binary_cross_entropy", 3, "info"),
        ("tanh", "cross_entropy", 3, "warning"),
        ("exponential", "cross_entropy", 3, None),
        ("sigmoid", "binary_cross_entropy", 3, "info"),
        ("sigmoid", "cross_entropy", 3, "info"),
        ("sigmoid", "cross_entropy", 2, None),
        ("sigmoid", "mse", 3, None),
        ("linear", "mse", 3, None),
    ],
)
def test_outputs_for_classes_by_their_loss(
    activation: str, loss: str, outputs: int, severity: str | None
) -> None:
    info = build_info(widths=(8, outputs), activations=("relu", activation), loss=loss)
    assert judge(output_mismatch, build_static(info=info)).severity == severity


def regression_output(activation: str, y: Any) -> Result:
    info = build_info(task="regression", widths=(8, 1), activations=("relu", activation), loss="mse")
    return judge(output_mismatch, build_static(build_regression(y), info))


@pytest.mark.parametrize(
    ("activation", "low", "high", "severity"),
    [
        ("linear", -900, 900, None),
        ("sigmoid", 0, 1, None),
        ("sigmoid", 0, 1.06, "critical"),
        ("sigmoid", 0, 1.03, "warning"),
        ("tanh", -1, 1, None),
        ("tanh", -1.2, 0, "critical"),
        ("relu", 0, 900, None),
        ("softplus", -1, 900, "warning"),
        ("exponential", -100, 900, "critical"),
    ],
)
def test_targets_that_an_output_cannot_give_by_their_share(
    activation: str, low: float, high: float, severity: str | None
) -> None:
    assert regression_output(activation, low + (high - low) * RISING).severity == severity


def test_softmax_for_a_number_is_always_1() -> None:
    assert regression_output("softmax", RISING).severity == Severity.CRITICAL


@pytest.mark.parametrize(
    ("activation", "second", "severity"),
    [("softmax", 1 - RISING, "info"), ("softmax", RISING, "warning"), ("sigmoid", RISING, None)],
)
def test_softmax_for_labels_that_do_not_exclude_each_other(
    activation: str, second: Any, severity: str | None
) -> None:
    info = build_info(task="regression", widths=(8, 2), activations=("relu", activation), loss="mse")
    signals = build_static(build_regression(np.column_stack([RISING, second])), info)
    assert judge(output_mismatch, signals).severity == severity


def test_a_target_out_of_range_is_told_with_its_numbers() -> None:
    info = build_info(task="regression", widths=(8, 1), activations=("relu", "sigmoid"), loss="mse")
    explanation = explain(output_mismatch, build_static(build_regression(np.tile([0.0, 4.0], 75)), info))
    assert explanation.title == "Output does not fit: sigmoid gives 0 to 1, the target goes from 0 to 4"
    assert explanation.cause.startswith("50 % of the training targets lie where")


@pytest.mark.parametrize(
    ("rate", "verdict", "severity", "layers"),
    [
        (0.0, "unknown", None, ()),
        (0.51, "hit", None, (0, 1, 2)),
        (0.5, "unknown", None, ()),
        (0.2, "unknown", None, ()),
        (0.19, "hit", "info", (0, 1, 2)),
        ([0.0, 0.8, 0.1], "hit", None, (1,)),
        ([0.0, 0.3, 0.1], "hit", "info", (2,)),
    ],
)
def test_dropout_by_its_rates(rate: Any, verdict: str, severity: str | None, layers: tuple[int, ...]) -> None:
    result = judge(dropout, build_static(dropout=rate))
    assert (result.verdict, result.severity, result.layers) == (verdict, severity, layers)


@pytest.mark.parametrize(
    ("loss", "held_out", "verdict"),
    [
        (1.21, [1.0, 1.0, 1.0], "hit"),
        (1.15, [1.0, 1.0, 1.0], "neutral"),
        (1.05, [1.0, 1.0, 1.0], "safe"),
        (1.21, [1.05, 1.0, 1.0], "neutral"),
        (1.21, [1.0, 1.0, 0.75], "neutral"),
        (1.21, [1.0, 1.0], "unknown"),
    ],
)
def test_dropout_by_the_loss_with_and_without_it(loss: float, held_out: list[float], verdict: str) -> None:
    evaluations = [build_evaluation(200, metrics={"val_loss": value}) for value in held_out]
    signals = build_seen(*evaluations, info=build_info(), loss=loss, dropout=0.5)
    assert judge(dropout, signals).verdict == verdict


def test_weak_dropout_is_told_once_and_its_losses_are_not_compared() -> None:
    evaluations = [build_evaluation(200, metrics={"val_loss": 1.0})] * 3
    signals = build_seen(*evaluations, info=build_info(), loss=5.0, dropout=0.1)
    assert judge(dropout, signals).verdict == Verdict.UNKNOWN


@pytest.mark.parametrize(
    ("activations", "layers"),
    [
        (("linear", "softmax"), (0,)),
        (("linear", "linear", "softmax"), (0, 1)),
        (("relu", "linear", "linear", "softmax"), (1, 2)),
        (("relu", "linear", "linear"), (1,)),
        (("linear", "linear", "relu", "linear", "softmax"), (0, 1)),
        (("linear", "relu", "softmax"), ()),
        (("relu", "linear", "softmax"), ()),
        (("relu", "relu", "linear"), ()),
        (("softmax",), ()),
        (("linear",), ()),
    ],
)
def test_linear_layers_in_a_row_collapse(activations: tuple[str, ...], layers: tuple[int, ...]) -> None:
    info = build_info(widths=(8,) * (len(activations) - 1) + (3,), activations=activations)
    result = judge(linear_collapse, build_static(info=info))
    assert result.layers == layers
    assert (result.verdict == Verdict.HIT) is bool(layers)


def test_a_network_of_linear_layers_is_called_a_linear_model() -> None:
    info = build_info(activations=("linear", "linear", "linear", "softmax"))
    explanation = explain(linear_collapse, build_static(info=info))
    assert explanation.title == "Linear layers in a row: the whole network is a linear model"


@pytest.mark.parametrize(
    ("before", "now", "verdict"),
    [
        (0.0, 0.009, "hit"),
        (0.02, 0.0, "neutral"),
        (0.0, 0.02, "neutral"),
        (0.0, 0.06, "safe"),
    ],
)
def test_units_that_never_change_sign_are_linear(before: float, now: float, verdict: str) -> None:
    seen = [build_evaluation(200, mixed_share=np.array([0.0, share, 0.0])) for share in (before, now)]
    assert judge(linear_collapse, build_seen(*seen, info=build_relu_info())).verdict == verdict


@pytest.mark.parametrize(
    ("info", "changes"),
    [
        (build_info(), {}),
        (build_relu_info(), {"mixed_share": None}),
        (build_relu_info(), {"dead_share": np.array([0.0, 1.0, 0.0])}),
        (build_relu_info(), {"rows": 99}),
        (build_relu_info(), {"step": 199}),
        (
            build_info(widths=(3,), activations=("softmax",)),
            {"mixed_share": np.empty(0), "dead_share": np.empty(0)},
        ),
    ],
    ids=["sigmoid", "not taken", "dead", "few rows", "early", "no hidden layer"],
)
def test_signs_are_not_judged_where_they_mean_nothing(info: RunInfo, changes: dict[str, Any]) -> None:
    values: dict[str, Any] = {"step": 200, "mixed_share": np.zeros(3)} | changes
    evaluation = build_evaluation(**values)
    assert judge(linear_collapse, build_seen(evaluation, evaluation, info=info)).verdict == Verdict.UNKNOWN


@pytest.mark.parametrize(
    ("width", "layers", "config", "verdict"),
    [
        (8, 2, {}, "unknown"),
        (8, 3, {}, "hit"),
        (10, 10, {}, "unknown"),
        (10, 11, {}, "hit"),
        (5, 1, {}, "hit"),
        (5, 1, {"batch_norm": True}, "unknown"),
        (5, 1, {"initializer": "ones"}, "unknown"),
        (5, 1, {"initializer": ["he_normal", "zeros"]}, "hit"),
        (5, 1, {"bias_initializer": "constant"}, "unknown"),
        (5, 1, {"bias_initializer": ["zeros", "normal"]}, "hit"),
        (5, 1, {"initializer": "playground"}, "unknown"),
    ],
)
def test_narrow_relu_networks_are_told_of_their_risk(
    width: int, layers: int, config: dict[str, Any], verdict: str
) -> None:
    info = build_info(widths=(width,) * layers + (3,), activations=("relu",) * layers + ("softmax",))
    result = judge(born_dead, build_static(info=info, **config))
    assert result.verdict == verdict
    assert result.severity == (Severity.INFO if verdict == "hit" else None)


def test_layers_that_cannot_die_have_no_risk() -> None:
    info = build_info(widths=(2, 2, 3), activations=("leaky_relu", "tanh", "softmax"))
    assert judge(born_dead, build_static(info=info)).verdict == Verdict.UNKNOWN


@pytest.mark.parametrize(
    ("shares", "rows", "verdict", "severity"),
    [
        ([1.0], 300, "hit", "critical"),
        ([1.0], 30, "hit", "warning"),
        ([1.0, 1.0], 30, "hit", "critical"),
        ([0.875], 300, "safe", None),
        ([1.0, 0.875], 300, "safe", None),
        ([0.875, 1.0], 300, "safe", None),
    ],
)
def test_a_layer_silent_before_the_first_step_is_born_dead_until_it_fires(
    shares: list[float], rows: int, verdict: str, severity: str | None
) -> None:
    seen = [
        build_evaluation(50 * number, rows=rows, dead_share=np.array([0.1, share, 0.2]))
        for number, share in enumerate(shares)
    ]
    result = judge(born_dead, build_seen(*seen, info=build_relu_info()))
    assert (result.verdict, result.severity) == (verdict, severity)
    assert result.layers == ((1,) if verdict == "hit" else ())


def test_a_born_dead_layer_is_only_shown_where_labels_have_one_class() -> None:
    seen = build_evaluation(0, dead_share=np.ones(3))
    signals = build_seen(seen, info=build_relu_info(baseline_loss=0.0))
    assert judge(born_dead, signals).severity == Severity.INFO


def test_a_run_that_was_not_seen_from_its_start_is_not_called_born_dead() -> None:
    seen = build_evaluation(50, dead_share=np.ones(3))
    assert judge(born_dead, build_seen(seen, info=build_relu_info())).verdict == Verdict.UNKNOWN


@pytest.mark.parametrize(
    ("ratio", "verdict"), [(0.29, "hit"), (0.31, "unknown"), (3.9, "unknown"), (4.1, "hit")]
)
def test_the_loss_before_the_first_step_is_that_of_an_undecided_network(ratio: float, verdict: str) -> None:
    seen = build_evaluation(0, metrics={"val_loss": ratio * float(np.log(3))})
    signals = build_seen(seen, info=build_info(loss="softmax_cross_entropy"))
    assert judge(initial_loss, signals).verdict == verdict


@pytest.mark.parametrize("loss", ["mse", "half_mse", "mae", "huber"])
def test_for_numbers_the_undecided_answer_is_0(loss: str) -> None:
    info = build_info(task="regression", activations=("relu", "relu", "relu", "linear"), loss=loss)
    problem = build_regression(np.full(150, 2.0))
    undecided = {"mse": 4.0, "half_mse": 2.0, "mae": 2.0, "huber": 1.5}[loss]
    for ratio, verdict in ((3.9, "unknown"), (4.1, "hit")):
        seen = build_evaluation(0, metrics={"val_loss": ratio * undecided})
        assert judge(initial_loss, build_seen(seen, info=info, facts=problem)).verdict == verdict


@pytest.mark.parametrize(
    ("changes", "config"),
    [
        ({"loss": "mse"}, {}),
        ({"loss": "softmax_cross_entropy"}, {"class_weights": True}),
        ({"loss": "cross_entropy", "widths": (8, 8, 8, 1)}, {}),
        ({"loss": "mse", "task": "regression"}, {}),
    ],
)
def test_without_an_undecided_answer_the_first_loss_is_not_judged(
    changes: dict[str, Any], config: dict[str, Any]
) -> None:
    seen = build_evaluation(0, metrics={"val_loss": 1e6})
    assert judge(initial_loss, build_seen(seen, info=build_info(**changes), **config)).verdict == "unknown"


def test_later_losses_are_not_first_losses() -> None:
    seen = build_evaluation(50, metrics={"val_loss": 1e6})
    signals = build_seen(seen, info=build_info(loss="softmax_cross_entropy"))
    assert judge(initial_loss, signals).verdict == Verdict.UNKNOWN
