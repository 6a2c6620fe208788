"""The datasets on offer, and the check of a choice before a run is queued."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from nnlab.data.csv_files import csv_names
from nnlab.data.preparation import prepare
from nnlab.data.shipped import Column, DatasetInfo, datasets

if TYPE_CHECKING:
    from pathlib import Path

    from nnlab.data.config import DataConfig

__all__ = ["Column", "DatasetInfo", "Shape", "check", "csv_names", "datasets"]


@dataclass(frozen=True)
class Shape:
    """What a network needs to know of the data before training.

    Args:
        notes: what the submitter should know, in sentences.
    """

    inputs: int
    outputs: int
    task: str
    train_rows: int
    validation_rows: int
    notes: tuple[str, ...] = ()


def check(config: DataConfig, csv_folder: Path | None = None) -> Shape:
    """Try the preparation itself, so that what passes here also passes in the worker.

    Built-in sets take milliseconds; a CSV file of 20 MB takes seconds once and is then remembered.

    Raises:
        DataError: as ``prepare``.
    """
    prepared = prepare(config, csv_folder)
    return Shape(
        inputs=prepared.x_train.shape[1],
        outputs=prepared.outputs,
        task=prepared.task,
        train_rows=len(prepared.x_train),
        validation_rows=len(prepared.x_val),
        notes=prepared.notes,
    )
