"""Weights & Biases in its offline mode: a transaction log that a later sync would send."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from tests.benchmarks.series.contender import Unable, kept_bytes
from tests.benchmarks.series.contenders import logged

if TYPE_CHECKING:
    from pathlib import Path

DURABILITY = "written by a process of its own, on close at the latest; never synced"


class Offline:
    """A folder of offline runs. It has one path: a dictionary a step."""

    def __init__(self, folder: Path, option: str) -> None:
        os.environ |= {
            "WANDB_MODE": "offline", "WANDB_SILENT": "true", "WANDB_CONSOLE": "off", "WANDB_DIR": str(folder),
            "WANDB_DISABLE_GIT": "true", "WANDB_DISABLE_CODE": "true", "WANDB__DISABLE_STATS": "true",
        }  # fmt: skip
        import wandb  # noqa: PLC0415 - it reads its settings when it is imported

        self._wandb, self._folder = wandb, folder

    def versions(self) -> dict[str, str]:
        """Name the version."""
        return logged.versions(["wandb"])

    def begin(self, steps: int, keys: int) -> None:
        """Make the values, and a new run."""
        self._rows = logged.rows(steps, keys)
        self._run = self._wandb.init(project="benchmark", dir=str(self._folder), reinit="finish_previous")

    def log(self) -> int:
        """Log all rows, and finish."""
        for step, row in enumerate(self._rows):
            self._run.log(row, step=step)
        self._run.finish()
        return sum(map(len, self._rows))

    def readable(self) -> int:
        """Say that there is nothing to read with: an offline run is read after it was sent."""
        raise Unable("an offline run can only be read where it is synced to, so nothing is counted")

    def kept(self) -> int:
        """Give the bytes of everything kept."""
        return kept_bytes(self._folder / "wandb")
