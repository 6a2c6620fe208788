"""Projects: what a team's sweeps and runs are filed under."""

from __future__ import annotations

from django.core.validators import MinValueValidator
from django.db import models
from django.db.models.functions import Now
from django.urls import reverse


class Project(models.Model):
    """A folder of sweeps and runs that are compared with each other."""

    slug = models.SlugField(unique=True, max_length=60, allow_unicode=True)
    name = models.CharField(max_length=100)
    description = models.TextField(blank=True)
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
    baseline = models.ForeignKey(
        "Run",
        null=True,
        blank=True,
        editable=False,
        on_delete=models.SET_NULL,
        related_name="+",
        help_text="The pinned run, that the others are measured against.",
    )
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        """Return the address of the project's runs table."""
        return reverse("project", args=[self.slug])
