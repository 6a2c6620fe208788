"""Findings that need no training: of a configuration and its data alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nnlab.engine.training import describe
from nnlab.health.facts import describe_data
from nnlab.health.monitor import Monitor

if TYPE_CHECKING:
    from collections.abc import Mapping

    from nnlab.engine.config import TrainingConfig
    from nnlab.engine.problem import Problem
    from nnlab.health.events import AlertEvent
    from nnlab.health.facts import DataFacts


def preflight(
    config: TrainingConfig,
    problem: Problem,
    *,
    data: Mapping[str, object] | None = None,
    facts: DataFacts | None = None,
) -> list[AlertEvent]:
    """Tell what a run of this config would be told before its first step.

    Args:
        config: what would be trained.
        problem: what it would be trained on.
        data: the data config in plain values, which some advice changes.
        facts: of the problem, where they are known already.

    Raises:
        ConfigError: for a config that does not fit the problem.
    """
    values = config.to_dict() | ({} if data is None else {"data": dict(data)})
    known = describe_data(problem) if facts is None else facts
    return Monitor(describe(config, problem), values, facts=known).start()
