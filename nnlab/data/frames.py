"""Tables in memory: named columns of numbers and of categories, with or without a target."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from nnlab.data.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


@dataclass(frozen=True)
class Categories:
    """The labels of a categorical column; the column holds indices into them.

    Args:
        closed: every label gets an input, seen in training or not, because the labels follow from the recipe
            (buckets) and not from the rows.
    """

    labels: tuple[str, ...]
    closed: bool = False


@dataclass(frozen=True)
class Frame:
    """Named columns of equal length. NaN is a missing cell; categorical columns hold label indices.

    Shapes: values (rows, columns).
    """

    names: tuple[str, ...]
    values: FloatArray
    categories: Mapping[str, Categories] = field(default_factory=dict)

    @property
    def rows(self) -> int:
        """Number of rows."""
        return len(self.values)

    @property
    def numeric(self) -> tuple[str, ...]:
        """Names of the numeric columns."""
        return tuple(name for name in self.names if name not in self.categories)

    def index(self, name: str) -> int:
        """Find a column.

        Raises:
            DataError: if there is none of that name.
        """
        if name not in self.names:
            raise DataError("recipe", f"expected a column among {listing(self.names)}, got {name!r}")
        return self.names.index(name)

    def column(self, name: str) -> FloatArray:
        """Look at one column. Shapes: (rows,)."""
        return self.values[:, self.index(name)]

    def take(self, rows: IntArray) -> Frame:
        """Pick rows, in the order given."""
        return Frame(self.names, self.values[rows], self.categories)

    def select(self, names: Sequence[str]) -> Frame:
        """Pick columns, in the order given."""
        indices = [self.index(name) for name in names]
        kept = {name: self.categories[name] for name in names if name in self.categories}
        return Frame(tuple(names), self.values[:, indices], kept)

    def replaced(self, columns: Mapping[str, FloatArray]) -> Frame:
        """Give columns that are there new values."""
        values = self.values.copy()
        for name, column in columns.items():
            values[:, self.index(name)] = column
        return Frame(self.names, values, self.categories)

    def joined(self, names: Sequence[str], values: FloatArray) -> Frame:
        """Append numeric columns. Shapes: values (rows, len(names))."""
        return Frame((*self.names, *names), np.concatenate([self.values, values], axis=1), self.categories)


@dataclass(frozen=True)
class Table:
    """A dataset as loaded: columns, target and what the target means.

    Shapes: y (rows,); class indices as floats for classes, values for regression.

    Args:
        notes: what a reader should know, in sentences (rows dropped and such).
        target_is_log: y times the scale is log(1 + the target in its own unit).
    """

    frame: Frame
    y: FloatArray
    task: str
    target_name: str
    target_unit: str = ""
    target_scale: float = 1.0
    class_names: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    target_is_log: bool = False

    @property
    def outputs(self) -> int:
        """Units of the output layer."""
        return len(self.class_names) if self.task == "multiclass" else 1

    def version(self) -> str:
        """Name the content: the first 12 hex digits of the sha256 of its canonical bytes."""
        labels = {name: column.labels for name, column in sorted(self.frame.categories.items())}
        head = [self.frame.names, labels, self.task, self.target_name, self.target_scale, self.class_names]
        digest = hashlib.sha256(json.dumps(head, ensure_ascii=True).encode())
        for array in (self.frame.values, self.y):
            canonical = np.ascontiguousarray(array, dtype="<f8") + 0.0  # -0.0 becomes 0.0
            canonical[np.isnan(canonical)] = np.nan  # one bit pattern for all missing cells
            digest.update(canonical.tobytes())
        return digest.hexdigest()[:12]


def listing(names: Sequence[str], limit: int = 20) -> str:
    """Write names for a message, the first ones only where there are many."""
    shown = ", ".join(names[:limit])
    return shown if len(names) <= limit else f"{shown} and {len(names) - limit} more"
