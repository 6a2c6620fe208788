"""From a configuration to the matrices that training sees."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from nnlab.data import cleaning, csv_files, generators, recipes, shipped, uploads
from nnlab.data.config import SWITCHES, DataConfig
from nnlab.data.errors import DataError
from nnlab.data.frames import FloatArray, Frame, Table, listing
from nnlab.data.parts import Shares, as_named, drawn, in_order
from nnlab.data.upload_recipes import ORDER, PART, UploadRecipe, without_hidden

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from nnlab.data.csv_columns import CsvColumn
    from nnlab.data.parts import Rows
    from nnlab.data.recipes import Recipe
    from nnlab.data.steps import Parameters


@dataclass(frozen=True)
class Prepared:
    """Training, validation and test rows, ready for the engine. Arrays are read-only.

    Shapes: x (rows, inputs) float32. y by task: regression (rows, 1) float32; binary (rows,) of 0 and 1,
    multiclass (rows,) of class indices, both int64.

    Args:
        target_scale: what one unit of y is worth in ``target_unit``.
        target_offset: what a y of 0 stands for, in ``target_unit``: predictions times ``target_scale`` plus
            this are in the target's own numbers, or log(1 + them) where ``target_is_log``.
        version: of the dataset, 12 hex digits; equal for equal content.
        recipe_hash: 12 hex digits; with ``version`` and the split's seed and share it fixes every number.
        parameters: what each step of the recipe learned from the training rows.
        notes: what a reader should know, in sentences.
        x_test: rows that a run is tested on when it has ended; None for none. Likewise ``y_test``.
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
    target_is_log: bool = False
    x_test: NDArray[np.float32] | None = None
    y_test: NDArray[np.generic] | None = None


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
    share = chosen.validation
    if share is not None and config.validation_share not in (share, DataConfig.validation_share):
        raise DataError(
            "validation_share",
            f"recipe {chosen.hash} says which rows validate ({share:g} of them), got "
            f"{config.validation_share:g}; leave it at {share:g}, or make a recipe with another share",
        )
    shares = Shares(
        validation=config.validation_share if share is None else share,
        test=chosen.test,
        seed=config.split_seed,
        test_seed=chosen.test_seed,
    )
    version = uploads.version_of(config.dataset)
    return _changed(config, chosen.table(columns), chosen.recipe, (version, chosen.hash), shares)


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
    shares = Shares(validation=config.validation_share, seed=config.split_seed)
    return _changed(config, table, found, (table.version(), found.hash), shares)


def _changed(
    config: DataConfig, table: Table, recipe: Recipe, names: tuple[str, str], shares: Shares
) -> Prepared:
    """Split and change a table.

    Args:
        names: of the version and of the recipe.
    """
    table, hidden = without_hidden(cleaning.clean_rows(config, table))
    rows = train_rows, val_rows, test_rows = _split(config, table, hidden, shares)
    parameters, (train, val, test), notes = _fitted(
        config, recipe, *(table.frame.take(part) for part in rows)
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
        version=names[0],
        recipe_hash=_recipe_hash(config, names[1]),
        parameters=parameters,
        notes=(*table.notes, *notes),
        target_is_log=table.target_is_log,
        x_test=_inputs(test, "test") if len(test_rows) else None,
        y_test=_labels(table, (table.y[test_rows] - mean) / deviation) if len(test_rows) else None,
    )


def _fitted(
    config: DataConfig, recipe: Recipe, train: Frame, *others: Frame
) -> tuple[tuple[Parameters, ...], tuple[Frame, Frame, Frame], tuple[str, ...]]:
    """Change all parts by what the training rows teach: parameters, the parts, and what to know of them."""
    val, test = others
    told: tuple[str, ...] = ()
    if config.drop_constant:
        names = cleaning.varying_columns(train)
        left = [name for name in train.names if name not in names]
        told = (f"columns that do not vary were left out: {listing(left)}",) if left else ()
        train, val, test = (part.select(names) for part in (train, val, test))
        recipe = recipe.without(left)
    # Numbers beyond the range of floats are refused later, with their column; warnings would say less.
    with np.errstate(over="ignore", invalid="ignore"):
        parameters, train = recipe.fit(train)
        val, notes = recipe.apply(val, parameters)
        test, more_notes = recipe.apply(test, parameters, "test")
        if config.standardise_inputs and not train.categories:
            found = cleaning.fit_inputs(train)
            train, val, test = (cleaning.standardised(part, found) for part in (train, val, test))
            parameters = (*parameters, found)
    return parameters, (train, val, test), (*told, *notes, *more_notes)


def _split(config: DataConfig, table: Table, hidden: Mapping[str, FloatArray], shares: Shares) -> Rows:
    if ORDER in hidden:
        return in_order(hidden[ORDER], shares)
    # The playground's own split is plain: one shuffle, then the first share.
    stratified = table.task != "regression" and not config.is_generated
    shares = replace(shares, stratified=stratified)
    return as_named(hidden[PART], table.y, shares) if PART in hidden else drawn(table.y, shares)


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
