"""Acknowledge and mute alerts: what people say about them, which no check reads."""

from __future__ import annotations

from collections.abc import Iterable

from django.contrib.auth.models import AbstractBaseUser, AnonymousUser
from django.db import transaction
from django.db.models.functions import Now

from runs.models import Alert, Mute
from runs.models.alerts import AlertQuerySet

CHANGE = "runs.change_alert"
MAX_REASON = 200  # characters

_UNMUTED = {"muted_at": None, "muted_by": None, "mute_reason": ""}


def acknowledge(alerts: AlertQuerySet, user: AbstractBaseUser | AnonymousUser | None) -> int:
    """Note that somebody has seen these alerts; returns how many nobody had."""
    return alerts.filter(acknowledged_at=None).update(
        acknowledged_at=Now(), acknowledged_by=user.pk if user else None
    )


def mute(alerts: AlertQuerySet, user: AbstractBaseUser | AnonymousUser | None, reason: str = "") -> int:
    """Mute these alerts: they are neither counted nor told of. Returns how many were not muted."""
    by = user.pk if user else None
    return alerts.not_muted().update(muted_at=Now(), muted_by=by, mute_reason=reason[:MAX_REASON])


def unmute(alerts: AlertQuerySet) -> int:
    """Count and tell of these alerts again. Returns how many were muted."""
    return alerts.filter(muted_at__isnull=False).update(**_UNMUTED)


def mute_checks(
    alerts: AlertQuerySet, user: AbstractBaseUser | AnonymousUser | None, reason: str = ""
) -> list[Mute]:
    """Mute the checks of these alerts in their projects: the alerts that are there, and those to come."""
    wanted = sorted(set(alerts.order_by().values_list("run__project", "check_id")))
    by = user.pk if user else None
    with transaction.atomic():
        orders = [
            Mute.objects.update_or_create(
                project_id=project,
                check_id=check,
                defaults={"reason": reason[:MAX_REASON], "created_by_id": by},
            )[0]
            for project, check in wanted
        ]
        for order in orders:
            mute(_of_order(order), user, reason)
    return orders


def unmute_checks(orders: Iterable[Mute]) -> int:
    """Lift standing orders, and unmute what they cover. Returns how many alerts that were."""
    with transaction.atomic():
        number = 0
        for order in orders:
            number += unmute(_of_order(order))
            order.delete()
    return number


def _of_order(order: Mute) -> AlertQuerySet:
    return Alert.objects.filter(run__project=order.project_id, check_id=order.check_id)
