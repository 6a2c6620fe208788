"""What is to become of an upload's columns: target, inputs, steps, and which rows validate."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from nnlab.data.columns import OneHot
from nnlab.data.config import TASKS
from nnlab.data.csv_columns import CsvColumn
from nnlab.data.csv_tables import MIN_ROWS, build_table, looks_like_an_identifier
from nnlab.data.errors import DataError
from nnlab.data.filling import Fill
from nnlab.data.frames import Table, listing
from nnlab.data.recipes import Recipe, steps_from_list
from nnlab.data.scaling import Clip, Log, MinMax, ZScore

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nnlab.data.frames import FloatArray
    from nnlab.data.steps import Step

KINDS = ("numeric", "categorical")
DROPS = ("numeric", "categorical")
SCALINGS: Mapping[str, tuple[Step, ...]] = {
    "z-score": (ZScore(),),
    "none": (),
    "0 to 1": (MinMax(),),
    "-1 to 1": (MinMax(low=-1.0, high=1.0),),
    "log": (Log(), ZScore()),
}
ORDER = "\0order"  # a name that no file can have


@dataclass(frozen=True, kw_only=True)
class UploadRecipe:
    """Everything between an upload's columns and the matrices that training sees, but for the split's seed.

    Args:
        target: column to predict.
        inputs: kind by column, ``numeric`` or ``categorical``; columns that are not here are left out.
        task: ``auto`` or a task's name.
        drop: kinds of input columns whose missing cells cost their row.
        steps: as ``Recipe.to_list`` writes them.
        order: column by whose order the last rows validate; None for rows at random.
        divide: what the target is divided by; regression only.
        unit: of the target before it is divided.
    """

    target: str
    inputs: Mapping[str, str]
    task: str = "auto"
    drop: tuple[str, ...] = ()
    steps: tuple[Mapping[str, Any], ...] = ()
    order: str | None = None
    divide: float = 1.0
    unit: str = ""

    def __post_init__(self) -> None:
        if self.task not in TASKS:
            raise DataError("task", f"expected a task among {', '.join(TASKS)}, got {self.task!r:.50}")
        odd = [kind for kind in self.inputs.values() if kind not in KINDS]
        if odd:
            raise DataError("inputs", f"expected kinds among {', '.join(KINDS)}, got {odd[0]!r:.50}")
        if not self.inputs:
            raise DataError("inputs", "expected at least one input column, got none")
        if self.target in self.inputs:
            raise DataError("target", f"expected a target that is no input, got {self.target!r:.80} as both")
        if not 0 < self.divide < math.inf:
            raise DataError("divide", f"expected a number above 0 to divide by, got {self.divide!r:.50}")

    @classmethod
    def from_dict(cls, mapping: Mapping[str, Any]) -> UploadRecipe:
        """Read what ``to_dict`` writes.

        Raises:
            DataError: for anything else.
        """
        known = {field.name for field in fields(cls)}
        unknown = sorted(set(mapping) - known)
        if unknown or not isinstance(mapping.get("target"), str):
            raise DataError("recipe", f"expected a target among {', '.join(sorted(known))}, got {unknown}")
        kinds = {"inputs": Mapping, "drop": list, "steps": list}
        for name, kind in kinds.items():
            if not isinstance(mapping.get(name, kind() if kind is list else None), kind):
                raise DataError(name, f"expected {name} as a {kind.__name__}, got {mapping.get(name)!r:.50}")
        lists = {name: tuple(mapping[name]) for name in ("drop", "steps") if name in mapping}
        return cls(**{**mapping, **lists})

    def to_dict(self) -> dict[str, Any]:
        """Write as plain types."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        lists = {"inputs": dict(self.inputs), "drop": list(self.drop), "steps": [dict(s) for s in self.steps]}
        return values | lists

    @property
    def canonical(self) -> str:
        """The one way to write it as JSON."""
        return json.dumps(self.to_dict(), sort_keys=True, separators=(",", ":"))

    @property
    def hash(self) -> str:
        """The first 12 hex digits of the sha256 of the canonical JSON."""
        return hashlib.sha256(self.canonical.encode()).hexdigest()[:12]

    @property
    def recipe(self) -> Recipe:
        """The steps, ready to be fitted."""
        return Recipe(self.hash, "of an upload", steps_from_list(self.steps))

    def table(self, columns: Sequence[CsvColumn]) -> Table:
        """Choose target and inputs, and drop the rows that lack what is asked for.

        The column of the order, where there is one, is the last of the frame and is called ``ORDER``.

        Raises:
            DataError: if a column is not there or of another kind, or too few rows remain.
        """
        by_name = {column.name: column for column in columns}
        wanted = [*self.inputs, self.target, *([self.order] if self.order else [])]
        missing = [name for name in wanted if name not in by_name]
        if missing:
            raise DataError(
                "inputs", f"expected columns among {listing(tuple(by_name))}, got {missing[0]!r:.80}"
            )
        # In the order of the upload: a database may keep the kinds in another one.
        used = [column for column in columns if column.name in self.inputs]
        chosen = [_as_kind(column, self.inputs[column.name]) for column in used]
        if self.order:
            chosen.append(replace(by_name[self.order], name=ORDER))
        table = build_table([*chosen, by_name[self.target]], self.target, self.task)
        told = tuple(note for note in table.notes if ORDER not in note)
        return self._divided(self._dropped(replace(table, notes=told)))

    def _dropped(self, table: Table) -> Table:
        names = [name for name, kind in self.inputs.items() if kind in self.drop]
        names += [ORDER] if self.order else []
        gaps = (
            np.isnan(table.frame.select(names).values).any(axis=1) if names else np.zeros(len(table.y), bool)
        )
        if not gaps.any():
            return table
        kept = np.flatnonzero(~gaps)
        if len(kept) < MIN_ROWS:
            raise DataError(
                "drop",
                f"expected at least {MIN_ROWS} rows without missing values, got {len(kept)}; fill the gaps",
            )
        note = f"{int(gaps.sum()):,} rows with missing values were left out"
        return replace(table, frame=table.frame.take(kept), y=table.y[kept], notes=(*table.notes, note))

    def _divided(self, table: Table) -> Table:
        if table.task != "regression":
            if self.divide != 1:
                raise DataError("divide", f"expected a regression to divide the target of, got {table.task}")
            return table
        return replace(table, y=table.y / self.divide, target_scale=float(self.divide), target_unit=self.unit)


