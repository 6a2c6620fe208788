"""What a step of a recipe is: fitted on training rows, applied to any rows."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, ClassVar, TypeAlias

import numpy as np

from nnlab.data.errors import DataError

if TYPE_CHECKING:
    from nnlab.data.frames import FloatArray, Frame

Numbers: TypeAlias = tuple[float, ...]
Parameters: TypeAlias = Mapping[str, Numbers]
"""What fitting found, by column name."""


@dataclass(frozen=True)
class Step(ABC):
    """One change to a table. Everything it learns from rows is in what ``fit`` returns.

    Args:
        kind: the step's name in JSON.
    """

    kind: ClassVar[str]

    def fit(self, _train: Frame, /) -> Parameters:
        """Learn the parameters from the training rows.

        Raises:
            DataError: if the step does not fit the columns.
        """
        return {}

    @abstractmethod
    def apply(self, frame: Frame, parameters: Parameters, /) -> Frame:
        """Change a table by parameters learned before."""

    def to_dict(self) -> dict[str, Any]:
        """Write as plain types."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        plain = {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}
        return {"step": self.kind, **plain}


@dataclass(frozen=True)
class ColumnStep(Step):
    """A step that changes each of its numeric columns by itself. Missing cells stay missing.

    Args:
        columns: names; none means every numeric column.
    """

    columns: tuple[str, ...] = ()

    def fit(self, train: Frame) -> Parameters:
        """Learn each column's parameters from its cells that are not missing."""
        names = self.columns or train.numeric
        return {name: self.fit_column(name, present_cells(train, name)) for name in names}

    def apply(self, frame: Frame, parameters: Parameters) -> Frame:
        """Change each column by its own parameters."""
        return frame.replaced(
            {name: self.transform(frame.column(name), found) for name, found in parameters.items()}
        )

    def fit_column(self, _name: str, _cells: FloatArray, /) -> Numbers:
        """Learn one column's parameters from cells without gaps."""
        return ()

    @abstractmethod
    def transform(self, cells: FloatArray, found: Numbers, /) -> FloatArray:
        """Change the cells of one column."""


def present_cells(train: Frame, name: str) -> FloatArray:
    """The cells of a numeric column that are not missing.

    Raises:
        DataError: for a column of categories, or one without any cell.
    """
    if name in train.categories:
        raise DataError("recipe", f"expected a numeric column, got {name!r}, which holds categories")
    cells = train.column(name)
    cells = cells[~np.isnan(cells)]
    if not len(cells):
        raise DataError("recipe", f"column {name!r} has no value in the training rows; leave it out")
    return cells
