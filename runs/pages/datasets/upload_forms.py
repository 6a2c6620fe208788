"""The form that takes a CSV file."""

from __future__ import annotations

from pathlib import PurePath
from typing import Any

from django import forms

from runs.models import Project
from runs.submitted.values import MAX_LABEL

DELIMITERS = {"": "found by itself", ",": "comma ,", ";": "semicolon ;", "\t": "tab", "|": "bar |"}


class UploadForm(forms.Form):
    """Choose a file and say where it belongs."""

    project = forms.CharField(
        max_length=MAX_LABEL,
        widget=forms.TextInput(attrs={"list": "project-suggestions", "autocomplete": "off"}),
        help_text="Whose dataset it is. A new name makes a new project.",
    )
    name = forms.CharField(
        required=False,
        max_length=100,
        help_text="Versions of one dataset share it; empty for the file's name.",
    )
    delimiter = forms.ChoiceField(
        required=False, choices=[*DELIMITERS.items()], help_text="What stands between two cells."
    )
    licence = forms.CharField(
        required=False,
        max_length=2_000,
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text="Under which terms the data may be used.",
    )
    file = forms.FileField(widget=forms.ClearableFileInput(attrs={"accept": ".csv,.tsv,.txt,text/csv"}))

    @property
    def suggestions(self) -> list[str]:
        """Name projects that there are."""
        return list(Project.objects.values_list("name", flat=True)[:200])

    def clean(self) -> dict[str, Any]:
        """Name the dataset after its file where nobody names it."""
        cleaned = super().clean() or self.cleaned_data
        if not cleaned.get("name") and cleaned.get("file"):
            cleaned["name"] = PurePath(cleaned["file"].name).stem[:100] or "data"
        return cleaned
