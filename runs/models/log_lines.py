"""Log lines: what was said about a run while it trained."""

from __future__ import annotations

from django.db import models

from runs.models.runs import Run


class Level(models.TextChoices):
    """How much a line matters."""

    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class LogLine(models.Model):
    """One line; of each run only the last ones are kept.

    How attempts began and ended is not among them: the attempts themselves say so.
    """

    pk = models.CompositePrimaryKey("run_id", "number")
    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="log_lines", db_index=False)
    number = models.PositiveBigIntegerField(help_text="In the order of writing.")
    said_at = models.DateTimeField(help_text="By the clock of who said it.")
    level = models.CharField(max_length=7, choices=Level)
    step = models.PositiveBigIntegerField(null=True)
    text = models.TextField()

    def __str__(self) -> str:
        return f"line {self.number} of run {self.run_id}"
