"""``nnlab fix RUN``: follow the advice of a run's alert on paired seeds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.models import AbstractBaseUser
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db.models import Case, Value, When
from django.urls import reverse

from runs import console
from runs.alerts import fixing
from runs.models import Alert, Run
from runs.reading.inbox import SEVERITIES
from runs.submitted.specification import SubmissionError


class Command(BaseCommand):
    """Reruns a run with a fix."""

    help = (
        "Train a run again with the advice of its worst alert, and without it, on paired seeds; "
        "the run's page then says whether it helped."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Take the run, the advice and how many pairs."""
        parser.add_argument("run", type=int, metavar="RUN", help="a run's number")
        parser.add_argument(
            "--advice",
            action="append",
            default=[],
            metavar="CODE",
            help="which advice to follow, such as A1; several are followed together (default: the first)",
        )
        parser.add_argument(
            "--seeds",
            type=int,
            default=fixing.USUAL_SEEDS,
            metavar="K",
            help=f"paired seeds, the run's own first (default {fixing.USUAL_SEEDS})",
        )
        parser.add_argument("--user", help="submit in this user's name")

    def handle(self, *args: Any, **options: Any) -> None:
        """Choose the alert, submit, say where the verdict will be."""
        console.require_installation()
        alert = _alert(options["run"], options["advice"])
        codes = options["advice"] or fixing.first_code(alert)
        try:
            fix = fixing.begin(alert, codes, options["seeds"], _user(options["user"]))
        except SubmissionError as error:
            raise CommandError(f"nothing was submitted: {error}") from error
        queued = fix.sweep.runs.count() if fix.sweep else 0
        console.print_line(
            f"{fix.title} ({', '.join(fix.codes)}), against: {alert.title}\n"
            f"{queued} run(s) queued for {fix.pairs.count()} pair(s); the verdict: "
            f"{reverse('run-alerts', args=[alert.run_id])}#fix-{fix.pk}"
        )


def _alert(number: int, codes: Sequence[str]) -> Alert:
    """Choose the run's worst alert that offers all the advice asked for: muted last, open before resolved."""
    if not Run.objects.kept().filter(pk=number).exists():
        raise CommandError(f"there is no run {number}, or it is in the trash")
    rank = Case(*(When(severity=name, then=Value(place)) for place, name in enumerate(SEVERITIES)))
    alerts = Alert.objects.filter(run=number).select_related("run__project")
    found = sorted(alerts.order_by("state", rank, "opened_step"), key=lambda alert: alert.is_muted)
    for alert in found:
        offered = {advice["code"] for advice in alert.advice}
        if offered >= set(codes) and (codes or fixing.first_code(alert)):
            return alert
    raise CommandError(f"run {number} has {_offers(found, codes)}; nothing was submitted")


def _offers(alerts: Sequence[Alert], codes: Sequence[str]) -> str:
    """Say which advice there is."""
    if not alerts:
        return "no alert, so there is nothing to fix"
    said = (
        f"{alert.check_id}: {', '.join(advice['code'] for advice in alert.advice) or 'none'}"
        for alert in alerts
    )
    wanted = "this advice" if codes else "advice that paired seeds can judge"
    return f"no alert with {wanted}; there is {'; '.join(said)}"


def _user(name: str | None) -> AbstractBaseUser | None:
    if name is None:
        return None
    user = get_user_model().objects.filter(username=name).first()
    if user is None:
        raise CommandError(f"there is no user {name!r}; nothing was submitted")
    return user
