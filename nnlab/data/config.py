"""What a run asks of the data: dataset, recipe and split."""

from __future__ import annotations

import difflib
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from nnlab.data.errors import DataError
from nnlab.data.generators import GENERATORS
from nnlab.data.uploads import PREFIX

if TYPE_CHECKING:
    from collections.abc import Mapping

TASKS = ("auto", "regression", "binary", "multiclass")
VALIDATION_SHARE = (0.05, 0.5)
GENERATED_ROWS = (20, 100_000)
MAX_NOISE = 0.5
MAX_SEED = 2**63 - 1
SWITCHES = (
    "standardise_inputs",
    "standardise_target",
    "drop_constant",
    "drop_duplicates",
    "drop_bad_rows",
)


@dataclass(frozen=True, kw_only=True)
class DataConfig:
    """Choose a dataset, how its columns become inputs, and which rows validate.

    Args:
        dataset: key of the catalogue, the name of a CSV file (ending in ``.csv``), or ``upload:`` and the
            first 12 digits of an upload's version.
        recipe: key of one of the dataset's recipes; of an upload, the 12 digits of a saved one.
        target: column to predict; CSV files only, None for the last column.
        task: ``auto`` or a task's name; CSV files only.
        validation_share: share of the rows that validate, 0.05 to 0.5.
        split_seed: seed of the split; for generated sets of the points, too.
        rows: points to generate, 20 to 100,000; generated sets only.
        noise: 0 to 0.5; generated sets only.
        standardise_inputs: bring every input to mean 0 and standard deviation 1, after the recipe.
        standardise_target: learn (y - mean) / sd; regression only. Errors are told in the target's unit.
        drop_constant: leave out columns that do not vary in the training rows, before the recipe.
        drop_duplicates: leave out rows that repeat another, before the split.
        drop_bad_rows: leave out rows with missing numbers, or ones beyond 1e15, before the split.

    Raises:
        DataError: for a wrong type, a value outside its range, or a field that the dataset does not take.
    """

    dataset: str
    recipe: str = "default"
    target: str | None = None
    task: str = "auto"
    validation_share: float = 0.2
    split_seed: int = 0
    rows: int | None = None
    noise: float = 0.0
    standardise_inputs: bool = False
    standardise_target: bool = False
    drop_constant: bool = False
    drop_duplicates: bool = False
    drop_bad_rows: bool = False

    def __post_init__(self) -> None:
        _check_text("dataset", self.dataset)
        _check_text("recipe", self.recipe)
        if self.target is not None:
            _check_text("target", self.target)
        if self.task not in TASKS:
            raise DataError("task", f"expected a task among {', '.join(TASKS)}, got {self.task!r}")
        _check_number("validation_share", self.validation_share, *VALIDATION_SHARE)
        _check_integer("split_seed", self.split_seed, 0, MAX_SEED)
        if self.rows is not None:
            _check_integer("rows", self.rows, *GENERATED_ROWS)
        _check_number("noise", self.noise, 0.0, MAX_NOISE)
        for name in SWITCHES:
            _check_switch(name, getattr(self, name))
        self._check_fields_fit_the_dataset()

    @property
    def is_csv(self) -> bool:
        """Whether the dataset is a file of the CSV folder."""
        return self.dataset.endswith(".csv") and not self.is_upload

    @property
    def is_upload(self) -> bool:
        """Whether the dataset was uploaded."""
        return self.dataset.startswith(PREFIX)

    @property
    def is_generated(self) -> bool:
        """Whether the dataset is made from a formula."""
        return self.dataset in GENERATORS

    def _check_fields_fit_the_dataset(self) -> None:
        given = {"rows": self.rows is not None, "noise": self.noise != 0}
        for name, is_given in given.items():
            if is_given and not self.is_generated:
                raise DataError(
                    name, f"{name} is for generated datasets ({', '.join(GENERATORS)}); leave it out"
                )
        given = {"target": self.target is not None, "task": self.task != "auto"}
        for name, is_given in given.items():
            if is_given and not self.is_csv:
                raise DataError(
                    name, f"{name} is for CSV datasets; {self.dataset!r} has its own, leave it out"
                )

    @classmethod
    def from_dict(cls, mapping: Mapping[str, Any]) -> DataConfig:
        """Build from plain types, as a form or a JSON document holds them.

        Raises:
            DataError: for an unknown or missing key too; an unknown one is answered with the nearest known.
        """
        known = [field.name for field in fields(cls)]
        for key in mapping:
            if key not in known:
                near = difflib.get_close_matches(str(key), known, n=1, cutoff=0.0)[0]
                raise DataError(str(key), f"unknown data field {key!r}; did you mean {near!r}?")
        if "dataset" not in mapping:
            raise DataError("dataset", "expected a dataset, got none")
        return cls(**mapping)

    def to_dict(self) -> dict[str, Any]:
        """Write as plain types, in the order of the fields; switches only where they are on.

        So a config reads, and is hashed, as it was before there was a switch that it does not use.
        """
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: value for name, value in values.items() if name not in SWITCHES or value}


def _check_text(name: str, value: object) -> None:
    if not isinstance(value, str) or not value or len(value) > 200:
        raise DataError(name, f"expected a text of 1 to 200 characters as {name}, got {value!r:.100}")


def _check_switch(name: str, value: object) -> None:
    if not isinstance(value, bool):
        raise DataError(name, f"expected true or false as {name}, got {value!r:.100}")


def _check_number(name: str, value: object, low: float, high: float) -> None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or not low <= value <= high:  # type: ignore[operator]
        raise DataError(name, f"expected {name} between {low:g} and {high:g}, got {value!r}")


def _check_integer(name: str, value: object, low: int, high: int) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise DataError(name, f"expected a whole number from {low:,} to {high:,} as {name}, got {value!r}")
