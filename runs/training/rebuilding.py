"""Engine records of past runs, rebuilt from what is stored of them."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from nnlab.engine.records import Evaluation, NonFinite, Records, RunInfo, Sample
from runs.models import Ledger, Run
from runs.reading.series import metric_names, read_series
from runs.store import trace
from runs.training.recording import HIDDEN_PROBES, LAYER_PROBES

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
_Key: TypeAlias = tuple[str, int | None]  # metric and layer
Column = dict[int, float]  # by step

_OF_STEPS = ("train_loss", "gradient_norm", "learning_rate")
_SPELLED = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}
# What these read is in the trace of a run, not in its series.
OF_TRACE = frozenset(
    {
        "nonfinite", "class_balance", "dead_layer", "dormant", "rank_collapse", "linear_collapse",
        "constant_prediction",
    }
)  # fmt: skip


class NotRebuiltError(ValueError):
    """A run whose stored series are not what the monitor has read; the message says why."""


@dataclass(frozen=True)
class Rebuilt:
    """What the monitor has read of a run.

    Args:
        has_trace: whether what no series holds is stored too; without it ``OF_TRACE`` cannot be judged.
    """

    info: RunInfo
    records: Records
    has_trace: bool


def rebuilt(run: Run) -> Rebuilt:
    """Rebuild the records of a run, as one chunk.

    Raises:
        NotRebuiltError: for a run of which points are missing.
    """
    info = _info(run)
    series = _Series(run)
    notes = trace.read([run.pk]).get(run.pk, [])
    losses = series.losses()
    norms = np.full(len(losses), np.nan)
    measured, values = series.points("gradient_norm")
    norms[measured - 1] = values
    _, rates = series.points("learning_rate")
    records = Records(
        first_step=1,
        losses=losses,
        gradient_norms=norms,
        samples=_samples(series, info, _by_step(notes, "sample")),
        evaluations=_evaluations(series, info, _by_step(notes, "evaluation")),
        nonfinite=_nonfinite(_by_step(notes, "nonfinite")),
        learning_rates=rates if len(rates) == len(losses) else np.empty(0),
    )
    return Rebuilt(info, records, bool(notes))


class _Series:
    """All points of a run, by metric and layer.

    Metrics of every step stay arrays: a run may have millions of steps. The others are looked up by step.
    """

    def __init__(self, run: Run) -> None:
        if Ledger.objects.filter(run=run, thinned__gt=0).exists():
            raise NotRebuiltError("points were left out while the database was away")
        names = {*metric_names([run.pk]), *LAYER_PROBES, *HIDDEN_PROBES, "dead_share"}
        self._points: dict[_Key, tuple[IntArray, FloatArray]] = {}
        self._columns: dict[_Key, Column] = {}
        for found in read_series([run.pk], names):
            key = found.metric, found.layer
            if found.metric in _OF_STEPS:
                self._points[key] = found.steps, found.values
            else:
                self._columns[key] = dict(zip(found.steps.tolist(), found.values.tolist(), strict=True))

    def points(self, metric: str) -> tuple[IntArray, FloatArray]:
        """Give the steps and values of a metric of every step; empty where there is no such series."""
        return self._points.get((metric, None), (np.empty(0, np.int64), np.empty(0)))

    def column(self, metric: str, layer: int | None = None) -> Column:
        """Give the points of another series by step; none where there is no such series."""
        return self._columns.get((metric, layer), {})

    def losses(self) -> FloatArray:
        """Give the loss of every step from the first on."""
        steps, losses = self.points("train_loss")
        if not len(steps) or not np.array_equal(steps, np.arange(1, len(steps) + 1)):
            raise NotRebuiltError("its training loss is not stored for every step")
        return losses

    def at(self, metric: str, layers: int, step: int) -> FloatArray:
        """Give the values of all layers at a step; NaN where there is none."""
        return np.array([self.column(metric, layer).get(step, math.nan) for layer in range(layers)])

    def of_evaluations(self) -> Mapping[str, Column]:
        """Give the metrics of the whole run that evaluations yield."""
        return {metric: column for (metric, layer), column in self._columns.items() if layer is None}


def _info(run: Run) -> RunInfo:
    names = {field.name for field in fields(RunInfo)}
    known: dict[str, Any] = {name: _plain(value) for name, value in run.info.items() if name in names}
    try:
        return RunInfo(**known)
    except TypeError as error:
        raise NotRebuiltError("it never began to train, or an older version trained it") from error


def _plain(value: Any) -> Any:
    """Read a value as it was before it became JSON."""
    if isinstance(value, str):
        return _SPELLED.get(value, value)
    return tuple(value) if isinstance(value, list) else value


def _samples(series: _Series, info: RunInfo, notes: Mapping[int, Mapping[str, Any]]) -> tuple[Sample, ...]:
    hidden = info.layers - 1
    found = []
    for step in series.column("delta_rms", 0):
        note = notes.get(step, {"rows": info.batch_size, "silent": []})
        counts = (int(layer not in note["silent"]) for layer in range(hidden))
        values = {metric: series.at(metric, info.layers, step) for metric in LAYER_PROBES}
        values |= {metric: series.at(metric, hidden, step) for metric in HIDDEN_PROBES}
        active = tuple(np.array([count]) for count in counts)
        found.append(Sample(step=step, rows=note["rows"], active_counts=active, **values))
    return tuple(found)


def _evaluations(
    series: _Series, info: RunInfo, notes: Mapping[int, Mapping[str, Any]]
) -> tuple[Evaluation, ...]:
    columns = series.of_evaluations()
    hidden = info.layers - 1
    found = []
    for step in columns.get("val_loss", {}):
        note = notes.get(
            step, {"step": step, "epoch": step // info.steps_per_epoch, "rows": info.validation_rows}
        )
        values: dict[str, Any] = {
            name: np.array(value) if isinstance(value, list) else value for name, value in note.items()
        }
        values["metrics"] = {metric: column[step] for metric, column in columns.items() if step in column}
        values["dead_share"] = series.at("dead_share", hidden, step)
        values["zero_share"] = np.full(hidden, np.nan)
        found.append(Evaluation(**values))
    return tuple(found)


def _nonfinite(notes: Mapping[int, Mapping[str, Any]]) -> NonFinite | None:
    return next((NonFinite(**note) for note in notes.values()), None)


def _by_step(notes: Sequence[Mapping[str, Any]], kind: str) -> dict[int, dict[str, Any]]:
    """Pick the notes of a kind; of two of a step the later one counts."""
    chosen: Collection[Mapping[str, Any]] = [note for note in notes if note["kind"] == kind]
    return {note["step"]: {name: value for name, value in note.items() if name != "kind"} for note in chosen}
