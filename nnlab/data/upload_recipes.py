"""What is to become of an upload's columns: target, inputs, steps, and which rows validate."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from nnlab.data.config import TASKS
from nnlab.data.csv_columns import CsvColumn
from nnlab.data.csv_tables import MIN_ROWS, build_table, looks_like_an_identifier
from nnlab.data.errors import DataError
from nnlab.data.frames import Table, listing
from nnlab.data.parts import Shares, part_codes
from nnlab.data.recipes import Recipe, steps_from_list

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nnlab.data.frames import FloatArray

KINDS = ("numeric", "categorical")
DROPS = ("numeric", "categorical")
ORDER, PART = "\0order", "\0part"  # names that no file can have
_ADDED = ("validation", "test", "test_seed", "parts", "log_target")
"""Fields that older recipes do not have: where they are not used, a recipe is written as it was before."""


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
        validation: share of all rows that validate; None leaves it to the run.
        test: share of all rows that a run is tested on when it has ended.
        test_seed: of the rows that test, which do not depend on the run's seed of the split.
        parts: column that says of each row whether it trains, validates or tests; None for shares.
        log_target: learn log(1 + target); regression only.
    """

    target: str
    inputs: Mapping[str, str]
    task: str = "auto"
    drop: tuple[str, ...] = ()
    steps: tuple[Mapping[str, Any], ...] = ()
    order: str | None = None
    divide: float = 1.0
    unit: str = ""
    validation: float | None = None
    test: float = 0.0
    test_seed: int = 0
    parts: str | None = None
    log_target: bool = False

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
        if self.log_target and self.divide != 1:
            raise DataError("divide", f"expected 1 for a logarithm of the target, got {self.divide:g}")
        self._check_parts()

    def _check_parts(self) -> None:
        if self.validation is None and self.test:
            raise DataError("validation", "expected a share of the rows that validate beside those that test")
        Shares(validation=0.2 if self.validation is None else self.validation, test=self.test)
        if self.test_seed < 0:
            raise DataError("test_seed", f"expected a seed of at least 0, got {self.test_seed}")
        if self.parts and (self.order or self.test or self.parts in (*self.inputs, self.target)):
            raise DataError(
                "parts",
                f"expected {self.parts!r:.80} to do nothing but name parts, and to be the only one that does",
            )

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
        values = {
            field.name: getattr(self, field.name)
            for field in fields(self)
            if field.name not in _ADDED or getattr(self, field.name) != field.default
        }
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

        The column that orders the rows, or names their parts, is in the frame as ``ORDER`` or ``PART``.

        Raises:
            DataError: if a column is not there or of another kind, or too few rows remain.
        """
        by_name = {column.name: column for column in columns}
        wanted = [*self.inputs, self.target, *filter(None, (self.order, self.parts))]
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
        if self.parts:
            chosen.append(part_codes(by_name[self.parts], PART))
        table = build_table([*chosen, by_name[self.target]], self.target, self.task)
        told = tuple(note for note in table.notes if ORDER not in note and PART not in note)
        return self._learned(self._dropped(replace(table, notes=told)))

    def _dropped(self, table: Table) -> Table:
        names = [name for name, kind in self.inputs.items() if kind in self.drop]
        names += [name for name in (ORDER, PART) if name in table.frame.names]
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

    def _learned(self, table: Table) -> Table:
        """Write the target as it is learned."""
        if table.task != "regression":
            if self.divide != 1 or self.log_target:
                raise DataError(
                    "divide",
                    f"expected a regression to divide the target of, or to take logarithms, got {table.task}",
                )
            return table
        if self.log_target:
            least = float(table.y.min())
            if not least > -1:
                raise DataError(
                    "label",
                    f"expected a target above -1 to take log(1 + x) of, got {least:g}; learn it as it is",
                )
            return replace(table, y=np.log1p(table.y), target_unit=self.unit, target_is_log=True)
        return replace(table, y=table.y / self.divide, target_scale=float(self.divide), target_unit=self.unit)


def without_hidden(table: Table) -> tuple[Table, dict[str, FloatArray]]:
    """Take the columns that order rows, or name their parts, out of a table."""
    hidden = {name: table.frame.column(name) for name in (ORDER, PART) if name in table.frame.names}
    names = [name for name in table.frame.names if name not in hidden]
    return (replace(table, frame=table.frame.select(names)) if hidden else table), hidden


def usual_inputs(columns: Sequence[CsvColumn], target: str) -> dict[str, str]:
    """Choose the columns that are worth an input: not the target, a constant or an identifier."""
    kinds = {column.name: KINDS[1] if column.labels else KINDS[0] for column in columns}
    return {
        column.name: kinds[column.name]
        for column in columns
        if column.name != target and not _is_useless(column.cells, column.labels)
    }


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
