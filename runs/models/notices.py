"""Notices: whom a project tells of alerts, and what it has told them."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import uuid
from base64 import urlsafe_b64encode
from urllib.parse import urlsplit

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from runs.models.alerts import Severity
from runs.models.projects import Project
from runs.models.runs import Run


def new_nonce() -> str:
    """Make what the secret of a channel is derived from."""
    return secrets.token_urlsafe(16)


class Channel(models.Model):
    """An e-mail address or a webhook that hears of the alerts of a project."""

    class Kind(models.TextChoices):
        """By what a notice travels."""

        EMAIL = "email", "E-mail"
        WEBHOOK = "webhook", "Webhook"

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="channels", db_index=False)
    kind = models.CharField(max_length=10, choices=Kind)
    address = models.CharField(
        max_length=500, help_text="Whoever knows that of a webhook may often post to it."
    )
    least_severity = models.CharField(
        max_length=10,
        choices=[(level.value, level.label) for level in (Severity.WARNING, Severity.CRITICAL)],
        default=Severity.WARNING,
    )
    is_on = models.BooleanField(default=True)
    nonce = models.CharField(max_length=40, default=new_nonce, editable=False)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+"
    )
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        ordering = ["pk"]
        constraints = [
            # Also the index by which a worker asks whom an alert concerns.
            models.UniqueConstraint(
                name="channel_is_unique_in_project", fields=["project", "kind", "address"]
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.shown_address}"

    @property
    def shown_address(self) -> str:
        """The address as anybody may read it: the path of a webhook is often a password."""
        if self.kind == Channel.Kind.EMAIL:
            return self.address
        parts = urlsplit(self.address)
        host = parts.netloc.rpartition("@")[2]
        return f"{parts.scheme}://{host}/…{self.address[-4:] if len(parts.path) > 12 else ''}"

    @property
    def secret(self) -> str:
        """What webhooks are signed with. It is derived, so that the database does not hold it."""
        text = f"nnlab webhook {self.nonce}"
        digest = hmac.new(settings.SECRET_KEY.encode(), text.encode(), hashlib.sha256).digest()
        return f"nnhook_{urlsafe_b64encode(digest).decode().rstrip('=')}"


class Notice(models.Model):
    """One message to one channel: written with the alert in one transaction, sent later, then a log."""

    class State(models.TextChoices):
        """Where a notice stands. ``dropped``: muted, acknowledged or switched off before it went out."""

        WAITING = "waiting"
        SENT = "sent"
        FAILED = "failed"
        DROPPED = "dropped"

    channel = models.ForeignKey(Channel, on_delete=models.CASCADE, related_name="notices", db_index=False)
    run = models.ForeignKey(
        Run, null=True, on_delete=models.CASCADE, related_name="notices", help_text="Empty for a test."
    )
    key = models.UUIDField(
        default=uuid.uuid4, unique=True, editable=False, help_text="The same in every try."
    )
    state = models.CharField(max_length=10, choices=State, default=State.WAITING)
    tries = models.PositiveSmallIntegerField(default=0)
    due_at = models.DateTimeField(help_text="Not before this time; while it is being sent, its lease.")
    answer = models.CharField(max_length=200, blank=True, help_text="What became of the last try.")
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    settled_at = models.DateTimeField(null=True, editable=False)

    class Meta:
        ordering = ["-pk"]
        constraints = [
            models.CheckConstraint(
                name="notice_settled_iff_it_waits_no_more",
                condition=Q(state="waiting", settled_at=None)
                | (~Q(state="waiting") & Q(settled_at__isnull=False)),
            ),
        ]
        indexes = [
            # For the sender: what is due.
            models.Index(name="notice_due", fields=["due_at"], condition=Q(state="waiting")),
            # For the log of a channel.
            models.Index(name="notice_log", fields=["channel", "-id"]),
        ]

    def __str__(self) -> str:
        return f"{self.state}, {self.tries} tries"


class NoticeLine(models.Model):
    """One alert in a notice, as it stood then; also what keeps the channel from being told of it twice.

    Run and check name the alert: its row is written anew when the run is trained anew.
    """

    notice = models.ForeignKey(Notice, on_delete=models.CASCADE, related_name="lines", db_index=False)
    check_id = models.CharField(max_length=40)
    severity = models.CharField(max_length=10, choices=Severity)
    step = models.BigIntegerField()

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.UniqueConstraint(name="notice_names_a_check_once", fields=["notice", "check_id"]),
        ]

    def __str__(self) -> str:
        return f"{self.check_id}, {self.severity}"
