"""From a configuration to the matrices that training sees."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from nnlab.data import cleaning, csv_files, generators, recipes, shipped, uploads
from nnlab.data.config import SWITCHES
from nnlab.data.errors import DataError
from nnlab.data.frames import FloatArray, Frame, IntArray, Table, listing
from nnlab.data.splits import ordered_split, split
from nnlab.data.upload_recipes import UploadRecipe, without_order

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from nnlab.data.config import DataConfig
    from nnlab.data.csv_columns import CsvColumn
    from nnlab.data.recipes import Recipe
    from nnlab.data.steps import Parameters


@dataclass(frozen=True)
class Prepared:
    """Training and validation rows, ready for the engine. Arrays are read-only.

    Shapes: x (rows, inputs) float32. y by task: regression (rows, 1) float32; binary (rows,) of 0 and 1,
    multiclass (rows,) of class indices, both int64.

    Args:
        target_scale: what one unit of y is worth in ``target_unit``.
        target_offset: what a y of 0 stands for, in ``target_unit``: predictions times ``target_scale`` plus
            this are in the target's own numbers.
        version: of the dataset, 12 hex digits; equal for equal content.
        recipe_hash: 12 hex digits; with ``version`` and the split's seed and share it fixes every number.
        parameters: what each step of the recipe learned from the training rows.
        notes: what a reader should know, in sentences.
    """

    task: str
    x_train: NDArray[np.float32]
    y_train: NDArray[np.generic]
    x_val: NDArray[np.float32]
    y_val: NDArray[np.generic]
    outputs: int
    target_scale: float
    target_unit: str
    target_name: str
    feature_names: tuple[str, ...]
    class_names: tuple[str, ...]
    version: str
    recipe_hash: str
    parameters: tuple[Parameters, ...]
    notes: tuple[str, ...]
    target_offset: float = 0.0


def prepare(config: DataConfig, csv_folder: Path | None = None) -> Prepared:
    """Load, split and change by the recipe, whose parameters come from the training rows only.

    Args:
        config: the dataset, its recipe and the split.
        csv_folder: where CSV datasets lie; None where there are none.

    Raises:
        DataError: if the dataset is unknown, its file not as expected, or the recipe does not fit it.
    """
    if config.is_upload:
        # The recipe first: it is always asked for where uploads are kept, so one that was deleted is refused.
        chosen = UploadRecipe.from_dict(uploads.recipe(config.dataset, config.recipe))
        return prepare_upload(config, uploads.load(config.dataset, csv_folder), chosen)
    if config.is_csv:
        table = csv_files.load(csv_folder, config.dataset, config.target, config.task)
        return _prepared(config, table)
    if config.dataset not in shipped.datasets():
        known = listing(tuple(shipped.datasets()))
        raise DataError(
            "dataset",
            f"unknown dataset {config.dataset!r}; choose among {known}, or name a CSV file ending in '.csv'",
        )
    return _prepared_built_in(config)


def prepare_upload(config: DataConfig, columns: Sequence[CsvColumn], chosen: UploadRecipe) -> Prepared:
    """Prepare an upload by a recipe, saved or not.

    Raises:
        DataError: if the recipe does not fit the columns.
    """
    return _changed(
        config, chosen.table(columns), chosen.recipe, uploads.version_of(config.dataset), chosen.hash
    )


@lru_cache(maxsize=4)
def _prepared_built_in(config: DataConfig) -> Prepared:
    if config.is_generated:
        table = generators.generate(
            config.dataset, rows=config.rows, noise=config.noise, seed=config.split_seed
        )
    else:
        table = shipped.load(config.dataset)
    return _prepared(config, table)


def _prepared(config: DataConfig, table: Table) -> Prepared:
    found = recipes.recipe(config.dataset, config.recipe)
    return _changed(config, table, found, table.version(), found.hash)


def _changed(config: DataConfig, table: Table, recipe: Recipe, version: str, recipe_hash: str) -> Prepared:
    table, order = without_order(cleaning.clean_rows(config, table))
    train_rows, val_rows = _split(config, table, order)
    parameters, train, val, notes = _fitted(
        config, recipe, table.frame.take(train_rows), table.frame.take(val_rows)
    )
    mean, deviation = 0.0, 1.0
    if config.standardise_target:
        mean, deviation = cleaning.fit_target(table, table.y[train_rows])
    return Prepared(
        task=table.task,
        x_train=_inputs(train, "training"),
        y_train=_labels(table, (table.y[train_rows] - mean) / deviation),
        x_val=_inputs(val, "validation"),
        y_val=_labels(table, (table.y[val_rows] - mean) / deviation),
        outputs=table.outputs,
        target_scale=table.target_scale * deviation,
        target_offset=table.target_scale * mean,
        target_unit=table.target_unit,
        target_name=table.target_name,
        feature_names=train.names,
        class_names=table.class_names,
        version=version,
        recipe_hash=_recipe_hash(config, recipe_hash),
        parameters=parameters,
        notes=(*table.notes, *notes),
    )


def _fitted(
    config: DataConfig, recipe: Recipe, train: Frame, val: Frame
) -> tuple[tuple[Parameters, ...], Frame, Frame, tuple[str, ...]]:
    """Change both parts by what the training rows teach: parameters, the parts, and what to know of them."""
    told: tuple[str, ...] = ()
    if config.drop_constant:
        names = cleaning.varying_columns(train)
        left = [name for name in train.names if name not in names]
        told = (f"columns that do not vary were left out: {listing(left)}",) if left else ()
        train, val = train.select(names), val.select(names)
    # Numbers beyond the range of floats are refused later, with their column; warnings would say less.
    with np.errstate(over="ignore", invalid="ignore"):
        parameters, train = recipe.fit(train)
        val, notes = recipe.apply(val, parameters)
        if config.standardise_inputs and not train.categories:
            found = cleaning.fit_inputs(train)
            train, val = cleaning.standardised(train, found), cleaning.standardised(val, found)
            parameters = (*parameters, found)
    return parameters, train, val, (*told, *notes)


def _split(config: DataConfig, table: Table, order: FloatArray | None) -> tuple[IntArray, IntArray]:
    if order is not None:
        return ordered_split(order, config.validation_share)
    # The playground's own split is plain: one shuffle, then the first share.
    stratified = table.task != "regression" and not config.is_generated
    return split(table.y, config.validation_share, config.split_seed, stratified=stratified)


def _recipe_hash(config: DataConfig, found: str) -> str:
    """The recipe's own hash, or where switches are on that of both."""
    switches = [name for name in SWITCHES if getattr(config, name)]
    if not switches:
        return found
    return hashlib.sha256(" ".join([found, *switches]).encode()).hexdigest()[:12]


def _inputs(frame: Frame, part: str) -> NDArray[np.float32]:
    if frame.categories:
        names = listing(tuple(frame.categories))
        raise DataError(
            "recipe", f"columns {names} still hold categories; end the recipe with a one-hot step"
        )
    if not frame.names:
        raise DataError("recipe", "expected at least one input column, the recipe leaves none")
    with np.errstate(over="ignore"):
        x = frame.values.astype(np.float32)
    bad = ~np.isfinite(x).all(axis=0)
    if bad.any():
        name = frame.names[int(bad.argmax())]
        raise DataError(
            "recipe",
            f"column {name!r} has cells that are missing or too large in the {part} rows; "
            "choose a recipe that fills or scales them",
        )
    x.flags.writeable = False
    return x


def _labels(table: Table, y: FloatArray) -> NDArray[np.generic]:
    labels: NDArray[np.generic] = (
        y.astype(np.float32)[:, None] if table.task == "regression" else y.astype(np.int64)
    )
    labels.flags.writeable = False
    return labels
