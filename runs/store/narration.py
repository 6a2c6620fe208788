"""What a recorder says of its run, in words: data and network, epochs, checkpoints, alerts, trouble."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from time import monotonic

from nnlab.engine.records import Evaluation, RunInfo
from nnlab.health.events import AlertEvent
from runs.models.log_lines import Level
from runs.store.log import Log

PROGRESS_SECONDS = 5.0  # between two lines about epochs, at least; the first ones come as they are
_FIRST_EPOCHS = 5
_LEVELS = {"critical": Level.ERROR, "warning": Level.WARNING}


class Narrator:
    """Turns what happens to one attempt at a run into lines of its log."""

    def __init__(self, run_id: int, info: RunInfo) -> None:
        self.log = Log(run_id)
        self._info = info
        self._told = 0  # evaluations so far that have a line
        self._untold = 0
        self._latest: Evaluation | None = None
        self._next = 0.0
        self._is_away = False

    def begin(self, *, isa: str, data_version: str, after: int | None, note: str) -> None:
        """Say what is trained, with what and on what."""
        self.log.begin()
        info = self._info
        tier = f"{info.tier} engine{f' ({isa})' if isa else ''}"
        widths = "-".join(map(str, info.widths))
        self.log.say(f"{tier}: {info.inputs:,} inputs, layers {widths}, {info.parameters:,} parameters")
        version = f", content {data_version}" if data_version else ""
        self.log.say(
            f"data: {info.train_rows:,} rows to train, {info.validation_rows:,} to validate{version}"
        )
        steps = f"{info.steps:,} steps, {info.steps_per_epoch:,} an epoch"
        self.log.say(steps if after is None else f"goes on after step {after:,}; {steps} in all", step=after)
        if note:
            self.log.say(note, Level.WARNING)

    def evaluated(self, evaluations: Sequence[Evaluation]) -> None:
        """Say how the network does after an epoch: each of the first, then one now and then."""
        for found in evaluations:
            self._latest, self._untold = found, self._untold + 1
            if self._told < _FIRST_EPOCHS or monotonic() >= self._next:
                self._tell()

    def happened(self, events: Iterable[AlertEvent]) -> None:
        """Say which alerts opened and resolved."""
        for event in events:
            if event.kind == "resolve":
                self.log.say(f"resolved: {event.title}", step=event.step)
            elif event.kind == "open":
                level = _LEVELS.get(event.severity, Level.INFO)
                self.log.say(f"alert ({event.severity}): {event.title}", level, event.step)

    def kept(self, step: int, size: int) -> None:
        """Say that a checkpoint is written with what comes next."""
        self.log.say(f"checkpoint of step {step:,}, {max(1, round(size / 1024)):,} kB", step=step)

    def flushing(self, *, final: bool) -> None:
        """Say before the last flush what is not said yet."""
        if final and self._untold:
            self._tell()

    def delivered(self, *, written: bool, step: int) -> None:
        """Say when the database goes away, and when it is there again."""
        if written == self._is_away:
            words = (
                "the database answers again" if written else "the database does not answer; points wait here"
            )
            self.log.say(words, Level.INFO if written else Level.WARNING, step)
        self._is_away = not written

    def _tell(self) -> None:
        found = self._latest
        if found is None:
            return
        others = f" ({self._untold:,} evaluations since the last line)" if self._untold > 1 else ""
        metrics = ", ".join(f"{name} {_number(value)}" for name, value in found.metrics.items())
        when = f"epoch {found.epoch:,}" if found.epoch else "before training"
        self.log.say(f"{when}: {metrics}{others}", step=found.step)
        self._told, self._untold = self._told + 1, 0
        self._next = monotonic() + PROGRESS_SECONDS


def _number(value: float) -> str:
    return f"{value:.4g}" if math.isfinite(value) else str(value)
