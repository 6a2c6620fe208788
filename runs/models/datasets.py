"""Uploaded datasets: immutable versions named by their content, and the recipes that make inputs of them."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models.functions import Now
from django.urls import reverse

from nnlab.data.uploads import PREFIX
from runs.models.projects import Project

_DELIMITERS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}


class DatasetVersion(models.Model):
    """One content of a dataset. Its columns never change; until it is saved nobody can train on it."""

    project = models.ForeignKey(Project, null=True, on_delete=models.SET_NULL, related_name="datasets")
    name = models.CharField(max_length=100, help_text="Versions of one dataset share it.")
    number = models.PositiveIntegerField(
        default=0, help_text="1, 2, ... among those of its name; 0: a draft."
    )
    sha256 = models.CharField(max_length=64, unique=True, help_text="Of the canonical bytes.")
    short = models.CharField(max_length=12, unique=True, help_text="The first digits of it, as in its key.")
    file_name = models.CharField(max_length=200)
    delimiter = models.CharField(max_length=1)
    licence = models.TextField(blank=True, help_text="As the person who uploaded it has put it.")
    rows = models.PositiveIntegerField()
    columns = models.PositiveIntegerField()
    size = models.PositiveBigIntegerField(help_text="Canonical bytes.")
    uploaded_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+"
    )
    uploaded_at = models.DateTimeField(db_default=Now(), editable=False)
    saved_at = models.DateTimeField(null=True, help_text="Empty for a draft, which is removed after a day.")

    class Meta:
        ordering = ["-pk"]

    def __str__(self) -> str:
        return f"{self.name}, version {self.number}" if self.saved_at else f"{self.name}, not saved yet"

    def get_absolute_url(self) -> str:
        """Return the address of its profile."""
        return reverse("dataset", args=[self.key])

    @property
    def key(self) -> str:
        """What a configuration calls it."""
        return PREFIX + self.short

    @property
    def delimiter_name(self) -> str:
        """What stands between two cells of the file, in words."""
        return _DELIMITERS.get(self.delimiter, self.delimiter)


class DatasetPart(models.Model):
    """A piece of a version's canonical bytes, which are compressed as a whole."""

    pk = models.CompositePrimaryKey("version_id", "part")
    version = models.ForeignKey(
        DatasetVersion, on_delete=models.CASCADE, related_name="parts", db_index=False
    )
    part = models.PositiveIntegerField(help_text="0, 1, ... in the order of the bytes.")
    data = models.BinaryField()

    def __str__(self) -> str:
        return f"part {self.part} of version {self.version_id}"


class DatasetRecipe(models.Model):
    """What is to become of a version's columns; never changed, and named by its content."""

    version = models.ForeignKey(DatasetVersion, on_delete=models.CASCADE, related_name="recipes")
    key = models.CharField(max_length=12, help_text="The first digits of the sha256 of its canonical JSON.")
    content = models.JSONField(help_text="As nnlab.data.upload_recipes.UploadRecipe writes it.")
    made_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+"
    )
    made_at = models.DateTimeField(db_default=Now(), editable=False)
    saved_at = models.DateTimeField(null=True, help_text="Empty while it is only looked at.")

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.UniqueConstraint(name="one_recipe_of_a_content", fields=["version", "key"]),
        ]

    def __str__(self) -> str:
        return f"recipe {self.key} of {self.version}"

    def get_absolute_url(self) -> str:
        """Return the address of its preview."""
        return reverse("recipe", args=[self.version.key, self.key])
