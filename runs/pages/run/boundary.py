"""What a run's network says all over the plane of its two inputs, after each snapshot."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from django.conf import settings
from numpy.typing import NDArray

from nnlab.data.config import DataConfig
from nnlab.data.errors import DataError
from nnlab.data.preparation import Prepared, prepare
from nnlab.engine.answering import Answerer
from nnlab.engine.config import TrainingConfig
from runs.charts.boundary import MOST_CLASSES, Cloud, Judged, Names, Plane, boundary
from runs.charts.chart import Chart, FloatArray
from runs.models import Run, Source
from runs.store.network_snapshots import Kept

GRID = 100  # answers along each side of the picture
MOST_POINTS = 400  # of each part of the data, evenly chosen
MOST_ROWS = 20_000  # that a page prepares
_ROOM = 0.06  # of the data's range, on each side


@dataclass(frozen=True)
class Asked:
    """A run's data, and its network on them and on the grid."""

    data: Prepared
    grid: tuple[FloatArray, FloatArray]
    answerer: Answerer
    training: Answerer
    validation: Answerer


def boundary_of(run: Run, found: Sequence[Kept], at: Kept) -> Chart | None:
    """Draw the boundary after a snapshot; None for a run that has none to draw."""
    if at.snapshot.parameters is None or not _has_plane(run):
        return None
    try:
        data = prepare(DataConfig.from_dict(run.config["data"]), Path(settings.CSV_FOLDER))
    except DataError:  # a file that was deleted or replaced
        return None
    if data.x_train.shape[1] != 2 or len(data.class_names) > MOST_CLASSES:
        return None
    asked = _ask(run, data)
    unit = f"{data.target_name} ({data.target_unit})" if data.target_unit else data.target_name
    return boundary(
        "boundary",
        "Decision boundary" if data.class_names else "Predictions over the inputs",
        _plane(asked, at.snapshot.parameters),
        [
            _cloud("training", data, data.x_train, data.y_train),
            _cloud("validation", data, data.x_val, data.y_val, is_open=True),
        ],
        names=Names((data.feature_names[0], data.feature_names[1]), data.class_names, unit),
        judged=[
            _judged(asked, one.step, one.snapshot.parameters)
            for one in found
            if one.snapshot.parameters is not None
        ],
        step=at.step,
    )


def _has_plane(run: Run) -> bool:
    """Whether a run's network has two inputs, and can be asked here."""
    info: Mapping[str, Any] = run.info
    rows = int(info.get("train_rows") or 0) + int(info.get("validation_rows") or 0)
    is_ours = run.source == Source.ENGINE and not run.config["training"].get("batch_norm")
    return bool(is_ours and info.get("inputs") == 2 and rows <= MOST_ROWS)


def _ask(run: Run, data: Prepared) -> Asked:
    config = TrainingConfig.from_dict(run.config["training"])
    x, y = (_side(np.concatenate([data.x_train[:, place], data.x_val[:, place]])) for place in (0, 1))
    points = np.stack([part.ravel() for part in np.meshgrid(x, y)], axis=1)
    grid, training, validation = (
        Answerer(config, data.task, data.outputs, rows) for rows in (points, data.x_train, data.x_val)
    )
    return Asked(data, (x, y), grid, training, validation)


def _side(cells: NDArray[np.floating]) -> FloatArray:
    low, high = float(cells.min()), float(cells.max())
    room = _ROOM * (high - low) or 1.0
    return np.linspace(low - room, high + room, GRID)


def _plane(asked: Asked, parameters: NDArray[np.float32]) -> Plane:
    x, y = asked.grid
    answers = asked.answerer.answers(parameters).reshape(-1, len(y), len(x))
    return Plane(x, y, answers if asked.data.class_names else _in_unit(asked.data, answers))


def _in_unit(data: Prepared, values: NDArray[Any]) -> FloatArray:
    return np.asarray(values, np.float64) * data.target_scale + data.target_offset


def _cloud(
    name: str, data: Prepared, x: NDArray[np.float32], y: NDArray[np.generic], *, is_open: bool = False
) -> Cloud:
    chosen = np.linspace(0, len(x) - 1, min(MOST_POINTS, len(x))).round().astype(np.int64)
    truth = np.asarray(y)[chosen].reshape(len(chosen))
    cells = x[chosen].astype(np.float64)
    values = truth if data.class_names else _in_unit(data, truth)
    return Cloud(name, cells[:, 0], cells[:, 1], values, is_open)


def _judged(asked: Asked, step: int, parameters: NDArray[np.float32]) -> Judged:
    data = asked.data
    return Judged(
        step,
        _score(data, asked.training, data.y_train, parameters),
        _score(data, asked.validation, data.y_val, parameters),
    )


def _score(
    data: Prepared, answerer: Answerer, truth: NDArray[np.generic], parameters: NDArray[np.float32]
) -> float:
    """Return the share of rows that a network calls right; for regression its RMSE in the target's unit."""
    answers = answerer.answers(parameters)
    if data.class_names:
        return float((answerer.labels(answers) == truth).mean())
    errors = answers.T - np.asarray(truth, np.float64)
    return float(np.sqrt(np.square(errors).mean())) * data.target_scale
