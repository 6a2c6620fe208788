"""The first layer of a run whose inputs are the pixels of pictures."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any

import numpy as np
from django.conf import settings
from numpy.typing import NDArray

from nnlab.data import shipped
from nnlab.data.config import DataConfig
from nnlab.data.errors import DataError
from nnlab.data.preparation import prepare
from nnlab.engine import checkpoints
from nnlab.engine.errors import CheckpointError
from runs.charts.chart import Chart, step_text
from runs.charts.weight_images import weight_images
from runs.models import Checkpoint, Run, Source
from runs.pages.run.boundary import MOST_ROWS
from runs.store.checkpoints import data_of
from runs.store.network_snapshots import Kept

MOST_BYTES = 32 * 2**20  # of a checkpoint that a page reads
LEAST_SIDE = 4  # of pictures; smaller ones are no pictures
_PIXEL = re.compile(r"(?:pixel|px|p)[ _-]?\d+", re.IGNORECASE)


def images_of(run: Run, at: Kept) -> Chart | None:
    """Draw the weights of the first layer where their pixels are; None where inputs are no pixels.

    Snapshots of large networks keep no weights: the checkpoint has those of its step alone.
    """
    shape = _shape_of(run)
    if shape is None:
        return None
    step, parameters, note = at.step, at.snapshot.parameters, ""
    if parameters is None:
        kept = _of_checkpoint(run)
        if kept is None:
            return None
        step, parameters = kept
        note = f"Of a network of this size only the checkpoint of step {step_text(step)} keeps the weights."
    pixels, units = math.prod(shape), int(run.info["widths"][0])
    if parameters.size < pixels * units:
        return None
    weights = parameters[: pixels * units].reshape(pixels, units)  # as the network's flat vector begins
    return weight_images(
        "first-layer",
        f"What the units of {run.info['layer_names'][0]} look for",
        weights,
        shape,
        step=step,
        note=note,
    )


def _shape_of(run: Run) -> tuple[int, int] | None:
    """Return height and width of the pictures that a run learns from."""
    inputs = run.info.get("inputs")
    if run.source != Source.ENGINE or not inputs or not run.info.get("widths"):
        return None
    known = shipped.datasets().get(run.dataset)
    if known is not None:
        shape = known.image_shape
        return (shape[0], shape[1]) if shape and len(shape) == 2 and math.prod(shape) == inputs else None
    side = math.isqrt(inputs)
    is_square = side * side == inputs and side >= LEAST_SIDE
    return (side, side) if is_square and _has_pixels(run) else None


def _has_pixels(run: Run) -> bool:
    """Whether the columns of a table are called pixel 0, pixel 1 and so on."""
    if int(run.info.get("train_rows") or 0) > MOST_ROWS:
        return False
    try:
        found = prepare(DataConfig.from_dict(run.config["data"]), Path(settings.CSV_FOLDER))
    except DataError:  # a file that was deleted or replaced
        return False
    return all(_PIXEL.fullmatch(name) for name in found.feature_names)


def _of_checkpoint(run: Run) -> tuple[int, NDArray[Any]] | None:
    kept = Checkpoint.objects.filter(run=run, size__lte=MOST_BYTES).first()
    if kept is None:
        return None
    try:
        found = checkpoints.Checkpoint.from_bytes(data_of(kept))
    except CheckpointError:  # another version's, or one that is being replaced
        return None
    return kept.step, np.asarray(found.arrays["parameters"])
