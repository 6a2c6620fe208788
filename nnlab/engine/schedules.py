"""Learning-rate schedules: the rate of a step as a pure function, in float64."""

from __future__ import annotations

from math import cos, pi
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nnlab.engine.config import TrainingConfig


class Schedule:
    """The learning rate of each step: a linear warm-up over w steps to the config's rate, then a decay.

    With t = step - 1 - w steps done since the warm-up, and T steps in the run, the rate is multiplied by

    - constant: 1
    - step: decay_rate^floor(t / decay_every)
    - exponential: decay_rate^(t / decay_every)
    - reduce_on_plateau: decay_rate^reductions, see ``Plateau``
    - cosine: (1 + cos(pi t / (T - w))) / 2, which would be 0 at the step after the last
    """

    def __init__(self, config: TrainingConfig, steps: int) -> None:
        self._config, self._steps = config, steps

    def rate(self, step: int, reductions: int = 0) -> float:
        """Compute the rate of a step, which are 1-based, after so many reductions on a plateau."""
        warm_up = self._config.warmup_steps
        if step <= warm_up:
            return self._config.learning_rate * (step / warm_up)
        return self._config.learning_rate * self._decay(step - 1 - warm_up, reductions)

    def _decay(self, done: int, reductions: int) -> float:
        config = self._config
        if config.schedule == "reduce_on_plateau":
            return float(config.decay_rate**reductions)
        if config.schedule == "step":
            return float(config.decay_rate ** (done // config.decay_every))
        if config.schedule == "exponential":
            return float(config.decay_rate ** (done / config.decay_every))
        if config.schedule == "cosine":
            return 0.5 * (1.0 + cos(pi * done / (self._steps - config.warmup_steps)))
        return 1.0


def make_schedule(config: TrainingConfig, steps: int) -> Schedule | None:
    """Build the config's schedule for a run of so many steps; None where the rate never changes."""
    if config.schedule == "constant" and not config.warmup_steps:
        return None
    return Schedule(config, steps)


def total_steps(config: TrainingConfig, rows: int) -> int:
    """Count the steps of a whole run on so many training rows."""
    return config.steps or (config.epochs or 0) * (rows // config.batch_size)
