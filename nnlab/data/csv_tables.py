"""From typed CSV columns to a table: the target, its task and its classes."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from nnlab.data.errors import DataError
from nnlab.data.frames import Categories, Frame, Table, listing

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nnlab.data.csv_columns import CsvColumn
    from nnlab.data.frames import FloatArray

MIN_ROWS = 10
MAX_CLASSES = 50
MIN_REGRESSION_VALUES = 21
"""A numeric target with fewer distinct values is taken for classes."""


def build_table(columns: Sequence[CsvColumn], target: str | None, task: str) -> Table:
    """Choose the target among the columns, drop rows that lack it and settle the task.

    Args:
        columns: of equal length, at least two.
        target: name of a column, None for the last one.
        task: ``auto`` or a task's name.

    Raises:
        DataError: if the target is not there, too few rows remain or the target does not fit the task.
    """
    chosen = _target(columns, target)
    present = ~np.isnan(chosen.cells)
    dropped = int((~present).sum())
    if present.sum() < MIN_ROWS:
        raise DataError(
            "dataset", f"expected at least {MIN_ROWS} rows with a {chosen.name!r}, got {int(present.sum())}"
        )
    features = [column for column in columns if column is not chosen]
    kept = [column.cells[present] for column in features]
    frame = Frame(
        tuple(column.name for column in features),
        np.stack(kept, axis=1),
        {column.name: Categories(column.labels) for column in features if column.labels},
    )
    notes = [f"{dropped} rows without a {chosen.name} were left out"] if dropped else []
    notes += [
        f"column {column.name} has a different value in every row and looks like an identifier"
        for column, cells in zip(features, kept, strict=True)
        if looks_like_an_identifier(cells, column.labels)
    ]
    y = replace(chosen, cells=chosen.cells[present])
    return _with_task(frame, y, task, tuple(notes))


def _target(columns: Sequence[CsvColumn], target: str | None) -> CsvColumn:
    if target is None:
        return columns[-1]
    named = [column for column in columns if column.name == target]
    if not named:
        known = listing([column.name for column in columns])
        raise DataError("target", f"expected a column among {known}, got {target!r}")
    return named[0]


def _with_task(frame: Frame, target: CsvColumn, task: str, notes: tuple[str, ...]) -> Table:
    values, codes = np.unique(target.cells, return_inverse=True)
    if len(values) < 2:
        raise DataError("target", f"expected different values in {target.name!r}, got the same in every row")
    if task == "regression" and target.labels:
        raise DataError(
            "task",
            f"expected numbers in {target.name!r} for regression, got texts such as {target.labels[0]!r}",
        )
    if task == "regression" or (
        task == "auto" and not target.labels and len(values) >= MIN_REGRESSION_VALUES
    ):
        return Table(frame, target.cells, "regression", target.name, notes=notes)
    if len(values) > MAX_CLASSES:
        raise DataError(
            "task", f"expected at most {MAX_CLASSES} classes in {target.name!r}, got {len(values):,}"
        )
    if task == "binary" and len(values) != 2:
        raise DataError("task", f"expected 2 classes in {target.name!r} for a binary task, got {len(values)}")
    names = [
        target.labels[int(value)] if target.labels else repr(float(value)).removesuffix(".0")
        for value in values
    ]
    settled = "binary" if len(values) == 2 and task != "multiclass" else "multiclass"
    return Table(frame, codes.astype(np.float64), settled, target.name, class_names=tuple(names), notes=notes)


def looks_like_an_identifier(cells: FloatArray, labels: tuple[str, ...]) -> bool:
    """Whether every row has a text of its own, or a running number."""
    if labels:
        return len(labels) >= len(cells)
    return bool((np.diff(cells) == 1).all())
