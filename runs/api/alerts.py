"""Operations on alerts: list, acknowledge, mute, rerun with a fix and read whether it helped."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, Any

from django.http import HttpRequest
from django.utils import timezone
from ninja import Query, Router, Schema, Status
from ninja.errors import HttpError
from pydantic import Field

from runs.alerts import fixing, handling
from runs.alerts.trials import Trial, trials
from runs.alerts.verdicts import Pair
from runs.api.access import require
from runs.api.schemas import AlertOut, ErrorsOut, Key, Word
from runs.models import Alert
from runs.models.alerts import AlertQuerySet
from runs.reading.inbox import Wanted

MAX_ALERTS = 1000
MAX_HOURS = 24 * 366

router = Router()


class Filters(Schema):
    """What a list of alerts is filtered by; each is left out where it is empty."""

    severity: Annotated[str, Field(pattern="^(critical|warning|info)?$")] = ""
    state: Annotated[str, Field(pattern="^(open|acknowledged|resolved)?$")] = ""
    check: Word = ""
    project: Word = ""
    muted: bool | None = None


class AlertsOut(Schema):
    """Alerts, the newest first; ``next`` is what ``after`` takes for those that follow."""

    alerts: list[AlertOut]
    next: int | None


class MuteIn(Schema):
    """Why an alert is muted and for how many hours, for ever where none are given.

    ``whole_project`` mutes its check there, whatever it finds from now on.
    """

    reason: Annotated[Word, Field(max_length=handling.MAX_REASON)] = ""
    hours: Annotated[float, Field(gt=0, le=MAX_HOURS)] | None = None
    whole_project: bool = False


class FixIn(Schema):
    """Which advice to follow, several together, and on how many paired seeds; empty for the first advice."""

    advice: list[str] = []
    seeds: int = fixing.USUAL_SEEDS


class PairOut(Schema):
    """The two runs of a seed; a value is None until its run is over, and where it does not count."""

    seed: int
    before_run: int
    after_run: int
    before: float | None
    after: float | None
    still_open: bool


class FixOut(Schema):
    """A fix and whether it helped: waiting, helped, made it worse, did not help or not decided."""

    id: int
    run: int
    check: str
    advice: list[str]
    title: str
    ops: list[dict[str, Any]]
    sweep: int | None
    created_at: datetime
    outcome: str
    reason: str
    metric: str
    pairs_done: int
    before: float | None
    after: float | None
    difference: float | None
    low: float | None
    high: float | None
    more_seeds: int | None
    pairs: list[PairOut]


@router.get("/alerts", response=AlertsOut, summary="Alerts of all projects")
def list_alerts(
    request: HttpRequest,
    filters: Query[Filters],
    after: Key | None = None,
    limit: Annotated[int, Field(ge=1, le=MAX_ALERTS)] = 200,
) -> dict[str, Any]:
    """Give alerts, the newest first: ``state=open`` are those that nobody acknowledged."""
    wanted = Wanted(filters.severity, filters.state, filters.check, filters.project)
    alerts = wanted.choose(_alerts()).order_by("-pk")
    if filters.muted is not None:
        alerts = alerts.muted() if filters.muted else alerts.not_muted()
    if after is not None:
        alerts = alerts.filter(pk__lt=after)
    found = list(alerts[: limit + 1])
    is_more = len(found) > limit
    shown = found[:limit]
    return {"alerts": [alert_answer(alert) for alert in shown], "next": shown[-1].pk if is_more else None}


@router.post("/alerts/{alert_id}/acknowledge", response=AlertOut, summary="Acknowledge an alert")
def acknowledge(request: HttpRequest, alert_id: Key) -> dict[str, Any]:
    """Note that somebody has seen it; the first one stays."""
    user = require(request, handling.CHANGE)
    handling.acknowledge(_one(alert_id), user)
    return _told(alert_id)


@router.post(
    "/alerts/{alert_id}/mute", response=AlertOut, summary="Mute an alert, or its check in the project"
)
def mute(request: HttpRequest, alert_id: Key, payload: MuteIn) -> dict[str, Any]:
    """Neither count it nor tell of it any more."""
    user = require(request, handling.CHANGE)
    act = handling.mute_checks if payload.whole_project else handling.mute
    until = None if payload.hours is None else timezone.now() + timedelta(hours=payload.hours)
    act(_one(alert_id), user, payload.reason, until)
    return _told(alert_id)


@router.post("/alerts/{alert_id}/unmute", response=AlertOut, summary="Unmute an alert")
def unmute(request: HttpRequest, alert_id: Key) -> dict[str, Any]:
    """Count it and tell of it again; a check that is muted in the whole project stays so for later runs."""
    require(request, handling.CHANGE)
    handling.unmute(_one(alert_id))
    return _told(alert_id)


@router.post(
    "/alerts/{alert_id}/fix",
    response={201: FixOut, 422: ErrorsOut},
    summary="Rerun with a fix, on paired seeds",
)
def begin_fix(request: HttpRequest, alert_id: Key, payload: FixIn) -> Status[Any]:
    """Queue, for each seed, the run with the advice and without it; what is trained already is reused."""
    user = require(request, "runs.submit_sweep")
    alert = _found(alert_id)
    codes = payload.advice or fixing.first_code(alert)
    return Status(201, _fix(trials(pk=fixing.begin(alert, codes, payload.seeds, user).pk)[0]))


@router.get("/alerts/{alert_id}/fixes", response=list[FixOut], summary="What was tried against an alert")
def list_fixes(request: HttpRequest, alert_id: Key) -> list[dict[str, Any]]:
    """Give its fixes with their verdicts, the newest first."""
    alert = _found(alert_id)
    return [_fix(trial) for trial in trials(run=alert.run_id, check_id=alert.check_id)]


def alert_answer(alert: Alert) -> dict[str, Any]:
    """Describe an alert as ``AlertOut`` does. It needs its run and the run's project."""
    others = {"run", "project", "check", "layers"}
    return {
        **{name: getattr(alert, name) for name in AlertOut.model_fields if name not in others},
        "run": alert.run_id,
        "project": alert.run.project.slug,
        "check": alert.check_id,
        "layers": alert.layer_names,
    }


