"""The form of a recipe: what an upload's columns are for, and how inputs are made of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from django import forms

from nnlab.data.csv_columns import CsvColumn
from nnlab.data.errors import DataError
from nnlab.data.parts import names_parts
from nnlab.data.treatments import Treatment, steps_of
from nnlab.data.upload_recipes import UploadRecipe, usual_inputs
from runs.pages.datasets.treatment_fields import SCALINGS, cap_of, exception_fields, exception_of

TASKS = {
    "auto": "as the target looks",
    "regression": "regression (a number)",
    "binary": "two classes",
    "multiclass": "several classes",
}
LABELS = {"": "as it is", "log": "its logarithm, log(1 + x)"}
NUMBERS = {"median": "median, gaps marked", "mean": "mean", "drop": "leave the row out"}
CATEGORIES = {
    "own": "their own category",
    "most frequent": "the most frequent",
    "drop": "leave the row out",
}
CAPS = {"": "nowhere", "percentiles": "at percentiles", "values": "at these values"}
KINDS = {"numeric": "number", "categorical": "category", "": "leave out"}
FIELDSETS = (
    ("Target", ("target", "task", "label", "divide", "unit")),
    ("Rows that train, validate and test", ("rows", "validation", "test", "test_seed")),
    ("Scaling of numbers", ("scaling", "cap", "cap_low", "cap_high")),
    ("Missing values", ("numbers", "categories")),
)
_FIELDS = {"parts": "rows", "order": "rows"}  # what the data package names otherwise
ORDER, PARTS = "order:", "parts:"


class RecipeForm(forms.Form):
    """Choose target and inputs among the columns, and how inputs are made of them."""

    target = forms.ChoiceField(help_text="The column to predict.")
    task = forms.ChoiceField(choices=[*TASKS.items()])
    label = forms.ChoiceField(
        required=False,
        choices=[*LABELS.items()],
        label="Learn",
        help_text="The logarithm for targets that span many sizes. Errors are told in the target's own unit.",
    )
    divide = forms.FloatField(
        initial=1, label="Divide the target by", help_text="Such as 1000, to bring it near 1."
    )
    unit = forms.CharField(
        required=False, max_length=20, label="Unit of the target", help_text="Such as USD."
    )
    rows = forms.ChoiceField(
        required=False,
        label="Held back",
        help_text="At random with equal shares of every class; the last ones of an order, such as a year; or "
        "as a column of train, validation and test says.",
    )
    validation = forms.FloatField(
        initial=0.2, label="Share to validate", help_text="Settings are chosen by these rows."
    )
    test = forms.FloatField(
        initial=0.2, label="Share to test", help_text="Measured once, when a run has ended; 0 for none."
    )
    test_seed = forms.IntegerField(
        initial=0,
        min_value=0,
        label="Seed of the test rows",
        help_text="They stay the same whatever seed a sweep splits the rest by.",
    )
    scaling = forms.ChoiceField(choices=[*SCALINGS.items()], label="Bring numbers to")
    cap = forms.ChoiceField(
        required=False, choices=[*CAPS.items()], label="Cap them before", help_text="Against outliers."
    )
    cap_low = forms.FloatField(initial=1, required=False, label="Lower limit")
    cap_high = forms.FloatField(initial=99, required=False, label="Upper limit")
    numbers = forms.ChoiceField(choices=[*NUMBERS.items()], label="Missing numbers become")
    categories = forms.ChoiceField(choices=[*CATEGORIES.items()], label="Missing categories become")

    def __init__(self, columns: Sequence[CsvColumn], *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.columns = columns
        self.recipe: UploadRecipe | None = None
        names = [column.name for column in columns]
        parts = [column.name for column in columns if names_parts(column) and column.name != names[-1]]
        self._set("target", [(name, name) for name in names], names[-1])
        by_order = [(ORDER + c.name, f"the last by {c.name}") for c in columns if not c.labels]
        by_parts = [(PARTS + c.name, f"as {c.name} says") for c in columns if _may_name_parts(c)]
        first = PARTS + parts[0] if parts else ""
        self._set("rows", [("", "at random"), *by_order, *by_parts], first)
        self.fields["numbers"].help_text = _gaps([c for c in columns if not c.labels], "number")
        self.fields["categories"].help_text = _gaps([c for c in columns if c.labels], "category")
        self._add_columns({**usual_inputs(columns, names[-1]), **dict.fromkeys(parts[:1], "")})

    def _set(self, name: str, choices: Sequence[tuple[str, str]], initial: str) -> None:
        self.fields[name].choices = choices  # type: ignore[attr-defined]
        self.fields[name].initial = initial

    def _add_columns(self, usual: dict[str, str]) -> None:
        for place, column in enumerate(self.columns):
            kinds = {key: text for key, text in KINDS.items() if key != "numeric" or not column.labels}
            first = usual.get(column.name, "")
            if column is self.columns[-1]:  # in case another column becomes the target
                first = "categorical" if column.labels else "numeric"
            self.fields[f"column-{place}"] = forms.ChoiceField(
                required=False, choices=[*kinds.items()], initial=first, label=f"Use of {column.name}"
            )
            if not column.labels:
                self.fields |= exception_fields(place, column.name)

    @property
    def fieldsets(self) -> list[tuple[str, list[forms.BoundField]]]:
        """The fields in their groups, for templates; those of the columns are not among them."""
        return [(title, [self[name] for name in names]) for title, names in FIELDSETS]

    @property
    def of_columns(self) -> list[list[forms.BoundField]]:
        """The fields of each column, in their order: its use, and how its numbers differ from the rest."""
        names = ("column", "scaling", "cap", "at")
        return [
            [self[f"{name}-{place}"] for name in names if f"{name}-{place}" in self.fields]
            for place in range(len(self.columns))
        ]

    def clean(self) -> dict[str, Any]:
        """Build the recipe; whether it fits the columns is for the preparation to say."""
        cleaned = super().clean() or self.cleaned_data
        if not self.errors:
            exceptions = self._exceptions(cleaned)
            try:
                self.recipe = None if self.errors else self._recipe(cleaned, exceptions)
            except DataError as error:
                self.refuse(error)
        return cleaned

    def refuse(self, error: DataError) -> None:
        """Show what the data package objects to beside the field that it speaks of."""
        field = _FIELDS.get(error.field, error.field)
        self.add_error(field if field in self.fields else None, str(error))

    def _exceptions(self, cleaned: dict[str, Any]) -> dict[str, Treatment]:
        """Read how columns differ from the rest, and mark those that cannot be read."""
        found = {}
        for place, column in enumerate(self.columns):
            if cleaned[f"column-{place}"] != "numeric" or column.name == cleaned["target"]:
                continue
            try:
                one = exception_of(place, cleaned)
                if one is not None:
                    found[column.name] = one
            except DataError as error:
                self.add_error(f"at-{place}", str(error))
        return found

    def _recipe(self, cleaned: dict[str, Any], exceptions: dict[str, Treatment]) -> UploadRecipe:
        chosen = {column.name: cleaned[f"column-{place}"] for place, column in enumerate(self.columns)}
        inputs = {name: kind for name, kind in chosen.items() if kind and name != cleaned["target"]}
        missing = {"numeric": cleaned["numbers"], "categorical": cleaned["categories"]}
        rows = cleaned["rows"]
        order, parts = (rows.removeprefix(kind) if rows.startswith(kind) else None for kind in (ORDER, PARTS))
        return UploadRecipe(
            target=cleaned["target"],
            task=cleaned["task"],
            inputs={name: kind for name, kind in inputs.items() if name != parts},
            drop=tuple(kind for kind, choice in missing.items() if choice == "drop"),
            steps=steps_of(
                numbers="median" if cleaned["numbers"] == "drop" else cleaned["numbers"],
                categories="own" if cleaned["categories"] == "drop" else cleaned["categories"],
                scaling=cleaned["scaling"],
                cap=cap_of(cleaned["cap"], (cleaned["cap_low"], cleaned["cap_high"])),
                exceptions=exceptions,
                numeric=[name for name, kind in inputs.items() if kind == "numeric" and name != parts],
            ),
            order=order,
            divide=cleaned["divide"],
            unit=cleaned["unit"],
            validation=cleaned["validation"],
            test=0.0 if parts else cleaned["test"],
            test_seed=0 if parts or order else cleaned["test_seed"],
            parts=parts,
            log_target=cleaned["label"] == "log",
        )


def _may_name_parts(column: CsvColumn) -> bool:
    """Whether a column could say of each row what it is for: by its words, or by 0, 1 and 2."""
    return names_parts(column) or (
        not column.labels and set(np.unique(column.cells).tolist()) <= {0.0, 1.0, 2.0}
    )


def _gaps(columns: Sequence[CsvColumn], kind: str) -> str:
    """Say how many cells are missing among columns of a kind, and what leaving rows out would cost."""
    gaps = [np.isnan(column.cells) for column in columns]
    cells, lacking = sum(int(gap.sum()) for gap in gaps), sum(bool(gap.any()) for gap in gaps)
    if not lacking:
        return (
            f"No {kind} is missing."
            if columns
            else f"There is no column of {'numbers' if kind == 'number' else 'categories'}."
        )
    rows = int(np.any(gaps, axis=0).sum())
    return (
        f"{cells:,} cells of {lacking} column{'s' if lacking > 1 else ''} lack one, in {rows:,} of "
        f"{len(gaps[0]):,} rows."
    )
