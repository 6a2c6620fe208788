"""TensorBoard: tensorboardX writes event files, TensorBoard's own accumulator reads them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tensorboard.backend.event_processing.event_accumulator import SCALARS, EventAccumulator
from tensorboardX import SummaryWriter

from tests.benchmarks.series.contender import kept_bytes
from tests.benchmarks.series.contenders import logged

if TYPE_CHECKING:
    from pathlib import Path

DURABILITY = "the file is flushed on close and every 120 s, never synced"


class Events:
    """A folder of event files. It has one path: a call for each value."""

    def __init__(self, folder: Path, option: str) -> None:
        self._folder = folder
        self._runs = 0

    def versions(self) -> dict[str, str]:
        """Name the versions."""
        return logged.versions(["tensorboard", "tensorboardX"])

    def begin(self, steps: int, keys: int) -> None:
        """Make the values, and a new run."""
        self._rows = logged.rows(steps, keys)
        self._open()

    def log(self) -> int:
        """Log all rows, and close."""
        add_scalar = self._writer.add_scalar
        for step, row in enumerate(self._rows):
            for name, value in row.items():
                add_scalar(name, value, step)
        self._writer.close()
        return sum(map(len, self._rows))

    def readable(self) -> int:
        """Count the points by the tool's own reader, with nothing thinned."""
        found = self._accumulator(0)
        return sum(len(found.Scalars(tag)) for tag in found.Tags()[SCALARS])

    def kept(self) -> int:
        """Give the bytes of everything kept."""
        return kept_bytes(self._folder)

    def fill(self, steps: int) -> None:
        """Log one series."""
        self._open()
        for step, value in enumerate(logged.loss(steps)):
            self._writer.add_scalar("loss", value, step)
        self._writer.close()

    def read(self) -> dict[str, Any]:
        """Read every point of the last run."""
        return logged.summary_of([event.value for event in self._accumulator(0).Scalars("loss")])

    def chart(self) -> dict[str, Any]:
        """Read what a chart shows, by the tool's own default: 1,000 points a series."""
        found = self._accumulator(1000).Scalars("loss")
        return {**logged.summary_of([event.value for event in found]), "shown": True}

    def resume(self) -> None:
        """Take up the run that an earlier process filled."""
        self._runs = 1
        self._run = self._folder / "run-1"

    def _open(self) -> None:
        self._runs += 1
        self._run = self._folder / f"run-{self._runs}"
        self._writer = SummaryWriter(str(self._run))

    def _accumulator(self, size: int) -> EventAccumulator:
        found = EventAccumulator(str(self._run), size_guidance={SCALARS: size})
        found.Reload()
        return found
