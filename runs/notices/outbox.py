"""The outbox: what has to be sent, written in the transaction of the alert that it tells of.

So nothing is told of an alert that was rolled back, and nothing is lost that was committed.
"""

from __future__ import annotations

from datetime import timedelta

from django.utils import timezone

from runs.models import Alert, Channel, Notice, NoticeLine
from runs.models.alerts import Severity

JOIN_SECONDS = 5  # in which alerts of a run come into one message
QUIET_STEPS = 200  # after an alert has resolved, in which its return is not told, unless it is worse
_RANKS = list(Severity)


def announce(alert: Alert, *, returned_after: int | None = None) -> None:
    """Write notices of an alert that has opened, come back or become more severe.

    Call it in the transaction that stores the alert. Nobody is told of what is only of interest, of what is
    muted or acknowledged, or of what the channel has heard already, be it from an attempt that was lost.

    Args:
        alert: as it now is.
        returned_after: steps since it resolved, where it had.
    """
    if alert.severity == Severity.INFO or alert.is_muted or alert.acknowledged_at is not None:
        return
    heard = _RANKS[: _RANKS.index(Severity(alert.severity)) + 1]
    channels = Channel.objects.filter(project__runs=alert.run_id, is_on=True, least_severity__in=heard)
    for channel in channels:
        if not _is_known(channel, alert, returned_after):
            _add(channel, alert)


def add_test(channel: Channel) -> Notice:
    """Write a notice that tells of nothing."""
    return Notice.objects.create(channel=channel, due_at=timezone.now())


def _is_known(channel: Channel, alert: Alert, returned_after: int | None) -> bool:
    lines = NoticeLine.objects.filter(
        notice__channel=channel, notice__run=alert.run_id, check_id=alert.check_id
    ).exclude(notice__state=Notice.State.DROPPED)
    rank = _RANKS.index(Severity(alert.severity))
    told = [
        (_RANKS.index(Severity(severity)), step)
        for severity, step in lines.order_by("pk").values_list("severity", "step")
    ]
    if any(heard >= rank and step >= alert.last_step for heard, step in told):
        return True  # from an attempt that was lost
    if not told or told[-1][0] < rank:
        return False
    return returned_after is None or returned_after < QUIET_STEPS


def _add(channel: Channel, alert: Alert) -> None:
    """Add the alert to the notice of its run that has yet to go, or begin one.

    The lock keeps the sender from the notice until the line in it is committed.
    """
    now = timezone.now()
    open_notices = Notice.objects.select_for_update().filter(
        channel=channel, run=alert.run_id, state=Notice.State.WAITING, tries=0, due_at__gt=now
    )
    notice = open_notices.first() or Notice.objects.create(
        channel=channel, run_id=alert.run_id, due_at=now + timedelta(seconds=JOIN_SECONDS)
    )
    NoticeLine.objects.update_or_create(
        notice=notice,
        check_id=alert.check_id,
        defaults={"severity": alert.severity, "step": alert.last_step},
    )
