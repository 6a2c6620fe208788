"""Steps that add, drop or re-code columns."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from nnlab.data.errors import DataError
from nnlab.data.frames import Categories, FloatArray, Frame
from nnlab.data.steps import Numbers, Parameters, Step, present_cells

MAX_INPUTS = 5_000
MAX_CELLS = 25_000_000
MAX_CATEGORIES = 50
MISSING = "missing"


@dataclass(frozen=True)
class Select(Step):
    """Keep these columns, in this order."""

    kind: ClassVar[str] = "select"
    columns: tuple[str, ...]

    def apply(self, frame: Frame, _parameters: Parameters) -> Frame:
        """Keep the columns named."""
        return frame.select(self.columns)


@dataclass(frozen=True)
class Drop(Step):
    """Remove these columns."""

    kind: ClassVar[str] = "drop"
    columns: tuple[str, ...]

    def apply(self, frame: Frame, _parameters: Parameters) -> Frame:
        """Remove the columns named."""
        for name in self.columns:
            frame.index(name)  # a name that is not there is a mistake in the recipe
        return frame.select([name for name in frame.names if name not in self.columns])


@dataclass(frozen=True)
class Ratio(Step):
    """Add the quotient of two numeric columns; missing where the divisor is 0."""

    kind: ClassVar[str] = "ratio"
    over: str
    under: str
    name: str

    def apply(self, frame: Frame, _parameters: Parameters) -> Frame:
        """Append the quotient."""
        under = _numbers(frame, self.under)
        quotient = np.full(frame.rows, np.nan)
        np.divide(_numbers(frame, self.over), under, out=quotient, where=under != 0)
        return frame.joined([self.name], quotient[:, None])


@dataclass(frozen=True)
class Sine(Step):
    """Add sin(x) of numeric columns, x in radians as it stands."""

    kind: ClassVar[str] = "sine"
    columns: tuple[str, ...]

    def apply(self, frame: Frame, _parameters: Parameters) -> Frame:
        """Append the sines."""
        sines = np.stack([np.sin(_numbers(frame, name)) for name in self.columns], axis=1)
        return frame.joined([f"sin {name}" for name in self.columns], sines)


@dataclass(frozen=True)
class Cross(Step):
    """Add the cross of two columns: the product of numbers, the pair of categories.

    Args:
        first: a column; the same as ``second`` for a square.
        name: of the new column; made of both names where empty.
    """

    kind: ClassVar[str] = "cross"
    first: str
    second: str
    name: str = ""

    def apply(self, frame: Frame, _parameters: Parameters) -> Frame:
        """Append the cross."""
        name = self.name or f"{self.first} × {self.second}"
        first, second = frame.column(self.first), frame.column(self.second)
        kinds = {self.first in frame.categories, self.second in frame.categories}
        if len(kinds) == 2:
            raise DataError(
                "recipe",
                f"cannot cross {self.first!r} with {self.second!r}: one holds numbers, one categories; "
                "bucketise the numbers first",
            )
        if kinds == {False}:
            return frame.joined([name], (first * second)[:, None])
        left, right = frame.categories[self.first], frame.categories[self.second]
        labels = tuple(f"{a} × {b}" for a in left.labels for b in right.labels)
        pairs = Categories(labels, closed=left.closed and right.closed)
        joined = frame.joined([name], (first * len(right.labels) + second)[:, None])
        return Frame(joined.names, joined.values, {**frame.categories, name: pairs})


@dataclass(frozen=True)
class Bucketise(Step):
    """Turn one numeric column into the category of the interval that holds it: k edges, k + 1 intervals.

    Args:
        edges: increasing; an edge belongs to the interval above it.
        quantiles: number of intervals with equally many training rows, instead of edges.
    """

    kind: ClassVar[str] = "bucketise"
    column: str
    edges: tuple[float, ...] = ()
    quantiles: int = 0

    def __post_init__(self) -> None:
        if bool(self.edges) == bool(self.quantiles):
            raise DataError(
                "recipe", f"bucketise {self.column!r}: expected either edges or a number of quantiles"
            )
        if self.quantiles and not 2 <= self.quantiles <= MAX_CATEGORIES:
            raise DataError("recipe", f"expected 2 to {MAX_CATEGORIES} quantiles, got {self.quantiles}")
        if not all(a < b for a, b in itertools.pairwise(self.edges)):
            raise DataError(
                "recipe", f"expected increasing edges for {self.column!r}, got {list(self.edges)}"
            )

    def fit(self, train: Frame) -> Parameters:
        """Learn the edges from the quantiles, or take those typed."""
        cells = present_cells(train, self.column)
        if self.edges:
            return {self.column: self.edges}
        inner = np.arange(1, self.quantiles) / self.quantiles
        return {self.column: tuple(np.unique(np.quantile(cells, inner)).tolist())}

    def apply(self, frame: Frame, parameters: Parameters) -> Frame:
        """Replace the numbers by the intervals' indices; missing stays missing."""
        edges = parameters[self.column]
        cells = frame.column(self.column)
        codes = np.where(np.isnan(cells), np.nan, np.searchsorted(edges, cells, side="right"))
        between = [f"{a:g} to {b:g}" for a, b in itertools.pairwise(edges)]
        labels = (f"< {edges[0]:g}", *between, f"≥ {edges[-1]:g}")
        replaced = frame.replaced({self.column: codes})
        categories = {**frame.categories, self.column: Categories(labels, closed=True)}
        return Frame(replaced.names, replaced.values, categories)


