"""Allowances: how many runs one person may have running and waiting."""

from __future__ import annotations

from django.conf import settings
from django.core.validators import MinValueValidator
from django.db import models


class Allowance(models.Model):
    """The bounds of one person, where they are not the installation's."""

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, primary_key=True, related_name="allowance"
    )
    max_running = models.PositiveIntegerField(
        null=True,
        blank=True,
        validators=[MinValueValidator(1)],
        help_text="Runs at once; empty for the installation's bound.",
    )
    max_queued = models.PositiveIntegerField(
        null=True,
        blank=True,
        validators=[MinValueValidator(1)],
        help_text="Runs that wait; empty for the installation's bound.",
    )

    def __str__(self) -> str:
        return f"allowance of {self.user}"
