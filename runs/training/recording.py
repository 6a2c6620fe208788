"""What a worker writes while it trains: points into chunks, summaries onto the run, events into alerts.

Every flush is one transaction that begins with a conditional UPDATE of the run: where the fencing token no
longer fits, nothing is written and the worker learns that the run was taken from it.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from types import MappingProxyType
from typing import Any
from uuid import UUID

import numpy as np
from django.db import transaction
from numpy.typing import NDArray

from nnlab import versions
from nnlab.engine.native import library
from nnlab.engine.records import Evaluation, Records, RunInfo, Sample, Snapshot
from nnlab.health.monitor import AlertEvent
from nnlab.series.batch import Key, Points
from runs import attempts
from runs.models import Run, Writer
from runs.store import network_snapshots, trace
from runs.store.checkpoints import Keeper, State
from runs.store.journal import in_order
from runs.store.narration import Narrator
from runs.store.rewinding import rewind
from runs.training import delivery
from runs.training.delivery import Delivery
from runs.training.findings import Findings

LAYER_PROBES = ("gradient_rms", "delta_rms", "weight_norm", "update_ratio")
HIDDEN_PROBES = ("spread", "zero_share", "saturated_share")


class RunTakenError(RuntimeError):
    """The run is no longer this worker's: it fell silent and another attempt began."""