@dataclass(frozen=True)
class Impute(Step):
    """Fill missing cells: numbers by the training median, categories by a category of their own.

    A number that training rows lack gets an indicator column beside it.
    """

    kind: ClassVar[str] = "impute"

    def fit(self, train: Frame) -> Parameters:
        """Learn each numeric column's median, and whether cells are missing (1 or 0)."""
        return {
            name: (
                float(np.median(present_cells(train, name))),
                float(np.isnan(train.column(name)).any()),
            )
            for name in train.numeric
        }

    def apply(self, frame: Frame, parameters: Parameters) -> Frame:
        """Fill, and append the indicators."""
        gaps = np.isnan(frame.values)
        filled, categories, indicators = frame.values.copy(), dict(frame.categories), {}
        for index, name in enumerate(frame.names):
            if name in categories:
                labels = categories[name].labels
                labels = labels if MISSING in labels else (*labels, MISSING)
                categories[name] = Categories(labels, categories[name].closed)
                filled[gaps[:, index], index] = labels.index(MISSING)
                continue
            median, has_gaps = parameters[name]
            filled[gaps[:, index], index] = median
            if has_gaps:
                indicators[f"{name}: {MISSING}"] = gaps[:, index].astype(np.float64)
        whole = Frame(frame.names, filled, categories)
        return whole.joined(list(indicators), np.stack(list(indicators.values()), 1)) if indicators else whole


@dataclass(frozen=True)
class OneHot(Step):
    """Replace each categorical column by one column of 0 and 1 for every label seen in training.

    Labels seen in other rows only, and missing cells, become all zeros. Beyond ``limit`` the most frequent
    labels of the training rows keep a column and the rest share "other".
    """

    kind: ClassVar[str] = "one-hot"
    limit: int = MAX_CATEGORIES

    def fit(self, train: Frame) -> Parameters:
        """Learn for each label the index of its column among the new ones, -1 for none."""
        found = {name: self._placed(train.column(name), train.categories[name]) for name in train.categories}
        inputs = len(train.numeric) + sum(_width(places) for places in found.values())
        if inputs > MAX_INPUTS or inputs * train.rows > MAX_CELLS:
            raise DataError(
                "recipe",
                f"expected at most {MAX_INPUTS:,} inputs and {MAX_CELLS:,} cells after one-hot coding, got "
                f"{inputs:,} inputs for {train.rows:,} rows; leave out columns with many categories",
            )
        return found

    def apply(self, frame: Frame, parameters: Parameters) -> Frame:
        """Replace the columns, each new one where its old one stood."""
        names: list[str] = []
        blocks: list[FloatArray] = []
        for name in frame.names:
            if name not in parameters:
                names.append(name)
                blocks.append(frame.column(name)[:, None])
                continue
            places = np.array(parameters[name], dtype=np.int64)
            names += [f"{name}: {label}" for label in self._column_labels(frame.categories[name], places)]
            blocks.append(_indicators(frame.column(name), places))
        return Frame(tuple(names), np.concatenate(blocks, axis=1))

    def unseen(self, frame: Frame, parameters: Parameters) -> dict[str, int]:
        """Count by column the rows whose label has no column of its own, missing cells aside."""
        counts = {}
        for name, places in parameters.items():
            codes = frame.column(name)
            codes = codes[~np.isnan(codes)].astype(np.int64)
            counts[name] = int((np.array(places)[codes] < 0).sum())
        return {name: count for name, count in counts.items() if count}

    def _placed(self, codes: FloatArray, categories: Categories) -> Numbers:
        size = len(categories.labels)
        if categories.closed:
            return tuple(float(code) for code in range(size))
        counts = np.bincount(codes[~np.isnan(codes)].astype(np.int64), minlength=size)
        frequent = np.argsort(-counts, kind="stable")[: self.limit]
        kept = sorted(int(code) for code in frequent if counts[code])
        places = np.where(counts > 0, float(self.limit), -1.0)
        places[kept] = np.arange(len(kept))
        return tuple(places.tolist())

    def _column_labels(self, categories: Categories, places: np.ndarray) -> list[str]:
        width = _width(tuple(places))
        labels = ["other"] * width
        for label, place in zip(categories.labels, places, strict=False):
            if place >= 0 and (categories.closed or place < self.limit):
                labels[place] = label
        return labels


def _width(places: Numbers) -> int:
    return int(max(places, default=-1.0)) + 1


def _indicators(codes: FloatArray, places: np.ndarray) -> FloatArray:
    """Write 1 where a row's label has its place."""
    block = np.zeros((len(codes), _width(tuple(places))))
    rows = np.flatnonzero(~np.isnan(codes))
    at = places[codes[rows].astype(np.int64)]
    block[rows[at >= 0], at[at >= 0]] = 1.0
    return block


def _numbers(frame: Frame, name: str) -> FloatArray:
    if name in frame.categories:
        raise DataError("recipe", f"expected a numeric column, got {name!r}, which holds categories")
    return frame.column(name)
