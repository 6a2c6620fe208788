"""Runs of cases: trained once for each version of the engine, and then read from ``build/bench-health``."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from nnlab.engine.config import TrainingConfig
from nnlab.engine.errors import EngineError
from nnlab.engine.training import describe, joined, train
from nnlab.health.facts import describe_data
from nnlab.health.monitor import Monitor
from tests.benchmarks.health import mechanisms, traces
from tests.benchmarks.health.datasets import DataUnknownError, problem_of
from tests.benchmarks.pipes import ROOT

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from nnlab.engine.records import Records, RunInfo
    from nnlab.health.monitor import AlertEvent
    from tests.benchmarks.health.cases import Case
    from tests.benchmarks.health.mechanisms import Mechanism

BUILD = ROOT / "build" / "bench-health"


@dataclass(frozen=True)
class Run:
    """A case trained with one seed."""

    case: Case
    seed: int

    @property
    def values(self) -> dict[str, Any]:
        """The run's configuration as the product keeps it."""
        config = TrainingConfig.from_dict(self.case.training | {"seed": self.seed})
        return config.to_dict() | {"data": dict(self.case.data)}

    @property
    def path(self) -> Path:
        """Where its records are kept."""
        return BUILD / engine_version() / f"{self.case.key}-{self.seed}.npz"


@cache
def engine_version() -> str:
    """Name the engine by its sources: 12 hex digits."""
    found = hashlib.sha256()
    folder = ROOT / "nnlab" / "engine"
    for path in sorted(folder.rglob("*")):
        if path.suffix in {".py", ".cpp", ".h"}:
            found.update(path.read_bytes())
    return found.hexdigest()[:12]


def checked(case: Case) -> Case:
    """Add why a case cannot be trained, where it cannot."""
    if case.unable:
        return case
    try:
        info_of(Run(case, 0))
    except (EngineError, DataUnknownError) as error:
        return replace(case, unable=str(error))
    return case


def info_of(run: Run) -> RunInfo:
    """Tell what a run will be.

    Raises:
        EngineError: where the engine cannot train it.
        DataUnknownError: where there is no such data.
    """
    config = TrainingConfig.from_dict(run.case.training | {"seed": run.seed})
    return describe(config, problem_of(run.case.data))


def records_of(run: Run) -> Records:
    """Give the records of a run; train it where nobody has."""
    if run.path.exists():
        return traces.load(run.path)
    return _trained(run)


def mechanism_of(run: Run) -> Mechanism:
    """Tell what happened inside a run; train it again where nobody has looked."""
    path = run.path.with_suffix(".layers")
    if not path.exists():
        _trained(run)
    return mechanisms.load(path)


def _trained(run: Run) -> Records:
    config, problem = (
        TrainingConfig.from_dict(run.case.training | {"seed": run.seed}),
        problem_of(run.case.data),
    )
    training = train(config, problem)
    with np.errstate(all="ignore"):
        records = joined(list(training))
    found = mechanisms.measured(config, problem, training.trainer.network)
    mechanisms.save(run.path.with_suffix(".layers"), found)
    traces.save(run.path, records)
    return records


def events_of(run: Run, records: Records) -> list[AlertEvent]:
    """Let the product's own monitor watch the run."""
    facts = describe_data(problem_of(run.case.data))
    monitor = Monitor(info_of(run), run.values, facts=facts)
    return [*monitor.start(), *monitor.observe(records), *monitor.close()]


def runs_of(cases: Sequence[Case]) -> list[Run]:
    """Give all runs of the cases that can be trained."""
    return [Run(case, seed) for case in cases if not case.unable for seed in range(case.seeds)]
