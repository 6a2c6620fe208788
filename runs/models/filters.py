"""Saved filters: views of a project's runs table that a team comes back to."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models.functions import Now
from django.urls import reverse

from runs.models.projects import Project


class SavedFilter(models.Model):
    """A named address of the runs table."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="saved_filters")
    name = models.CharField(max_length=60)
    query = models.TextField(help_text="The address's query in canonical form, without its question mark.")
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        ordering = ["name"]
        constraints = [
            models.UniqueConstraint(name="saved_filter_is_named_once", fields=["project", "name"]),
        ]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        """Return the address of the runs table with this filter."""
        return f"{reverse('project', args=[self.project.slug])}?{self.query}"
