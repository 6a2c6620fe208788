"""Questions: two sweeps, one that tunes the learning rate of each network, and one that answers."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.urls import reverse

from runs.models.projects import Project
from runs.models.sweeps import Sweep


class Question(models.Model):
    """A comparison of networks of one size.

    The first sweep tunes. Once all of its runs are over the question is closed, which happens once, and the
    second sweep is started with the rates that were best and with seeds that no run of the first one had.
    """

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="questions")
    name = models.CharField(max_length=100)
    specification = models.JSONField(help_text="As asked, in canonical form.")
    cells = models.JSONField(
        help_text="The networks that are compared, as runs.questions.cells.Cell's fields."
    )
    metric = models.CharField(max_length=30, help_text="What networks are compared by.")
    tuning = models.OneToOneField(Sweep, on_delete=models.CASCADE, related_name="question_that_tunes")
    confirmation = models.OneToOneField(
        Sweep, null=True, blank=True, on_delete=models.SET_NULL, related_name="question_that_answers"
    )
    closed_at = models.DateTimeField(null=True, help_text="It starts no more runs since then.")
    error = models.TextField(blank=True, help_text="Why it was closed without a second sweep.")
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        ordering = ["-pk"]
        constraints = [
            # Nobody can start the second sweep of a question that is open for somebody else to start it.
            models.CheckConstraint(
                name="question_with_confirmation_is_closed",
                condition=Q(confirmation=None) | Q(closed_at__isnull=False),
            ),
        ]
        indexes = [
            # For the scheduler, which looks for questions whose tuning may be over.
            models.Index(name="question_open", fields=["tuning"], condition=Q(closed_at=None)),
        ]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        """Return the address of its answer."""
        return reverse("question", args=[self.project.slug, self.pk])