def _alerts() -> AlertQuerySet:
    return Alert.objects.of_kept_runs().select_related("run__project")


def _one(alert_id: int) -> AlertQuerySet:
    return Alert.objects.filter(pk=_found(alert_id).pk)


def _found(alert_id: int) -> Alert:
    alert = _alerts().filter(pk=alert_id).first()
    if alert is None:
        raise HttpError(404, f"there is no alert {alert_id}; its run may be in the trash")
    return alert


def _told(alert_id: int) -> dict[str, Any]:
    return alert_answer(_found(alert_id))


def _fix(trial: Trial) -> dict[str, Any]:
    fix, verdict = trial.fix, trial.verdict
    difference = verdict.difference
    return {
        "id": fix.pk,
        "run": fix.run_id,
        "check": fix.check_id,
        "advice": fix.codes,
        "title": fix.title,
        "ops": fix.ops,
        "sweep": fix.sweep_id,
        "created_at": fix.created_at,
        "outcome": verdict.outcome.value,
        "reason": verdict.reason,
        "metric": trial.metric,
        "pairs_done": verdict.done,
        "before": verdict.before,
        "after": verdict.after,
        "difference": difference.mean if difference else None,
        "low": difference.low if difference else None,
        "high": difference.high if difference else None,
        "more_seeds": verdict.more_seeds,
        "pairs": [_pair(pair) for pair in trial.pairs],
    }


def _pair(pair: Pair) -> dict[str, Any]:
    return {
        "seed": pair.seed,
        "before_run": pair.before.run,
        "after_run": pair.after.run,
        "before": pair.before.value,
        "after": pair.after.value,
        "still_open": pair.still_open,
    }
