"""What a worker writes while it trains: points into chunks, summaries onto the run, events into alerts.

Every flush is one transaction that begins with a conditional UPDATE of the run: where the fencing token no
longer fits, nothing is written and the worker learns that the run was taken from it.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any
from uuid import UUID

import numpy as np
from django.db import transaction
from django.db.models import F
from numpy.typing import NDArray

from nnlab.engine.native import library
from nnlab.engine.records import Evaluation, Records, RunInfo, Sample
from nnlab.health.monitor import AlertEvent
from nnlab.series.batch import Key, Points
from runs import attempts, delivery
from runs.delivery import Delivery
from runs.models import Alert, Fix, FixPair, Mute, Run, Trace, Writer
from runs.models.alerts import Severity
from runs.notices import outbox
from runs.store import trace
from runs.store.journal import in_order
from runs.store.rewinding import rewind

LAYER_PROBES = ("gradient_rms", "delta_rms", "weight_norm", "update_ratio")
HIDDEN_PROBES = ("spread", "zero_share", "saturated_share")
# The columns of an alert that say what its check says; the others are people's.
_WORKERS = (
    "state", "resolved_step", "severity", "first_step", "last_step", "layers", "layer_names", "value",
    "threshold", "worst_value", "title", "cause", "evidence", "advice", "thresholds_hash", "count",
)  # fmt: skip


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
        self._events: list[AlertEvent] = []
        self._notes: list[trace.Note] = []
        self._traces = 0
        self._summary: dict[str, float | str] = {}
        self._steps_run = 0
        self._probe_share: float | None = None

    def start(self, target_unit: str, data_version: str = "", *, after: int | None = None) -> None:
        """Write what is known before step 1, and remove what an earlier attempt left.

        Args:
            target_unit: of the values that a regression predicts.
            data_version: names the content of the data, which a file of the same name may not have later.
            after: the step of the checkpoint that this attempt goes on from; points up to it stay.

        Raises:
            RunTakenError: if the run is no longer this worker's.
        """
        delivery.clear(self._run_id)
        tier, isa = self._info.tier, _isa(self._info.tier)
        with transaction.atomic():
            self._update(
                info=_described(self._info, target_unit, data_version),
                tier=tier,
                isa=isa,
                probe_share=None,
                headline=self._info.headline,
                summary={},
                score=None,
            )
            attempts.describe(self._run_id, after=after or 0, tier=tier, isa=isa)
            rewind(self._run_id, after)
            traces = Trace.objects.filter(run_id=self._run_id)
            if after is None:
                traces.delete()
            self._traces = traces.count()
            Writer.objects.filter(run_id=self._run_id).delete()
            Alert.objects.filter(run_id=self._run_id).delete()

    def record(self, records: Records, events: Iterable[AlertEvent]) -> None:
        """Take what one chunk of steps yielded."""
        steps = np.arange(records.first_step, records.first_step + len(records.losses))
        self._extend(("train_loss", None), steps, records.losses)
        sampled = ~np.isnan(records.gradient_norms)
        self._extend(("gradient_norm", None), steps[sampled], records.gradient_norms[sampled])
        self._extend(("learning_rate", None), steps[: len(records.learning_rates)], records.learning_rates)
        self._notes += trace.notes_of(records)
        self._record_samples(records.samples)
        self._record_evaluations(records.evaluations)
        self.record_events(events)
        self._steps_run = max(self._steps_run, records.last_step)
        self._probe_share = self._probe_share if records.probe_share is None else records.probe_share

    def record_events(self, events: Iterable[AlertEvent]) -> None:
        """Take what the health monitor says without new steps."""
        self._events.extend(events)

    def flush(self, *, final: bool = False) -> bool:
        """Write everything taken since the last flush, or nothing at all.

        Returns whether everything is written. Where the database is away the points wait on this host, and
        later flushes bring them.

        Args:
            final: the attempt has ended: the points are sealed.

        Raises:
            RunTakenError: if the run is no longer this worker's.
        """
        points = {key: in_order(parts) for key, parts in self._points.items()}
        self._points.clear()
        try:
            written = self._delivery.deliver(points, self._write_standing, self._write_news, final=final)
        except RunTakenError:
            self._delivery.abandon()
            raise
        if written:
            self._events.clear()
            self._traces += bool(self._notes)
            self._notes.clear()
        return written

    def _write_standing(self) -> None:
        score = self._summary.get(self._info.headline)
        self._update(
            steps_run=self._steps_run,
            probe_share=self._probe_share,
            summary=self._summary,
            score=score if isinstance(score, float) else None,
        )

    def _write_news(self) -> None:
        for event in self._events:
            _store_event(self._run_id, event)
        if self._notes:
            trace.write(self._run_id, self._traces, self._notes)

    def _update(self, **values: Any) -> None:
        if not Run.objects.filter(pk=self._run_id, token=self._token).update(**values):
            raise RunTakenError(f"run {self._run_id} is no longer ours; what was not yet written is dropped")

    def _record_samples(self, samples: Sequence[Sample]) -> None:
        steps = np.array([sample.step for sample in samples], dtype=np.int64)
        for metric in (*LAYER_PROBES, *HIDDEN_PROBES):
            self._extend_layers(metric, steps, [getattr(sample, metric) for sample in samples])

    def _record_evaluations(self, evaluations: Sequence[Evaluation]) -> None:
        steps = np.array([evaluation.step for evaluation in evaluations], dtype=np.int64)
        for metric in evaluations[0].metrics if evaluations else ():  # all have those of the task
            values = [evaluation.metrics[metric] for evaluation in evaluations]
            self._extend((metric, None), steps, np.array(values, dtype=np.float64))
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


def _isa(tier: str) -> str:
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


def _store_event(run_id: int, event: AlertEvent) -> None:
    """Apply one event of the health monitor to the alert of its run and check.

    Of a stored alert only the worker's columns are written: somebody may acknowledge or mute it meanwhile.
    """
    alert = Alert.objects.filter(run_id=run_id, check_id=event.check).first()
    is_new = alert is None
    if alert is None:
        alert = Alert(run_id=run_id, check_id=event.check, opened_step=event.step, count=0)
        _mute_as_ordered(alert)
    written = list(_WORKERS)
    is_worse = not is_new and _is_worse(alert, event)
    returned_after = None if alert.resolved_step is None else event.step - alert.resolved_step
    if is_worse:  # than what was acknowledged
        alert.acknowledged_at = alert.acknowledged_by = None
        written += ["acknowledged_at", "acknowledged_by"]
    resolved = event.kind == "resolve"
    alert.state = "resolved" if resolved else "open"
    alert.resolved_step = event.step if resolved else None
    alert.severity = event.severity
    alert.first_step, alert.last_step = event.first_step, event.step
    alert.layers, alert.layer_names = list(event.layers), list(event.layer_names)
    alert.value, alert.threshold = _finite(event.value), _finite(event.threshold)
    alert.worst_value = _worst(alert, event)
    alert.title, alert.cause = event.title, event.cause
    alert.evidence = dict(event.evidence)
    alert.advice = [_advice(advice) for advice in event.advice]
    alert.thresholds_hash = event.thresholds_hash
    alert.count += 1
    alert.save(update_fields=None if is_new else written)
    if (is_new or is_worse) and not resolved:
        outbox.announce(alert, returned_after=returned_after)


def _mute_as_ordered(alert: Alert) -> None:
    """Mute a new alert where a sick run is trained again on purpose, or its check is muted in the project."""
    compared = FixPair.objects.filter(before=alert.run_id, before__sweep=F("fix__sweep"))
    fix = Fix.objects.filter(pairs__in=compared).first()
    if fix is not None:
        alert.muted_at, alert.muted_by_id = fix.created_at, fix.created_by_id
        alert.mute_reason = f"trained as run {fix.run_id} was, to compare a fix with it"
        return  # for ever, whatever becomes of an order
    order = Mute.objects.in_force().filter(project__runs=alert.run_id, check_id=alert.check_id).first()
    if order is not None:
        alert.muted_at, alert.muted_by_id = order.created_at, order.created_by_id
        alert.mute_reason, alert.muted_until = order.reason, order.until


def _is_worse(alert: Alert, event: AlertEvent) -> bool:
    """Whether an alert opens again, or is more severe than it was."""
    ranks = list(Severity)
    is_back = alert.state == "resolved" and event.kind != "resolve"
    return is_back or ranks.index(Severity(event.severity)) > ranks.index(Severity(alert.severity))


def _worst(alert: Alert, event: AlertEvent) -> float | None:
    """Return the value furthest beyond the threshold, on the side on which the alert opened.

    That is above where it opened at the threshold itself: what opens below has to be below.
    """
    worst, new = alert.worst_value, _finite(event.value)
    if worst is None or new is None:
        return new if worst is None else worst
    if event.kind == "resolve" or alert.threshold is None:
        return worst
    return max(worst, new) if worst >= alert.threshold else min(worst, new)


def _advice(advice: Any) -> Mapping[str, Any]:
    return asdict(advice)


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None