def without_order(table: Table) -> tuple[Table, FloatArray | None]:
    """Take the column of the order out of a table; None where there is none."""
    if ORDER not in table.frame.names:
        return table, None
    names = [name for name in table.frame.names if name != ORDER]
    return replace(table, frame=table.frame.select(names)), table.frame.column(ORDER)


def usual_inputs(columns: Sequence[CsvColumn], target: str) -> dict[str, str]:
    """Choose the columns that are worth an input: not the target, a constant or an identifier."""
    kinds = {column.name: KINDS[1] if column.labels else KINDS[0] for column in columns}
    return {
        column.name: kinds[column.name]
        for column in columns
        if column.name != target and not _is_useless(column.cells, column.labels)
    }


def steps_of(
    *, numbers: str, categories: str, scaling: str, cap: tuple[float, float, bool] | None
) -> tuple[Mapping[str, Any], ...]:
    """Write a person's choices as steps: cap, scale, fill, one-hot.

    Args:
        numbers: what fills missing numbers, as ``Fill`` names it.
        categories: likewise for categories.
        scaling: a key of ``SCALINGS``.
        cap: lower and upper limit of every number, and whether they are percentiles of the training rows.
    """
    if scaling not in SCALINGS:
        raise DataError("scaling", f"expected a scaling among {', '.join(SCALINGS)}, got {scaling!r:.50}")
    capped = (Clip(low=cap[0], high=cap[1], percentiles=cap[2]),) if cap else ()
    steps = (*capped, *SCALINGS[scaling], Fill(numbers, categories), OneHot())
    return tuple(Recipe("", "", steps).to_list())


def _is_useless(cells: FloatArray, labels: tuple[str, ...]) -> bool:
    present = cells[~np.isnan(cells)]
    constant = not len(present) or present.min() == present.max()
    return constant or (len(present) == len(cells) and looks_like_an_identifier(cells, labels))


def _as_kind(column: CsvColumn, kind: str) -> CsvColumn:
    """Read a column as numbers or as categories."""
    if kind == "numeric" and column.labels:
        raise DataError(
            "inputs", f"column {column.name!r}: expected numbers, got texts such as {column.labels[0]!r:.50}"
        )
    if kind == "numeric" or column.labels:
        return column
    values = np.unique(column.cells[~np.isnan(column.cells)])
    codes = np.where(np.isnan(column.cells), np.nan, np.searchsorted(values, column.cells))
    return CsvColumn(column.name, codes, tuple(repr(value).removesuffix(".0") for value in values.tolist()))
