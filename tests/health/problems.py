"""Problems of random numbers: two equal classes and four columns of size 1, unless a test says otherwise."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from nnlab.engine.problem import Problem
from nnlab.health.facts import describe_data
from nnlab.health.signals import Reading, Signals
from nnlab.health.thresholds import THRESHOLDS
from tests.health.builders import CONFIG, build_info

if TYPE_CHECKING:
    from types import ModuleType

    from numpy.typing import NDArray

    from nnlab.engine.records import RunInfo
    from nnlab.health.facts import DataFacts
    from nnlab.health.results import Explanation, Result

TRAIN_ROWS = 120


def build_columns(rows: int = 150, columns: int = 4, seed: int = 0) -> NDArray[np.float64]:
    return np.random.default_rng(seed).standard_normal((rows, columns))


def build_problem(
    x: NDArray[Any] | None = None,
    y: NDArray[Any] | None = None,
    *,
    task: str = "binary",
    train_rows: int = TRAIN_ROWS,
    outputs: int = 1,
) -> Problem:
    x = build_columns() if x is None else x
    y = np.arange(len(x)) % 2 if y is None else y
    train, val = slice(train_rows), slice(train_rows, None)
    return Problem(task, x[train].astype(np.float32), y[train], x[val].astype(np.float32), y[val], outputs)


def build_regression(y: NDArray[Any]) -> Problem:
    return build_problem(y=y.reshape(len(y), -1), task="regression", outputs=y.reshape(len(y), -1).shape[1])


def build_static(
    facts: DataFacts | Problem | None = None, info: RunInfo | None = None, **config: Any
) -> Signals:
    """What is known before step 1."""
    known = describe_data(facts) if isinstance(facts, Problem) else facts
    signals = Signals(info or build_info(), config=CONFIG | config, facts=known)
    signals.reading = Reading.START
    return signals


def judge(check: ModuleType, signals: Signals) -> Result:
    result: Result = check.judge(signals, THRESHOLDS.checks[check.CHECK.id])
    return result


def explain(check: ModuleType, signals: Signals) -> Explanation:
    limits = THRESHOLDS.checks[check.CHECK.id]
    explanation: Explanation = check.explain(signals, limits, check.judge(signals, limits))
    return explanation
