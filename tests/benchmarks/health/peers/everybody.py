"""All peers, by name."""

from __future__ import annotations

from math import log
from typing import TYPE_CHECKING

import numpy as np

from tests.benchmarks.health.datasets import problem_of
from tests.benchmarks.health.peers import (
    autotrainer,
    debugger,
    deepdiagnosis,
    deeplocalize,
    default,
    thedeepchecker,
    trivial,
    umlaut,
)
from tests.benchmarks.health.probe import probe_of

if TYPE_CHECKING:
    from nnlab.engine.problem import Problem
    from nnlab.engine.records import Records, RunInfo
    from tests.benchmarks.health.alarms import Alarm
    from tests.benchmarks.health.training import Run

TITLES = {
    "autotrainer": "AutoTrainer",
    "debugger_500": "SageMaker Debugger, every 500 steps",
    "debugger_1": "SageMaker Debugger, at every look",
    "deepdiagnosis": "DeepDiagnosis",
    "deeplocalize": "DeepLocalize",
    "thedeepchecker": "TheDeepChecker",
    "default": "DEFault, pooled gradient",
    "umlaut": "UMLAUT",
    "always": "always alarm",
    "thirty_percent": "no better than a constant at 30 %",
}
SAVED = 500


def replay(run: Run, records: Records, info: RunInfo) -> dict[str, tuple[Alarm, ...]]:
    """Let every peer watch a run; its alarms come in the order of their steps."""
    probe, problem = probe_of(run), problem_of(run.case.data)
    found = {
        "autotrainer": autotrainer.replay(probe, -(-info.steps // info.steps_per_epoch)),
        "debugger_500": debugger.replay(probe, SAVED),
        "debugger_1": debugger.replay(probe, 1),
        "deepdiagnosis": deepdiagnosis.replay(probe, _labels(problem)),
        "deeplocalize": deeplocalize.replay(probe),
        "thedeepchecker": thedeepchecker.replay(probe, _uniform_loss(info)),
        "default": default.replay(probe),
        "umlaut": umlaut.replay(probe, run.values, info, problem),
        "always": trivial.always(),
        "thirty_percent": trivial.thirty_percent(records, info),
    }
    return {name: tuple(sorted(alarms, key=lambda alarm: alarm.step)) for name, alarms in found.items()}


def _labels(problem: Problem) -> tuple[float, float]:
    if problem.task != "regression":
        return 0.0, 1.0
    y = np.asarray(problem.y_train, np.float64)
    return float(y.min()), float(y.max())


def _uniform_loss(info: RunInfo) -> float | None:
    if info.task == "regression" or "entropy" not in info.loss:
        return None
    return log(max(2, info.widths[-1]))
