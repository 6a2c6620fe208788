"""Two rules that need no thought, to see what thought is worth."""

from __future__ import annotations

from math import ceil
from typing import TYPE_CHECKING

from nnlab.health.tracks import LossTrack
from tests.benchmarks.health.alarms import Alarm

if TYPE_CHECKING:
    from nnlab.engine.records import Records, RunInfo

SHARE, NO_BETTER = 0.3, 0.98


def always() -> list[Alarm]:
    """Warn of every run."""
    return [Alarm("always", 1)]


def thirty_percent(records: Records, info: RunInfo) -> list[Alarm]:
    """Warn at 30 % of the budget where the average loss is that of the best constant answer, or broken."""
    step = ceil(SHARE * info.steps)
    if len(records.losses) < step:
        return [Alarm("ended early", len(records.losses))] if records.nonfinite else []
    track = LossTrack(info.steps_per_epoch)
    track.add(records.losses[:step].tolist())
    is_stuck = not track.average < NO_BETTER * info.baseline_loss
    return [Alarm("no better than a constant", step)] if is_stuck else []
