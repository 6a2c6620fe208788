"""What the health monitor says of a run, written into its alerts; each event once, whoever tells it again."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import Any

from django.db.models import F

from nnlab.health.events import AlertEvent
from runs.models import Alert, Fix, FixPair, Mute
from runs.models.alerts import Severity
from runs.notices import outbox

# The columns of an alert that say what its check says; the others are people's.
_WORKERS = (
    "state", "resolved_step", "severity", "first_step", "last_step", "layers", "layer_names", "value",
    "threshold", "worst_value", "title", "cause", "evidence", "advice", "thresholds_hash", "count",
)  # fmt: skip


class Findings:
    """The events of one attempt at a run, until they are written.

    The events of a run are the same in every attempt, so an alert's count of them tells which are stored.
    """

    def __init__(self, run_id: int) -> None:
        self._run_id = run_id
        self._waiting: list[AlertEvent] = []
        self._told: Counter[str] = Counter()  # by check, in all of the run
        self._stored: dict[str, int] = {}

    def begin(self, *, keeps_alerts: bool) -> None:
        """Remove the alerts of an earlier attempt, or keep them as they stand.

        Kept, they hold events that this attempt tells again, from the start of the run on.
        """
        alerts = Alert.objects.filter(run_id=self._run_id)
        if not keeps_alerts:
            alerts.delete()
        self._waiting.clear()
        self._told.clear()
        self._stored = dict(alerts.values_list("check_id", "count"))

    def take(self, events: Iterable[AlertEvent]) -> list[AlertEvent]:
        """Take the next events of the run, and return the new ones: some may be stored already."""
        fresh = []
        for event in events:
            self._told[event.check] += 1
            if self._told[event.check] > self._stored.get(event.check, 0):
                fresh.append(event)
        self._waiting += fresh
        return fresh

    def write(self) -> None:
        """Write what waits; the caller's transaction decides when."""
        for event in self._waiting:
            _store_event(self._run_id, event)

    def written(self) -> None:
        """Note that the transaction has committed."""
        self._waiting.clear()


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
