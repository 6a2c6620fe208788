"""Saved views: addresses of pages that a team comes back to, under a name or only behind a short link."""

from __future__ import annotations

import secrets
from datetime import timedelta

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from runs.models.projects import Project

_LETTERS = "23456789abcdefghjkmnpqrstuvwxyz"  # none that looks like another one
SHORT = 8  # letters of a short link
UNUSED = timedelta(days=365)  # that a short link without a name outlives its last use


def new_short() -> str:
    """Draw a name for a short link: one of 600 thousand million."""
    return "".join(secrets.choice(_LETTERS) for _ in range(SHORT))


class SavedViewQuerySet(models.QuerySet["SavedView"]):
    """Questions that are asked of many views."""

    def forgotten(self) -> SavedViewQuerySet:
        """Return the mere short links that nobody has made or followed for a year."""
        return self.filter(name="", opened_at__lt=Now() - UNUSED)


class SavedView(models.Model):
    """An address of a page. Its short link leads there as long as the row exists."""

    project = models.ForeignKey(
        Project,
        null=True,
        blank=True,
        on_delete=models.CASCADE,
        related_name="saved_views",
        help_text="Empty for a page of all projects, such as the alerts.",
    )
    name = models.CharField(max_length=60, blank=True, help_text="Empty for a mere short link.")
    short = models.CharField(max_length=12, unique=True, default=new_short, editable=False)
    path = models.CharField(max_length=200, help_text="Address of the page.")
    query = models.TextField(
        blank=True, help_text="The address's query in canonical form, without its question mark."
    )
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL)
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    opened_at = models.DateTimeField(db_default=Now(), editable=False, help_text="Last followed, about.")

    objects = SavedViewQuerySet.as_manager()

    class Meta:
        ordering = ["name", "pk"]
        constraints = [
            models.UniqueConstraint(
                name="saved_view_is_named_once", fields=["project", "name"], condition=~Q(name="")
            ),
        ]
        indexes = [
            # For home, which shows those that were opened last.
            models.Index(name="saved_view_opened", fields=["-opened_at"], condition=~Q(name="")),
        ]

    def __str__(self) -> str:
        return self.name or self.get_absolute_url()

    def get_absolute_url(self) -> str:
        """Return the whole address of the view."""
        return f"{self.path}?{self.query}" if self.query else self.path
