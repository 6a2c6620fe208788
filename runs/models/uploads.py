"""Files on their way to a dataset: their bytes, who sent them, and how far they are read."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.urls import reverse

from runs.models.datasets import DatasetVersion


class Upload(models.Model):
    """A file as it was sent, to be read by another process. Only ``runs.store.uploads`` changes its state."""

    class State(models.TextChoices):
        """How far it is."""

        WAITING = "waiting"
        READING = "reading"
        READ = "read"
        REFUSED = "refused"

    project_name = models.CharField(max_length=100, help_text="Made where there is none, when all is well.")
    name = models.CharField(max_length=100, help_text="Of the dataset.")
    file_name = models.CharField(max_length=200)
    delimiter = models.CharField(max_length=1, blank=True, help_text="Empty: found when it is read.")
    licence = models.TextField(blank=True)
    is_for_usual = models.BooleanField(default=False, help_text="Saved at once, with the usual recipe.")
    target = models.CharField(max_length=200, blank=True, help_text="Of that recipe; empty: the last column.")
    uploaded_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    sent_at = models.DateTimeField(db_default=Now(), editable=False)
    size = models.PositiveBigIntegerField(help_text="Bytes of the file.")
    state = models.CharField(max_length=7, choices=State, default=State.WAITING)
    attempts = models.PositiveIntegerField(default=0, help_text="At reading it; only the last may write.")
    failures = models.PositiveSmallIntegerField(default=0, help_text="Attempts whose reader died.")
    heard_at = models.DateTimeField(null=True, help_text="When it came, or its reader was heard of last.")
    share = models.FloatField(default=0.0, help_text="Of the reading that is done.")
    rows_read = models.PositiveIntegerField(default=0)
    error = models.TextField(blank=True, help_text="Why it was refused.")
    error_field = models.CharField(max_length=50, blank=True, help_text="What that speaks of.")
    version = models.ForeignKey(
        DatasetVersion,
        null=True,
        on_delete=models.SET_NULL,
        related_name="uploads",
        help_text="What it became.",
    )

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.CheckConstraint(
                name="upload_became_a_version_only_if_read", condition=Q(state="read") | Q(version=None)
            ),
        ]
        indexes = [
            # For readers, which look every second for what is to be read.
            models.Index(
                name="upload_to_be_read", fields=["id"], condition=Q(state__in=["waiting", "reading"])
            ),
        ]

    def __str__(self) -> str:
        return self.file_name

    def get_absolute_url(self) -> str:
        """Return the address that says how far it is."""
        return reverse("upload-progress", args=[self.pk])

    @property
    def is_under_way(self) -> bool:
        """Whether it is still to be read."""
        return self.state in {self.State.WAITING, self.State.READING}

    @property
    def percent(self) -> int:
        """How much of the reading is done."""
        return int(100 * self.share)

    @property
    def bytes_read(self) -> int:
        """How much of the file is done with."""
        return round(self.share * self.size)


class UploadPart(models.Model):
    """A piece of a file's bytes, kept until the dataset is saved."""

    pk = models.CompositePrimaryKey("upload_id", "part")
    upload = models.ForeignKey(Upload, on_delete=models.CASCADE, related_name="parts", db_index=False)
    part = models.PositiveIntegerField(help_text="0, 1, ... in the order of the bytes.")
    data = models.BinaryField()

    def __str__(self) -> str:
        return f"part {self.part} of upload {self.upload_id}"
