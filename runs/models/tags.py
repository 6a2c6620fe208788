"""Tags: words that people put on runs."""

from __future__ import annotations

from django.db import models

from runs.models.metrics import Name
from runs.models.projects import Project
from runs.models.runs import Run

MAX_TAG = 40  # characters


class RunTag(models.Model):
    """A word on a run."""

    pk = models.CompositePrimaryKey("run_id", "name_id")
    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="tags", db_index=False)
    name = models.ForeignKey(Name, on_delete=models.PROTECT, db_index=False, related_name="+")
    project = models.ForeignKey(Project, on_delete=models.CASCADE, db_index=False, related_name="+")

    class Meta:
        indexes = [
            # For the runs of a project that have a tag, and for the tags that a project uses.
            models.Index(name="tag_by_project", fields=["project", "name", "run"]),
        ]

    def __str__(self) -> str:
        return str(self.name)
