"""One member of a population on the host: what it is, how far it is, and what its evaluations decide."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from nnlab.engine.patience import Patience, Plateau
from nnlab.engine.records import Ending
from nnlab.engine.schedules import Schedule, make_schedule, total_steps

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from nnlab.engine.config import TrainingConfig
    from nnlab.engine.records import FloatArray


class Stopping(Patience):
    """When to stop early, and which step was the best; its network is kept on the device."""

    best_step = 0

    def counters(self) -> dict[str, Any]:
        """Give what a checkpoint keeps."""
        return {**super().counters(), "step": self.best_step}

    def go_on(self, counters: Mapping[str, Any]) -> None:
        """Take what ``counters`` gave."""
        super().go_on(counters)
        self.best_step = counters["step"]


@dataclass
class Member:
    """A run among others.

    Args:
        index: its place among the configs of its population.
        steps: of its whole run.
    """

    index: int
    config: TrainingConfig
    steps: int
    last_finite_loss: float | None = None
    ended: Ending | None = None
    is_dropped: bool = False
    stopping: Stopping | None = field(init=False)
    plateau: Plateau | None = field(init=False)
    is_scheduled: bool = field(init=False)

    def __post_init__(self) -> None:
        config = self.config
        patience = config.early_stopping_epochs
        self.stopping = None if patience is None else Stopping(patience)
        is_reduced = config.schedule == "reduce_on_plateau"
        self.plateau = Plateau(config.plateau_epochs) if is_reduced else None
        self.is_scheduled = make_schedule(config, self.steps) is not None

    @classmethod
    def of(cls, index: int, config: TrainingConfig, rows: int) -> Member:
        """Build the member of a config on so many training rows."""
        return cls(index, config, total_steps(config, rows))

    @property
    def is_live(self) -> bool:
        """Whether it trains on."""
        return self.ended is None and not self.is_dropped

    def keeps(self, name: str) -> bool:
        """Tell whether an array is part of this member's checkpoints; others' settings may need more."""
        if name == "pinned":
            return bool(self.config.l1) and self.config.optimizer != "ftrl"
        return self.stopping is not None or not name.startswith("best/")

    def counters(self) -> dict[str, Any]:
        """Give what a checkpoint keeps of this."""
        found: dict[str, Any] = {"ended": self.ended, "last_finite_loss": self.last_finite_loss}
        if self.stopping is not None:
            found["best"] = self.stopping.counters()
        if self.plateau is not None:
            found["plateau"] = self.plateau.counters()
        return found

    def go_on(self, counters: Mapping[str, Any]) -> None:
        """Take what ``counters`` gave."""
        self.ended = counters["ended"] and Ending(counters["ended"])
        self.last_finite_loss = counters["last_finite_loss"]
        if self.stopping is not None:
            self.stopping.go_on(counters["best"])
        if self.plateau is not None:
            self.plateau.go_on(counters["plateau"])

    def follow(self, step: int, loss: float) -> bool:
        """Take an evaluation's loss, and draw the consequences; tell whether it is the best so far."""
        stopping = self.stopping
        if self.plateau is not None:
            self.plateau.follow(loss)
        if step == self.steps:
            self.ended = Ending.END
        if stopping is None:
            return False
        is_best = stopping.observe(loss)
        if is_best:
            stopping.best_step = step
        if self.ended is None and stopping.is_over:
            self.ended = Ending.EARLY_STOP
        return is_best


def rates(members: Sequence[Member], first_step: int, steps: int) -> FloatArray:
    """Compute the members' learning rates at some steps. Shapes: (steps, members)."""
    factors: dict[tuple[object, ...], FloatArray] = {}
    found = np.empty((steps, len(members)))
    for column, member in enumerate(members):
        found[:, column] = member.config.learning_rate
        if member.is_scheduled:
            found[:, column] *= _factors(member, first_step, steps, factors)
    return found


def _factors(
    member: Member, first_step: int, steps: int, known: dict[tuple[object, ...], FloatArray]
) -> FloatArray:
    """Compute what a schedule multiplies the rate by; most members share theirs."""
    config, reductions = member.config, 0 if member.plateau is None else member.plateau.reductions
    shape = (config.schedule, config.warmup_steps, config.decay_rate, config.decay_every)
    key = (*shape, member.steps, reductions)
    if key not in known:
        schedule = Schedule(replace(config, learning_rate=1.0), member.steps)
        some = range(first_step, first_step + steps)
        known[key] = np.array([schedule.rate(step, reductions) for step in some])
    return known[key]
