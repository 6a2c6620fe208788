"""Sweeps: sets of runs that were submitted together."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models.functions import Now
from django.urls import reverse

from runs.models.projects import Project


class Sweep(models.Model):
    """One submission: a specification and the runs it expanded to. A single run is a sweep of one."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="sweeps")
    name = models.CharField(max_length=100)
    specification = models.JSONField(help_text="As submitted, in canonical form.")
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        ordering = ["-pk"]
        permissions = [("submit_sweep", "Can submit training jobs, and put them back into the queue")]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        """Return the address of the comparison of this sweep's runs."""
        return f"{reverse('compare', args=[self.project.slug])}?sweep={self.pk}"
