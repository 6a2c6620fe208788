"""Uploads for tests: columns of every kind, a recipe for them, and a library that holds them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from nnlab.data import uploads
from nnlab.data.config import DataConfig
from nnlab.data.csv_columns import CsvColumn
from nnlab.data.treatments import steps_of
from nnlab.data.upload_recipes import UploadRecipe, usual_inputs

ROWS = 60


def build_columns(seed: int = 0, rows: int = ROWS) -> tuple[CsvColumn, ...]:
    """Make rooms, colour and year (each with gaps but the last), an identifier, and a price."""
    random = np.random.default_rng(seed)
    rooms, colour = random.normal(5, 2, rows), random.integers(0, 3, rows).astype(np.float64)
    rooms[3::11], colour[5::13] = np.nan, np.nan
    return (
        CsvColumn("id", np.arange(rows, dtype=np.float64)),
        CsvColumn("rooms", rooms),
        CsvColumn("colour", colour, ("blue", "green", "red")),
        CsvColumn("year", random.permutation(rows).astype(np.float64) + 1900),
        CsvColumn("price", random.normal(300_000, 50_000, rows)),
    )


def build_recipe(**changes: Any) -> UploadRecipe:
    """Describe what a person would choose for these columns without changing anything."""
    choices = {"numbers": "median", "categories": "own", "scaling": "z-score", "cap": None}
    chosen = {key: changes.pop(key, value) for key, value in choices.items()}
    usual = {"target": "price", "inputs": usual_inputs(build_columns(), "price"), "steps": steps_of(**chosen)}
    return UploadRecipe(**(usual | changes))


class Shelf:
    """A library of one upload with one recipe."""

    def __init__(self, columns: Sequence[CsvColumn], chosen: UploadRecipe) -> None:
        self.bytes = uploads.encode(columns)
        self.version = uploads.full_version(self.bytes)[: uploads.DIGITS]
        self.chosen = chosen
        self.readings = 0

    @property
    def config(self) -> DataConfig:
        return DataConfig(dataset=uploads.PREFIX + self.version, recipe=self.chosen.hash)

    def content(self, version: str) -> bytes | None:
        self.readings += 1
        return self.bytes if version == self.version else None

    def recipe(self, version: str, key: str) -> Mapping[str, Any] | None:
        return self.chosen.to_dict() if (version, key) == (self.version, self.chosen.hash) else None

    def recipes(self, version: str) -> Sequence[str]:
        return [self.chosen.hash] if version == self.version else []
