"""The forms that lead from a CSV file to a dataset: the file, and what is to become of its columns."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePath
from typing import Any

from django import forms

from nnlab.data.csv_columns import CsvColumn
from nnlab.data.errors import DataError
from nnlab.data.treatments import steps_of
from nnlab.data.upload_recipes import UploadRecipe, usual_inputs
from runs.models import Project
from runs.submitted.values import MAX_LABEL

DELIMITERS = {"": "found by itself", ",": "comma ,", ";": "semicolon ;", "\t": "tab", "|": "bar |"}
_TASKS = {
    "auto": "as the target looks",
    "regression": "regression (a number)",
    "binary": "two classes",
    "multiclass": "several classes",
}
_NUMBERS = {"median": "median, with the gaps marked", "mean": "mean", "drop": "leave the row out"}
_CATEGORIES = {
    "own": "a category of their own",
    "most frequent": "the most frequent",
    "drop": "leave the row out",
}
_SCALINGS = {
    "z-score": "mean 0, deviation 1",
    "none": "as they are",
    "0 to 1": "range 0 to 1",
    "-1 to 1": "range -1 to 1",
    "log": "logarithm, then mean 0",
}
_CAPS = {
    "": "nowhere",
    "percentiles": "at percentiles of the training rows",
    "values": "at these values",
}
KINDS = {"numeric": "number", "categorical": "category", "": "leave out"}
FIELDSETS = (
    ("Target", ("target", "task", "divide", "unit")),
    ("Missing values", ("numbers", "categories")),
    ("Scaling of numbers", ("scaling", "cap", "cap_low", "cap_high")),
    ("Rows that validate", ("order",)),
)


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


class RecipeForm(forms.Form):
    """Choose target and inputs among the columns, and how inputs are made of them."""

    target = forms.ChoiceField(help_text="The column to predict.")
    task = forms.ChoiceField(choices=[*_TASKS.items()])
    divide = forms.FloatField(
        initial=1, label="Divide the target by", help_text="Such as 1000; errors are told in its own unit."
    )
    unit = forms.CharField(
        required=False, max_length=20, label="Unit of the target", help_text="Such as USD."
    )
    numbers = forms.ChoiceField(choices=[*_NUMBERS.items()], label="Missing numbers become")
    categories = forms.ChoiceField(choices=[*_CATEGORIES.items()], label="Missing categories become")
    scaling = forms.ChoiceField(choices=[*_SCALINGS.items()], label="Bring numbers to")
    cap = forms.ChoiceField(
        required=False, choices=[*_CAPS.items()], label="Cap them before", help_text="Against outliers."
    )
    cap_low = forms.FloatField(initial=1, required=False, label="Lower limit")
    cap_high = forms.FloatField(initial=99, required=False, label="Upper limit")
    order = forms.ChoiceField(
        required=False,
        label="Chosen",
        help_text="At random, with equal shares of every class; or the last ones, such as of a year.",
    )

    def __init__(self, columns: Sequence[CsvColumn], *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.columns = columns
        self.recipe: UploadRecipe | None = None
        names = [column.name for column in columns]
        usual = usual_inputs(columns, names[-1])
        self.fields["target"] = forms.ChoiceField(
            choices=[(name, name) for name in names], initial=names[-1], help_text="The column to predict."
        )
        ordering = [(c.name, f"the last by {c.name}") for c in columns if not c.labels]
        self.fields["order"].choices = [("", "at random"), *ordering]  # type: ignore[attr-defined]
        for place, column in enumerate(columns):
            kinds = {key: text for key, text in KINDS.items() if key != "numeric" or not column.labels}
            first = usual.get(column.name, "")
            if column.name == names[-1]:  # in case another column becomes the target
                first = "categorical" if column.labels else "numeric"
            self.fields[f"column-{place}"] = forms.ChoiceField(
                required=False, choices=[*kinds.items()], initial=first, label=f"Use of {column.name}"
            )

    @property
    def fieldsets(self) -> list[tuple[str, list[forms.BoundField]]]:
        """The fields in their groups, for templates; those of the columns are not among them."""
        return [(title, [self[name] for name in names]) for title, names in FIELDSETS]

    @property
    def of_columns(self) -> list[forms.BoundField]:
        """The fields of the columns, in their order."""
        return [self[f"column-{place}"] for place in range(len(self.columns))]

    def clean(self) -> dict[str, Any]:
        """Build the recipe; whether it fits the columns is for the preparation to say."""
        cleaned = super().clean() or self.cleaned_data
        if not self.errors:
            try:
                self.recipe = self._recipe(cleaned)
            except DataError as error:
                self.refuse(error)
        return cleaned

    def refuse(self, error: DataError) -> None:
        """Show what the data package objects to beside the field that it speaks of."""
        self.add_error(error.field if error.field in self.fields else None, str(error))

    def _recipe(self, cleaned: dict[str, Any]) -> UploadRecipe:
        chosen = {column.name: cleaned[f"column-{place}"] for place, column in enumerate(self.columns)}
        missing = {"numeric": cleaned["numbers"], "categorical": cleaned["categories"]}
        cap = None
        if cleaned["cap"]:
            if cleaned["cap_low"] is None or cleaned["cap_high"] is None:
                raise DataError("cap", "expected both limits to cap numbers at; type them, or cap nowhere")
            cap = (cleaned["cap_low"], cleaned["cap_high"], cleaned["cap"] == "percentiles")
        return UploadRecipe(
            target=cleaned["target"],
            task=cleaned["task"],
            inputs={name: kind for name, kind in chosen.items() if kind and name != cleaned["target"]},
            drop=tuple(kind for kind, choice in missing.items() if choice == "drop"),
            steps=steps_of(
                numbers="median" if cleaned["numbers"] == "drop" else cleaned["numbers"],
                categories="own" if cleaned["categories"] == "drop" else cleaned["categories"],
                scaling=cleaned["scaling"],
                cap=cap,
            ),
            order=cleaned["order"] or None,
            divide=cleaned["divide"],
            unit=cleaned["unit"],
        )
