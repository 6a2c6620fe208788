"""The datasets that come with the package: their descriptions and their arrays."""

from __future__ import annotations

import hashlib
import io
import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

from nnlab.data.errors import DataError
from nnlab.data.frames import Categories, Frame, Table

if TYPE_CHECKING:
    from collections.abc import Mapping

DESCRIPTIONS = Path(__file__).with_name("datasets.json")
FILES = Path(__file__).with_name("files")


@dataclass(frozen=True)
class Column:
    """A column of a dataset before any recipe.

    Args:
        kind: ``numeric`` or ``categorical``.
        missing: cells without a value.
        labels: of a categorical column.
    """

    name: str
    kind: str
    unit: str = ""
    missing: int = 0
    labels: tuple[str, ...] = ()


@dataclass(frozen=True)
class DatasetInfo:
    """What the catalogue says about a dataset.

    Args:
        rows: for a generated set the number made where the user names none.
        target_scale: what one unit of the stored target is worth in ``target_unit``.
        target_cap: value at which the target was cut off, as stored; None where it was not.
        image_shape: of a row, where rows are pictures.
        recipes: keys and titles.
        data_licence: as generally stated by the publisher; ``licence`` is that of the package it came in.
    """

    key: str
    title: str
    task: str
    rows: int
    columns: tuple[Column, ...]
    target_name: str
    target_unit: str
    target_scale: float
    target_cap: float | None
    classes: tuple[str, ...]
    image_shape: tuple[int, ...] | None
    recipes: tuple[tuple[str, str], ...]
    licence: str
    data_licence: str
    citation: str
    generated: bool


@cache
def descriptions() -> Mapping[str, Mapping[str, Any]]:
    """Read ``datasets.json``, by key."""
    items = json.loads(DESCRIPTIONS.read_text(encoding="utf-8"))
    return MappingProxyType({item["key"]: item for item in items})


@cache
def datasets() -> Mapping[str, DatasetInfo]:
    """List the shipped and the generated datasets, by key."""
    return MappingProxyType({key: _info(item) for key, item in descriptions().items()})


@cache
def load(key: str) -> Table:
    """Read a shipped dataset. The file's sha256 is checked once in a process.

    Raises:
        DataError: if the file is not the one described.
    """
    entry, info = descriptions()[key], datasets()[key]
    content = (FILES / f"{key}.npz").read_bytes()
    found = hashlib.sha256(content).hexdigest()
    if found != entry["file"]["sha256"]:
        raise DataError(
            "dataset",
            f"expected {key}.npz with sha256 {entry['file']['sha256']}, got {found}; reinstall nnlab",
        )
    with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
        x, y = arrays["x"].astype(np.float64), arrays["y"].astype(np.float64)
    x.flags.writeable = y.flags.writeable = False
    categories = {column.name: Categories(column.labels) for column in info.columns if column.labels}
    return Table(
        frame=Frame(tuple(column.name for column in info.columns), x, categories),
        y=y,
        task=info.task,
        target_name=info.target_name,
        target_unit=info.target_unit,
        target_scale=info.target_scale,
        class_names=info.classes,
    )


def _info(item: Mapping[str, Any]) -> DatasetInfo:
    target, shape = item["target"], item["image_shape"]
    return DatasetInfo(
        key=item["key"],
        title=item["title"],
        task=item["task"],
        rows=item["rows"],
        columns=tuple(
            Column(c["name"], c["kind"], c["unit"], c["missing"], tuple(c["values"])) for c in item["columns"]
        ),
        target_name=target["name"],
        target_unit=target["unit"],
        target_scale=target["scale"],
        target_cap=target["cap"],
        classes=tuple(target["classes"]),
        image_shape=tuple(shape) if shape else None,
        recipes=tuple((recipe["key"], recipe["title"]) for recipe in item["recipes"]),
        licence=item["licence"]["package"],
        data_licence=item["licence"]["data"],
        citation=item["citation"],
        generated=item["generator"] is not None,
    )
