"""Finding CSV datasets: plain files of one folder, and nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nnlab.data.errors import DataError

if TYPE_CHECKING:
    from pathlib import Path

    from nnlab.data.frames import Table


def csv_names(folder: Path | None) -> tuple[str, ...]:
    """List the CSV datasets of the folder, by name."""
    return ()


def load(folder: Path | None, name: str, target: str | None, task: str) -> Table:
    """Read one CSV dataset."""
    raise DataError("dataset", "CSV datasets are not available")
