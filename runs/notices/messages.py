"""What a notice says: as text, and as the JSON that webhooks receive."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from django.conf import settings

from runs.models import Alert, Notice, Project, Run
from runs.models.alerts import Severity

_SLACK_BLOCKS = 50
_SLACK_TEXT = 2900  # characters of a block, of 3,000
_ADVICE = 3


@dataclass(frozen=True)
class Message:
    """A notice in words.

    Args:
        key: the same in every try; a receiver can tell by it what it has already.
        alerts: the alerts told of; none in a test.
    """

    key: str
    project: Project
    run: Run | None
    alerts: Sequence[Alert]

    @property
    def title(self) -> str:
        """One line: how many alerts of which run."""
        if self.run is None:
            return f"nnlab: a test of the notifications of {_line(self.project.name)}"
        worst = "critical" if any(alert.severity == "critical" for alert in self.alerts) else "warning"
        number = f"{len(self.alerts)} alerts" if len(self.alerts) > 1 else _line(self.alerts[0].title)
        return f"nnlab: {worst} in {_line(self.project.name)}, {_line(self.run.name)}: {number}"

    @property
    def text(self) -> str:
        """The whole message, for people."""
        if self.run is None:
            said = "This is a test: an alert of this project would arrive here."
            return f"{said}\n{address(self.project.get_absolute_url())}\n"
        head = f"Project {_line(self.project.name)}, run {_line(self.run.name)}"
        parts = [head, address(self.run.get_absolute_url()), *(f"\n{_told(alert)}" for alert in self.alerts)]
        return "\n".join(parts) + "\n"

    @property
    def payload(self) -> dict[str, Any]:
        """The body of a webhook: what Slack and those like it show, and our own fields."""
        return {"text": _slack(self.title), "blocks": self._blocks(), "nnlab": self._facts()}

    def _blocks(self) -> list[dict[str, Any]]:
        head = self.title if self.run is None else f"{self.title}\n{address(self.run.get_absolute_url())}"
        sections = [head, *(_told(alert) for alert in self.alerts)]
        return [
            {"type": "section", "text": {"type": "mrkdwn", "text": _slack(text)}}
            for text in sections[:_SLACK_BLOCKS]
        ]

    def _facts(self) -> dict[str, Any]:
        project, run = self.project, self.run
        return {
            "version": 1,
            "event": "test" if run is None else "alerts",
            "delivery": self.key,
            "project": {
                "slug": project.slug,
                "name": project.name,
                "url": address(project.get_absolute_url()),
            },
            "run": None
            if run is None
            else {"id": run.pk, "name": run.name, "seed": run.seed, "url": address(run.get_absolute_url())},
            "alerts": [_alert_facts(alert) for alert in self.alerts],
        }


def composed(notice: Notice) -> Message:
    """Put a notice into words, of its alerts as they now are.

    Those that were muted or acknowledged since are left out, and those that are only of interest by now.
    """
    run = notice.run
    project = notice.channel.project
    if run is None:
        return Message(str(notice.key), project, None, ())
    checks = list(notice.lines.values_list("check_id", flat=True))
    alerts = Alert.objects.not_muted().filter(run=run, check_id__in=checks, acknowledged_at=None)
    alerts = alerts.exclude(severity=Severity.INFO).select_related("run").order_by("pk")
    return Message(str(notice.key), project, run, list(alerts))


def address(path: str) -> str:
    """Give the whole address of a page; only its path where nobody has set NNLAB_PUBLIC_URL."""
    return f"{settings.PUBLIC_URL}{path}"


def _told(alert: Alert) -> str:
    state = "" if alert.state == "open" else f", resolved at step {alert.resolved_step:,}"
    lines = [f"[{alert.severity}] {_line(alert.title)} (from step {alert.first_step:,}{state})", alert.cause]
    lines += [f"- Try: {_line(advice['title'])}" for advice in alert.advice[:_ADVICE]]
    return "\n".join(lines)


def _alert_facts(alert: Alert) -> dict[str, Any]:
    return {
        "id": alert.pk,
        "check": alert.check_id,
        "severity": alert.severity,
        "state": alert.state,
        "title": alert.title,
        "cause": alert.cause,
        "layers": alert.layers,
        "layer_names": alert.layer_names,
        "value": alert.value,
        "threshold": alert.threshold,
        "first_step": alert.first_step,
        "step": alert.last_step,
        "advice": [{"code": advice["code"], "title": advice["title"]} for advice in alert.advice],
        "thresholds_hash": alert.thresholds_hash,
        "url": address(alert.get_absolute_url()),
    }


def _line(text: str) -> str:
    """Names are people's: one line each, whatever they hold."""
    return " ".join(text.split())


def _slack(text: str) -> str:
    """Escape what Slack would read as a link or a mention."""
    return escape(text, quote=False)[:_SLACK_TEXT]
