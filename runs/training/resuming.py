"""Going on from a run's checkpoint: whether that is possible here, and what the monitor has to read again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from nnlab import versions
from nnlab.engine import checkpoints
from nnlab.engine.errors import CheckpointError
from runs.models import Checkpoint
from runs.store.checkpoints import data_of
from runs.training.rebuilding import NotRebuiltError, rebuilt

if TYPE_CHECKING:
    from nnlab.engine.config import TrainingConfig
    from nnlab.engine.problem import Problem
    from nnlab.health.events import AlertEvent
    from nnlab.health.monitor import Monitor
    from runs.models import Run

__all__ = ["Found", "NotRebuiltError", "find", "is_watched_alike", "origin", "read_again"]

# What the numbers of a run depend on, and how people call it.
_WORDS = {
    "engine": "engine",
    "numpy": "NumPy",
    "tier": "tier",
    "isa": "instruction set",
    "data": "version of the data",
}


@dataclass(frozen=True)
class Found:
    """What there is to go on from.

    Args:
        checkpoint: None where the run has to begin anew.
        data: its bytes.
        why_anew: in words, where there is a checkpoint that cannot be used.
    """

    checkpoint: Checkpoint | None = None
    data: bytes = b""
    why_anew: str = ""


def origin(tier: str, isa: str, data_version: str) -> dict[str, str]:
    """Name what the numbers of a run depend on, here and now: resumed elsewhere they would be others."""
    return {
        "engine": versions.engine_code(),
        "numpy": versions.numbers()["numpy"],
        "tier": tier,
        "isa": isa,
        "data": data_version,
    }


def find(run_id: int, here: dict[str, str], config: TrainingConfig, problem: Problem) -> Found:
    """Look for a checkpoint from which a run goes on to the same numbers as if it had never stopped.

    Args:
        here: what ``origin`` says of this worker.
    """
    kept = Checkpoint.objects.filter(pk=run_id).first()
    if kept is None:
        return Found()
    before = f"It began anew, for its checkpoint at step {kept.step:,}"
    others = [
        f"{word} {kept.origin.get(name) or 'none'} instead of {here[name] or 'none'}"
        for name, word in _WORDS.items()
        if kept.origin.get(name) != here[name]
    ]
    if others:
        return Found(why_anew=f"{before} is of {', '.join(others)}.")
    data = data_of(kept)
    try:
        checkpoints.Checkpoint.from_bytes(data).check(config.to_dict(), checkpoints.fingerprint(problem))
    except CheckpointError as error:
        return Found(why_anew=f"{before} cannot be read: {error}.")
    return Found(kept, data)


def is_watched_alike(kept: Checkpoint) -> bool:
    """Whether the rules that watched the run up to its checkpoint are those of here and now."""
    return kept.health == versions.health_code()


def read_again(monitor: Monitor, run: Run) -> list[AlertEvent]:
    """Let a new monitor read all that is stored of a run: it then stands where the one before stood.

    Returns everything that it says meanwhile, from the start of the run on.

    Raises:
        NotRebuiltError: where points are missing.
    """
    return [*monitor.start(), *monitor.observe(rebuilt(run).records)]
