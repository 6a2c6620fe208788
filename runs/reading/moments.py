"""What a metric of every layer was at one step."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from runs.reading.windows import SeriesWindow, read_windows
from runs.store.numbers import MAX_SERIES

_COLUMNS = 500
_MOST_LOOKS = 4  # each is some hundred times closer than the one before


@dataclass(frozen=True)
class Moment:
    """The last values of layers up to a step.

    Args:
        step: at which they were measured.
        values: by layer; NaN for a layer that was not measured then.
    """

    step: int
    values: Mapping[int, float]


def last_measured(run_id: int, metric: str, step: int | None = None) -> Moment | None:
    """Read what a metric of the layers was when it was last measured, up to a step; None where it never was.

    However long the run, a few looks find it: each reads the last column of the one before.
    """
    first: int | None = None
    windows: list[SeriesWindow] = []
    for _ in range(_MOST_LOOKS):
        windows = _of_layers(run_id, metric, first, step)
        if not windows or all(found.is_whole for found in windows):
            break
        first = min(int(found.read.first_steps[-1]) for found in windows)
    if not windows:
        return None
    at = max(int(found.read.last_steps[-1]) for found in windows)
    return Moment(at, {found.layer: _last(found, at) for found in windows if found.layer is not None})


def _of_layers(run_id: int, metric: str, first: int | None, last: int | None) -> list[SeriesWindow]:
    if first is not None and last is not None and first > last:
        return []
    windows = read_windows([run_id], [metric], columns=_COLUMNS, first=first, last=last, most=MAX_SERIES)
    return [found for found in windows if found.layer is not None and len(found.read)]


def _last(found: SeriesWindow, at: int) -> float:
    return float(found.read.mean[-1]) if int(found.read.last_steps[-1]) == at else float(np.nan)
