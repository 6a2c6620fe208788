"""What training would see of an upload: the first rows of its matrix, and every range before and after."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from nnlab.data.config import DataConfig
from nnlab.data.csv_columns import CsvColumn
from nnlab.data.frames import listing
from nnlab.data.preparation import Prepared
from nnlab.data.upload_recipes import UploadRecipe
from runs.pages.formats import number

ROWS = 20
COLUMNS = 30
RANGES = 200
NAMED = 6  # columns in a sentence
_WORDS = {
    "clip": "{who}: capped at the {limits} {low:g} and {high:g}",
    "z-score": "{who}: mean 0 and standard deviation 1",
    "log": "{who}: the logarithm of 1 + x, with the sign of x",
    "fill": "missing numbers become the {numbers}, missing categories {categories}",
    "one-hot": "categories become a column of 0 and 1 each, at most {limit} of them and \u201cother\u201d",
    "min-max": "{who}: brought onto {low:g} to {high:g}",
    "bucketise": "{who}: {buckets}",
}
_FILLED = {"own": "a category of their own", "most frequent": "the most frequent one"}


@dataclass(frozen=True)
class Range:
    """One column of the matrix: where it comes from, and its range before and after."""

    name: str
    source: str
    before: str
    after: str


def preview_context(columns: Sequence[CsvColumn], chosen: UploadRecipe, prepared: Prepared) -> dict[str, Any]:
    """Collect what the page of a recipe shows."""
    x, y = prepared.x_train, prepared.y_train.reshape(len(prepared.y_train))
    target = [
        prepared.class_names[int(value)] if prepared.class_names else f"{value:.7g}"
        for value in y[:ROWS].tolist()
    ]
    return {
        "prepared": prepared,
        "train_rows": len(x),
        "validation_rows": len(prepared.x_val),
        "test_rows": 0 if prepared.x_test is None else len(prepared.x_test),
        "share": chosen.validation or DataConfig.validation_share,
        "head": prepared.feature_names[:COLUMNS],
        "matrix": [
            ([number(cell) for cell in row], label)
            for row, label in zip(x[:ROWS, :COLUMNS].tolist(), target, strict=True)
        ],
        "ranges": [_range(columns, chosen, prepared, place) for place in range(min(x.shape[1], RANGES))],
        "steps": [_in_words(step) for step in chosen.steps],
    }


def _range(columns: Sequence[CsvColumn], chosen: UploadRecipe, prepared: Prepared, place: int) -> Range:
    name, cells = prepared.feature_names[place], prepared.x_train[:, place]
    after = _between(float(cells.min()), float(cells.max()))
    sources = [
        column for column in columns if column.name in chosen.inputs and _is_made_of(name, column.name)
    ]
    source = max(sources, key=lambda column: len(column.name))
    if source.labels:
        return Range(name, source.name, f"{len(source.labels)} categories", after)
    return Range(
        name, source.name, _between(float(np.nanmin(source.cells)), float(np.nanmax(source.cells))), after
    )


def _is_made_of(feature: str, column: str) -> bool:
    return feature == column or feature.startswith(f"{column}: ")


def _between(low: float, high: float) -> str:
    return f"{number(low)} to {number(high)}"


def _in_words(step: Mapping[str, Any]) -> str:
    """Say what a step does, of those that the form of a recipe offers."""
    columns = [step["column"]] if "column" in step else step.get("columns")
    edges = ", ".join(f"{edge:g}" for edge in step.get("edges", ()))
    values = {
        **step,
        "limits": "percentiles" if step.get("percentiles") else "values",
        "who": listing(tuple(columns), NAMED) if columns else "all numbers",
        "buckets": f"buckets at {edges}" if edges else f"{step.get('quantiles')} buckets, equally full",
    }
    values["categories"] = _FILLED.get(str(step.get("categories")), "")
    return _WORDS.get(step["step"], str(step["step"])).format(**values)
