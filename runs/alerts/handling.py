"""Acknowledge and mute alerts: what people say about them, which no check reads."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import TypeAlias

from django.contrib.auth.models import AbstractBaseUser, AnonymousUser
from django.db import transaction
from django.db.models import Q
from django.db.models.functions import Now

from runs.models import Alert, Mute
from runs.models.alerts import AlertQuerySet

CHANGE = "runs.change_alert"
MAX_REASON = 200  # characters

_UNMUTED = {"muted_at": None, "muted_by": None, "mute_reason": "", "muted_until": None}
_User: TypeAlias = AbstractBaseUser | AnonymousUser | None


def acknowledge(alerts: AlertQuerySet, user: _User) -> int:
    """Note that somebody has seen these alerts; returns how many nobody had."""
    return alerts.filter(acknowledged_at=None).update(
        acknowledged_at=Now(), acknowledged_by=user.pk if user else None
    )


def mute(alerts: AlertQuerySet, user: _User, reason: str = "", until: datetime | None = None) -> int:
    """Mute these alerts: they are neither counted nor told of. Returns how many were not, or not for so long.

    Args:
        until: when they count again; None for ever. What is muted for longer stays so: unmute it first.
    """
    by = user.pk if user else None
    return alerts.filter(_ends_sooner("muted_until", until) | Q(muted_at=None)).update(
        muted_at=Now(), muted_by=by, mute_reason=reason[:MAX_REASON], muted_until=until
    )


def unmute(alerts: AlertQuerySet) -> int:
    """Count and tell of these alerts again. Returns how many were muted."""
    return alerts.muted().update(**_UNMUTED)


def mute_checks(
    alerts: AlertQuerySet, user: _User, reason: str = "", until: datetime | None = None
) -> list[Mute]:
    """Mute the checks of these alerts in their projects: the alerts that are there, and those to come.

    Args:
        until: as for ``mute``.
    """
    wanted = sorted(set(alerts.order_by().values_list("run__project", "check_id")))
    words = {"reason": reason[:MAX_REASON], "created_by_id": user.pk if user else None, "until": until}
    with transaction.atomic():
        orders = []
        for project, check in wanted:
            order, is_new = Mute.objects.get_or_create(project_id=project, check_id=check, defaults=words)
            mine = Mute.objects.filter(_ends_sooner("until", until), pk=order.pk)
            if not is_new and mine.update(**words, created_at=Now()):
                order.refresh_from_db()
            mute(_of_order(order), user, order.reason, order.until)
            orders.append(order)
    return orders


def unmute_checks(orders: Iterable[Mute]) -> int:
    """Lift standing orders, and unmute what they cover. Returns how many alerts that were.

    What was muted for a reason of its own stays so.
    """
    with transaction.atomic():
        number = 0
        for order in orders:
            number += unmute(_of_order(order).filter(mute_reason=order.reason))
            order.delete()
    return number


def _of_order(order: Mute) -> AlertQuerySet:
    return Alert.objects.filter(run__project=order.project_id, check_id=order.check_id)


def _ends_sooner(field: str, until: datetime | None) -> Q:
    """Ask for what has an end before that time; None is for ever."""
    has_end = Q(**{f"{field}__isnull": False})
    return has_end if until is None else has_end & Q(**{f"{field}__lt": until})
