"""A step that fills missing cells in the way that a recipe names."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from nnlab.data.columns import MISSING
from nnlab.data.errors import DataError
from nnlab.data.frames import Categories, FloatArray, Frame
from nnlab.data.steps import Numbers, Parameters, Step, present_cells

NUMBERS = ("median", "mean")
CATEGORIES = ("own", "most frequent")


@dataclass(frozen=True)
class Fill(Step):
    """Fill missing cells by what the training rows hold.

    Args:
        numbers: ``median``, with a column beside it that says where cells were missing; or ``mean``, without.
            Numbers that were put into buckets are categories by now: gaps that training rows do not have
            become the bucket in the middle.
        categories: ``own`` for a category of their own, or ``most frequent``.
    """

    kind: ClassVar[str] = "fill"
    numbers: str = "median"
    categories: str = "own"

    def __post_init__(self) -> None:
        for name, value, known in (
            ("numbers", self.numbers, NUMBERS),
            ("categories", self.categories, CATEGORIES),
        ):
            if value not in known:
                raise DataError(
                    "recipe", f"fill: expected {name} among {', '.join(known)}, got {value!r:.50}"
                )

    def fit(self, train: Frame) -> Parameters:
        """Learn of a numeric column what fills it and whether cells are missing; of others the code."""
        return {name: self._fitted(train, name) for name in train.names}

    def apply(self, frame: Frame, parameters: Parameters) -> Frame:
        """Fill, and append the columns that say where."""
        filled: dict[str, FloatArray] = {}
        marks: dict[str, FloatArray] = {}
        categories = dict(frame.categories)
        for name in frame.names:
            cells, found = frame.column(name), parameters[name]
            gaps = np.isnan(cells)
            if name in categories and not found:
                labels = categories[name].labels
                labels = labels if MISSING in labels else (*labels, MISSING)
                categories[name] = Categories(labels, categories[name].closed)
                found = (float(labels.index(MISSING)),)
            filled[name] = np.where(gaps, found[0], cells)
            if len(found) > 1 and found[1]:
                marks[f"{name}: {MISSING}"] = gaps.astype(np.float64)
        whole = Frame(frame.names, np.stack(list(filled.values()), axis=1), categories)
        return whole.joined(list(marks), np.stack(list(marks.values()), axis=1)) if marks else whole

    def _fitted(self, train: Frame, name: str) -> Numbers:
        if name not in train.categories:
            cells = present_cells(train, name)
            if self.numbers == "mean":
                return (float(cells.mean()),)
            return float(np.median(cells)), float(np.isnan(train.column(name)).any())
        codes = train.column(name)
        gaps = np.isnan(codes)
        codes = codes[~gaps].astype(np.int64)
        if self.categories == "own":
            # Buckets of numbers are all inputs, seen or not: without gaps, one for missing would never vary.
            never = train.categories[name].closed and len(codes) and not gaps.any()
            return (float(np.sort(codes)[len(codes) // 2]),) if never else ()
        if not len(codes):
            raise DataError("recipe", f"column {name!r} has no value in the training rows; leave it out")
        return (float(np.bincount(codes).argmax()),)
