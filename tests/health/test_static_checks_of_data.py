"""The checks of the data: just beyond and just inside their limits, and where there is nothing to judge."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from nnlab.data import shipped
from nnlab.data.config import DataConfig
from nnlab.data.preparation import prepare
from nnlab.engine.config import TrainingConfig
from nnlab.engine.problem import Problem
from nnlab.health.checks import class_balance, leak, unscaled_data
from nnlab.health.events import Severity
from nnlab.health.preflight import preflight
from nnlab.health.results import Result, Verdict
from nnlab.health.signals import Reading
from tests.health.builders import build_evaluation, build_info
from tests.health.problems import (
    TRAIN_ROWS,
    build_columns,
    build_problem,
    build_regression,
    build_static,
    explain,
    judge,
)

if TYPE_CHECKING:
    from types import ModuleType

    from numpy.typing import NDArray

ALARMING, SHOWN = (Verdict.HIT, None), (Verdict.HIT, Severity.INFO)
SILENT = (Verdict.UNKNOWN, None)


def found(result: Result) -> tuple[Verdict, Severity | None]:
    return result.verdict, result.severity


def with_largest(value: float) -> NDArray[np.float64]:
    x = np.clip(build_columns(), -2, 2)
    x[0, 2] = value
    return x


@pytest.mark.parametrize("check", [unscaled_data, leak, class_balance])
def test_a_run_whose_data_nobody_looked_at_is_not_judged(check: ModuleType) -> None:
    assert found(judge(check, build_static())) == SILENT


@pytest.mark.parametrize(
    ("largest", "expected"), [(9.9, SILENT), (10.1, SHOWN), (99.0, SHOWN), (101.0, ALARMING)]
)
def test_inputs_by_their_size(largest: float, expected: Any) -> None:
    signals = build_static(build_problem(with_largest(-largest)))
    assert found(judge(unscaled_data, signals)) == expected


@pytest.mark.parametrize(("mean", "expected"), [(2.0, SILENT), (4.5, SHOWN), (8.0, SHOWN), (14.0, ALARMING)])
def test_inputs_by_their_mean_over_their_deviation(mean: float, expected: Any) -> None:
    x = 0.5 * build_columns()
    x[:, 1] += mean / 2
    assert found(judge(unscaled_data, build_static(build_problem(x)))) == expected


def test_a_pixel_that_is_nearly_always_on_is_not_out_of_scale() -> None:
    x = np.ones((150, 2))
    x[0] = 0.0
    assert found(judge(unscaled_data, build_static(build_problem(x)))) == SILENT


@pytest.mark.parametrize(("factor", "expected"), [(1 / 900, SILENT), (1 / 1100, ALARMING), (0.0, SILENT)])
def test_inputs_by_the_size_of_one_column_over_another(factor: float, expected: Any) -> None:
    x = np.clip(build_columns(), -2, 2)
    x[0], x[:, 3] = 2.0, factor * x[:, 0]
    x[0, 3] = 2.0 * factor
    assert found(judge(unscaled_data, build_static(build_problem(x)))) == expected


@pytest.mark.parametrize(
    ("deviation", "expected"), [(9.0, SILENT), (11.0, SHOWN), (99.0, SHOWN), (110.0, ALARMING)]
)
def test_targets_by_their_variance(deviation: float, expected: Any) -> None:
    y = np.where(np.arange(150) % 2, deviation, -deviation)
    assert found(judge(unscaled_data, build_static(build_regression(y)))) == expected


@pytest.mark.parametrize(("value", "expected"), [(0.0, SILENT), (0.5, SHOWN)])
def test_a_column_that_never_varies_is_shown_unless_it_is_0(value: float, expected: Any) -> None:
    x = build_columns()
    x[:, 3] = value
    assert found(judge(unscaled_data, build_static(build_problem(x)))) == expected


def test_what_harms_is_named_before_what_is_only_worth_knowing() -> None:
    x = with_largest(50.0)
    x[:, 0] += 30.0
    explanation = explain(unscaled_data, build_static(build_problem(x)))
    assert explanation.title.startswith("Shifted inputs: column 1 varies by")
    assert explanation.numbers["largest_input"] == 50


@pytest.mark.parametrize(
    ("problem", "title"),
    [
        (build_problem(with_largest(5000.0)), "Large inputs: column 3 holds numbers up to 5,000"),
        (
            build_regression(1000.0 * (np.arange(150) % 2)),
            "Large targets: they range from 0 to 1,000",
        ),
        (build_problem(np.full((150, 1), 3.0)), "1 input column is always the same"),
        (
            build_problem(np.array([[9.0, 0.001], [-9.0, -0.001]] * 75)),
            "Uneven inputs: column 1 is 9,000 times as large as 2",
        ),
    ],
)
def test_unscaled_data_are_named_with_their_numbers(problem: Problem, title: str) -> None:
    assert explain(unscaled_data, build_static(problem)).title == title


@pytest.mark.parametrize(("value", "mild"), [(50.0, True), (500.0, False)])
def test_what_is_only_worth_knowing_is_told_calmly(value: float, mild: bool) -> None:
    cause = explain(unscaled_data, build_static(build_problem(with_largest(value)))).cause
    assert ("Most networks cope" in cause) is mild


def leaking(rows: int) -> Problem:
    x, y = build_columns(220), np.arange(220) % 2
    x[TRAIN_ROWS : TRAIN_ROWS + rows], y[TRAIN_ROWS : TRAIN_ROWS + rows] = x[:rows], y[:rows]
    return build_problem(x, y)


@pytest.mark.parametrize(
    ("rows", "verdict", "severity"),
    [(0, "unknown", None), (1, "hit", "info"), (5, "hit", "info"), (6, "hit", "warning")],
)
def test_validation_rows_seen_in_training_by_their_share(
    rows: int, verdict: str, severity: str | None
) -> None:
    assert found(judge(leak, build_static(leaking(rows)))) == (verdict, severity)


def test_the_four_rows_of_a_truth_table_are_no_leak() -> None:
    x = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]] * 40)
    problem = build_problem(x, x.sum(axis=1).astype(np.int64) % 2)
    assert found(judge(leak, build_static(problem))) == SHOWN


def test_validation_on_the_training_rows_is_told_as_what_it_is() -> None:
    x = np.concatenate([build_columns(75)] * 2)
    signals = build_static(build_problem(x, np.arange(150) % 75 % 2, train_rows=75))
    assert found(judge(leak, signals)) == SHOWN
    assert explain(leak, signals).title.startswith("Nothing is held out")


@pytest.mark.parametrize(("noise", "severity"), [(0.01, "warning"), (0.05, None)])
def test_a_column_that_is_the_label_is_a_leak(noise: float, severity: str | None) -> None:
    x, y = build_columns(), np.arange(150) % 2
    x[:, 1] = y + noise * x[:, 1]
    signals = build_static(build_problem(x, y))
    result = judge(leak, signals)
    assert result.severity == severity
    if severity:
        assert explain(leak, signals).title == "Leak: column 2 gives the label away"


def test_a_column_that_is_one_of_several_classes_is_a_leak() -> None:
    x, y = build_columns(), np.arange(150) % 3
    x[:, 1] = y == 1
    signals = build_static(build_problem(x, y, task="multiclass", outputs=3))
    assert judge(leak, signals).severity == Severity.WARNING


def test_where_every_column_is_the_label_there_is_nothing_else_to_learn_from() -> None:
    y = np.arange(150) % 2
    assert found(judge(leak, build_static(build_problem(np.column_stack([y, -y]), y)))) == SHOWN


def test_a_few_rows_give_no_label_away() -> None:
    y = np.arange(24) % 2
    problem = build_problem(np.column_stack([y + np.arange(24) * 1e-6, np.arange(24)]), y, train_rows=19)
    assert found(judge(leak, build_static(problem))) == SILENT


@pytest.mark.parametrize(("rare", "expected"), [(12, SILENT), (10, SHOWN), (0, ALARMING)])
def test_classes_by_their_rows(rare: int, expected: Any) -> None:
    y = np.zeros(150, np.int64)
    y[:rare] = 1
    y[TRAIN_ROWS:] = 1
    assert found(judge(class_balance, build_static(build_problem(y=y)))) == expected


def test_a_class_that_only_validation_has_is_shown() -> None:
    signals = build_static(build_problem(task="multiclass", outputs=3))
    assert found(judge(class_balance, signals)) == SHOWN
    assert (
        explain(class_balance, signals).title == "Unequal classes: class 2 has no row at all, class 0 has 60"
    )


def test_targets_that_are_all_the_same_are_a_single_class_too() -> None:
    signals = build_static(build_regression(np.full(150, 3.5)))
    assert found(judge(class_balance, signals)) == ALARMING
    assert explain(class_balance, signals).title == "One target only: all training rows have the same"


def recognised(
    recalls: list[float], again: list[float] | None = None, *, accuracy: float = 0.9, step: int = 400
) -> Result:
    """Two evaluations of three classes, the last of which has 10 of 120 training and 20 validation rows."""
    y = np.concatenate([np.arange(110) % 2, np.full(10, 2), np.arange(80) % 4])
    problem = build_problem(build_columns(200), np.minimum(y, 2), task="multiclass", outputs=3)
    signals = build_static(problem, build_info(steps=2000))
    signals.add_steps(np.full(step, 0.2), np.full(step, 1.0))
    for values in (recalls, again or recalls):
        signals.add_evaluation(build_evaluation(step, accuracy, recall=np.array(values)))
    signals.reading = Reading.EVALUATION
    return judge(class_balance, signals)


@pytest.mark.parametrize(
    ("recall", "verdict", "severity"),
    [(0.29, "hit", "warning"), (0.31, "neutral", None), (0.51, "safe", None)],
)
def test_a_rare_class_by_its_recall(recall: float, verdict: str, severity: str | None) -> None:
    assert found(recognised([0.9, 0.9, recall])) == (verdict, severity)


def test_a_common_class_of_low_recall_is_only_shown() -> None:
    assert found(recognised([0.9, 0.2, 0.9])) == SHOWN


def test_one_evaluation_of_low_recall_is_not_enough() -> None:
    assert recognised([0.9, 0.9, 0.6], [0.9, 0.9, 0.1]).verdict == Verdict.SAFE


@pytest.mark.parametrize("changes", [{"accuracy": 0.36}, {"step": 199}])
def test_recall_is_not_judged_before_the_network_has_learned_anything(changes: dict[str, Any]) -> None:
    assert found(recognised([0.9, 0.9, 0.0], **changes)) == SILENT


def test_a_class_without_validation_rows_has_no_recall() -> None:
    assert recognised([0.9, float("nan"), 0.9]).verdict == Verdict.SAFE


def shipped_problem(dataset: str, recipe: str = "default") -> Problem:
    p = prepare(DataConfig(dataset=dataset, recipe=recipe))
    return Problem(p.task, p.x_train, p.y_train, p.x_val, p.y_val, p.outputs, p.target_scale)


@pytest.mark.parametrize(
    ("dataset", "recipe"),
    [*((dataset, "default") for dataset in shipped.datasets()), ("digits", "raw"), ("iris", "raw")],
)
def test_shipped_data_are_in_order_as_they_are_prepared(dataset: str, recipe: str) -> None:
    events = preflight(TrainingConfig(), shipped_problem(dataset, recipe))
    assert [event for event in events if event.severity is not Severity.INFO] == []


@pytest.mark.parametrize("dataset", ["wine", "breast_cancer", "california_housing", "penguins"])
def test_raw_data_of_large_numbers_are_told_before_any_step_with_the_remedy(dataset: str) -> None:
    data = {"dataset": dataset, "recipe": "raw"}
    event = preflight(TrainingConfig(), shipped_problem(**data), data=data)[0]
    assert (event.kind, event.check, event.severity, event.step) == ("open", "unscaled_data", "warning", 0)
    assert [op.path for op in event.advice[0].ops] == ["data.recipe"]