class Recorder:
    """Buffers the records of one attempt and writes them at each ``flush``."""

    def __init__(self, run_id: int, token: UUID, info: RunInfo) -> None:
        self._run_id = run_id
        self._token = token
        self._info = info
        self._delivery = Delivery(run_id, token)
        self._points: dict[Key, list[Points]] = defaultdict(list)
        self._notes: list[trace.Note] = []
        self._snapshots: list[tuple[int, Snapshot]] = []
        self._traces = 0
        self._summary: dict[str, float | str] = {}
        self._steps_run = 0
        self._probe_share: float | None = None
        self._findings = Findings(run_id)
        self._keeper = Keeper(run_id)
        self._narrator = Narrator(run_id, info)

    def start(
        self,
        target_unit: str,
        data_version: str = "",
        *,
        after: int | None = None,
        summary: Mapping[str, float | str] = MappingProxyType({}),
        keeps_alerts: bool = False,
        note: str = "",
    ) -> None:
        """Write what is known before step 1, and remove what an earlier attempt left.

        Args:
            target_unit: of the values that a regression predicts.
            data_version: names the content of the data, which a file of the same name may not have later.
            after: the step of the checkpoint that this attempt goes on from; points up to it stay.
            summary: as it was at that step.
            keeps_alerts: they stay as they are: this attempt tells all events from the start of the run on,
                and those that are stored are known by their number.
            note: what there is to say of the attempt's checkpoints.

        Raises:
            RunTakenError: if the run is no longer this worker's.
        """
        delivery.clear(self._run_id)
        tier, isa = self._info.tier, isa_of(self._info.tier)
        self._summary, self._steps_run = dict(summary), after or 0
        with transaction.atomic():
            self._update(
                info=_described(self._info, target_unit, data_version),
                tier=tier,
                isa=isa,
                probe_share=None,
                headline=self._info.headline,
                summary=self._summary,
                score=self._score,
                steps_run=self._steps_run,
            )
            attempts.describe(self._run_id, after=after or 0, tier=tier, isa=isa, note=note)
            rewind(self._run_id, after)
            self._traces = trace.rewind(self._run_id, after)
            network_snapshots.rewind(self._run_id, after)
            Writer.objects.filter(run_id=self._run_id).delete()
            self._findings.begin(keeps_alerts=keeps_alerts)
            self._keeper.begin(anew=after is None)
            self._narrator.begin(isa=isa, data_version=data_version, after=after, note=note)

    def record(self, records: Records, events: Iterable[AlertEvent]) -> None:
        """Take what one chunk of steps yielded."""
        steps = np.arange(records.first_step, records.first_step + len(records.losses))
        self._extend(("train_loss", None), steps, records.losses)
        sampled = ~np.isnan(records.gradient_norms)
        self._extend(("gradient_norm", None), steps[sampled], records.gradient_norms[sampled])
        self._extend(("learning_rate", None), steps[: len(records.learning_rates)], records.learning_rates)
        self._notes += trace.notes_of(records)
        self._snapshots += [
            (found.step, found.snapshot) for found in records.evaluations if found.snapshot is not None
        ]
        self._record_samples(records.samples)
        self._record_evaluations(records.evaluations)
        self._narrator.evaluated(records.evaluations)
        self.record_events(events)
        self._steps_run = max(self._steps_run, records.last_step)
        self._probe_share = self._probe_share if records.probe_share is None else records.probe_share

    def record_events(self, events: Iterable[AlertEvent]) -> None:
        """Take what the health monitor says without new steps."""
        self._narrator.happened(self._findings.take(events))

    def keep(self, data: bytes, origin: Mapping[str, str]) -> None:
        """Take a checkpoint of the run as it stands after the last records; the next flush writes it.

        It is then written in the transaction that writes the last of these records.
        """
        self._keeper.take(State(self._steps_run, data, dict(self._summary), origin, versions.health_code()))
        self._narrator.kept(self._steps_run, len(data))

    @property
    def keeping_seconds(self) -> float:
        """How long writing checkpoints took so far."""
        return self._keeper.seconds

    def flush(self, *, final: bool = False) -> bool:
        """Write everything taken since the last flush, or nothing at all.

        Returns whether everything is written, the checkpoint that was taken among it. Where the database is
        away the points wait on this host, and later flushes bring them.

        Args:
            final: the attempt has ended: the points are sealed.

        Raises:
            RunTakenError: if the run is no longer this worker's.
        """
        points = {key: in_order(parts) for key, parts in self._points.items()}
        self._points.clear()
        self._narrator.flushing(final=final)
        try:
            self._keeper.write_ahead(self._guard)
            written = self._delivery.deliver(points, self._write_standing, self._write_news, final=final)
        except RunTakenError:
            self._delivery.abandon()
            raise
        if written:
            self._findings.written()
            self._traces += bool(self._notes)
            self._notes.clear()
            self._snapshots.clear()
            self._keeper.written()
            self._narrator.log.written()
        self._narrator.delivered(written=written, step=self._steps_run)
        return written and self._keeper.state is None

    @property
    def _score(self) -> float | None:
        score = self._summary.get(self._info.headline)
        return score if isinstance(score, float) else None

    def _write_standing(self) -> None:
        self._update(
            steps_run=self._steps_run,
            probe_share=self._probe_share,
            summary=self._summary,
            score=self._score,
        )

    def _write_news(self) -> None:
        self._findings.write()
        if self._notes:
            trace.write(self._run_id, self._traces, self._notes)
        if self._snapshots:
            network_snapshots.write(self._run_id, self._snapshots)
        self._keeper.complete()
        self._narrator.log.write()

    def _guard(self) -> None:
        self._update(token=self._token)

    def _update(self, **values: Any) -> None:
        if not Run.objects.filter(pk=self._run_id, token=self._token).update(**values):
            raise RunTakenError(f"run {self._run_id} is no longer ours; what was not yet written is dropped")

    def _record_samples(self, samples: Sequence[Sample]) -> None:
        steps = np.array([sample.step for sample in samples], dtype=np.int64)
        for metric in (*LAYER_PROBES, *HIDDEN_PROBES):
            self._extend_layers(metric, steps, [getattr(sample, metric) for sample in samples])

    def _record_evaluations(self, evaluations: Sequence[Evaluation]) -> None:
        # All have those of the task, and a run's last those of the test rows.
        for metric in evaluations[-1].metrics if evaluations else ():
            told = [(found.step, found.metrics[metric]) for found in evaluations if metric in found.metrics]
            steps, values = (np.array(part) for part in zip(*told, strict=True))
            self._extend((metric, None), steps.astype(np.int64), values.astype(np.float64))
        full = [evaluation for evaluation in evaluations if not evaluation.is_brief]
        steps = np.array([evaluation.step for evaluation in full], dtype=np.int64)
        self._extend_layers("dead_share", steps, [evaluation.dead_share for evaluation in full])

    def _extend_layers(
        self, metric: str, steps: NDArray[np.int64], rows: Sequence[NDArray[np.float64]]
    ) -> None:
        for layer, values in enumerate(np.array(rows, dtype=np.float64).T.copy()):
            self._extend((metric, layer), steps, values)

    def _extend(self, key: Key, steps: NDArray[np.int64], values: NDArray[np.float64]) -> None:
        if not len(steps):
            return
        self._points[key].append((steps, values))
        if key[1] is None:
            self._summary[key[0]] = float(values[-1]) if math.isfinite(values[-1]) else _spelled(values[-1])


def _described(info: RunInfo, target_unit: str, data_version: str) -> dict[str, Any]:
    facts = {key: _plain(value) for key, value in asdict(info).items()}
    names = [info.layer_name(layer) for layer in range(info.layers)]
    return {**facts, "layer_names": names, "target_unit": target_unit, "data_version": data_version}


def isa_of(tier: str) -> str:
    """Name the instruction set of the native tier: its builds differ in rounding."""
    found = library.load() if tier == "native" else None
    return found.isa if found else ""


def _plain(value: object) -> object:
    if isinstance(value, float) and not math.isfinite(value):
        return _spelled(value)
    return list(value) if isinstance(value, tuple) else value


def _spelled(value: float) -> str:
    """Spell a number that JSON cannot hold."""
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
