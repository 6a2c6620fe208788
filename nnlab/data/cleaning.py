"""What a run may ask for besides a recipe: rows and columns left out, inputs and target standardised."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from nnlab.data.errors import DataError

if TYPE_CHECKING:
    from nnlab.data.config import DataConfig
    from nnlab.data.frames import FloatArray, Frame, IntArray, Table
    from nnlab.data.steps import Parameters

LARGEST = 1e15  # the squares of larger numbers are next to the end of float32's range
MIN_ROWS = 10


def clean_rows(config: DataConfig, table: Table) -> Table:
    """Leave out the rows that a config does not want: before the split, so that no part sees them.

    Raises:
        DataError: if fewer than ten rows remain.
    """
    for is_wanted, field, what, find in (
        (config.drop_bad_rows, "drop_bad_rows", "with missing or huge numbers", _good_rows),
        (config.drop_duplicates, "drop_duplicates", "that repeat another", _first_rows),
    ):
        if not is_wanted:
            continue
        kept = find(table)
        if len(kept) < MIN_ROWS:
            raise DataError(
                field,
                f"expected at least {MIN_ROWS} rows to remain, got {len(kept)} of {table.frame.rows:,};"
                " keep the rows and choose a recipe that fills or scales them",
            )
        dropped = table.frame.rows - len(kept)
        note = (f"{dropped:,} rows {what} were left out",) if dropped else ()
        table = replace(table, frame=table.frame.take(kept), y=table.y[kept], notes=(*table.notes, *note))
    return table


def _good_rows(table: Table) -> IntArray:
    cells = np.c_[table.frame.values, table.y]
    return np.flatnonzero((np.abs(cells) <= LARGEST).all(axis=1))  # NaN is not


def _first_rows(table: Table) -> IntArray:
    """Find the rows that differ from all before them, inputs or target; missing cells are alike."""
    cells = np.c_[table.frame.values, table.y] + 0.0  # -0.0 becomes 0.0
    seen = {row.tobytes(): index for index, row in reversed(list(enumerate(cells)))}
    return np.sort(np.fromiter(seen.values(), np.int64))


def varying_columns(train: Frame) -> tuple[str, ...]:
    """Name the columns with at least two different cells in the training rows."""
    columns = {name: train.column(name) for name in train.names}
    present = {name: cells[~np.isnan(cells)] for name, cells in columns.items()}
    return tuple(name for name, cells in present.items() if len(cells) and cells.min() < cells.max())


def fit_inputs(train: Frame) -> Parameters:
    """Learn mean and standard deviation of every input column; a constant one is only centred."""
    found = {}
    for name in train.names:
        cells = train.column(name)
        low, high = cells.min(), cells.max()
        found[name] = (float(cells.mean()), float(cells.std()) if low < high else 1.0)
    return found


def standardised(frame: Frame, found: Parameters) -> Frame:
    """Bring every input column to mean 0 and standard deviation 1 of the training rows."""
    mean, deviation = np.array([found[name] for name in frame.names]).T
    return replace(frame, values=(frame.values - mean) / deviation)


def fit_target(table: Table, y_train: FloatArray) -> tuple[float, float]:
    """Learn mean and standard deviation of a regression's target.

    Raises:
        DataError: for classes, or a target that does not vary.
    """
    if table.task != "regression":
        raise DataError(
            "standardise_target",
            f"expected a regression to standardise, got a {table.task} task; switch it off",
        )
    mean, deviation = float(y_train.mean()), float(y_train.std())
    if not 0 < deviation < np.inf:
        raise DataError(
            "standardise_target",
            f"expected a target that varies within float's range, got a standard deviation of {deviation:g}",
        )
    return mean, deviation
