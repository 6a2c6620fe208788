"""What probes cost: the time of the steps that they read, beyond that of other steps."""

from __future__ import annotations


class ProbeCost:
    """Seconds of a run's steps so far, and what of it the probes took.

    Where a tier cannot tell the two apart within a step, it gives whole steps: the others say what one costs.
    """

    def __init__(self) -> None:
        self._seconds = self._probes = 0.0
        self._plain_seconds, self._plain_steps = 0.0, 0

    def add_plain(self, steps: int, seconds: float) -> None:
        """Count steps that no probe reads."""
        self._plain_steps += steps
        self._plain_seconds += seconds
        self._seconds += seconds

    def add_probed(self, steps: int, seconds: float) -> None:
        """Count steps that the probes read, with the time to form their sample."""
        if not self._plain_steps:
            return  # nothing to compare with yet
        self._seconds += seconds
        self._probes += max(0.0, seconds - steps * self._plain_seconds / self._plain_steps)

    def add(self, seconds: float, probes: float) -> None:
        """Count steps of which the probes took a known part."""
        self._seconds += seconds
        self._probes += probes

    @property
    def share(self) -> float | None:
        """The probes' share, 0 to 1; None before there is anything to compare."""
        return self._probes / self._seconds if self._seconds > 0.0 else None
