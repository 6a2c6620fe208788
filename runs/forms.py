"""The form of a submission, for the web page and the admin alike.

The form only turns text into a plain mapping: whether the values can be trained with is for
``runs.submission`` to say, in the engine's words.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django import forms

from nnlab.data.catalogue import datasets
from nnlab.engine.config import ACTIVATIONS, INITIALIZERS, OPTIMIZERS
from runs import submission
from runs.models import Project, Run
from runs.specification import Specification, SubmissionError
from runs.submitted_values import MAX_LABEL

FIELDSETS = (
    ("What", ("project", "name")),
    ("Data", ("dataset", "recipe", "target", "validation_share", "split_seed")),
    ("Network", ("depth", "width", "hidden_units", "activation", "dropout", "initializer")),
    (
        "Training",
        ("optimizer", "learning_rate", "batch_size", "epochs", "steps", "l1", "l2", "clip_norm", "seeds"),
    ),
)
_DATA_FIELDS = ("dataset", "recipe", "target", "validation_share", "split_seed")
_AXES = ("depth", "width", "activation", "dropout", "optimizer", "learning_rate", "batch_size", "l1", "l2")


class SuggestionsInput(forms.TextInput):
    """A text input with suggestions: any value may be typed."""

    def __init__(self, name: str, suggestions: Mapping[str, str]) -> None:
        super().__init__(attrs={"list": f"{name}-suggestions", "autocomplete": "off"})
        self.suggestions_id = f"{name}-suggestions"
        self.suggestions = suggestions


class PlainField(forms.CharField):
    """One line of text, as it is: what it may be is for the one validation to say."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"required": False, **options})

    def run_validators(self, value: object) -> None:
        """Leave the text to ``runs.submission``."""


class ChoiceField(forms.ChoiceField):
    """One of several choices; a value that is not among them is left to the engine to refuse."""

    def validate(self, value: object) -> None:
        """Leave the value to the engine."""


class ListField(PlainField):
    """Several values in one line, such as ``1, 2, 3``; each is read as a number where it is one."""

    def to_python(self, value: object) -> Any:
        """Split the text at commas."""
        return [_number(part) for part in _parts(value)]

    def prepare_value(self, value: object) -> object:
        """Show a list the way it is typed."""
        return ", ".join(f"{item}" for item in value) if isinstance(value, list | tuple) else value


class LayersField(PlainField):
    """Exact layers, such as ``100, 50, 20``; several networks are divided by semicolons."""

    def to_python(self, value: object) -> Any:
        """Split the text at semicolons, then at commas."""
        return [
            [_number(unit) for unit in _parts(layers)]
            for layers in str(value or "").split(";")
            if layers.strip()
        ]

    def prepare_value(self, value: object) -> object:
        """Show networks the way they are typed."""
        if not isinstance(value, list | tuple):
            return value
        return "; ".join(", ".join(str(unit) for unit in layers) for layers in value)


class ChoicesField(forms.MultipleChoiceField):
    """Check boxes; a value that is not among them is left to the engine to refuse."""

    widget = forms.CheckboxSelectMultiple

    def validate(self, value: object) -> None:
        """Leave the values to the engine."""


class NumberField(PlainField):
    """One number, empty for none; what is no number stays text, for the engine to refuse in its words."""

    def to_python(self, value: object) -> Any:
        """Read a number."""
        text = str(value if value is not None else "").strip()
        return _number(text) if text else None


class SweepForm(forms.Form):
    """Submit a run or a sweep: a field with several values becomes an axis of the grid."""

    project = PlainField(
        widget=forms.TextInput(
            attrs={
                "list": "project-suggestions",
                "autocomplete": "off",
                "required": True,
                "maxlength": MAX_LABEL,
            }
        ),
        help_text="A new name makes a new project.",
    )
    name = PlainField(
        widget=forms.TextInput(attrs={"required": True, "maxlength": MAX_LABEL}),
        help_text="What you want to find out.",
    )
    dataset = PlainField(
        widget=forms.TextInput(attrs={"list": "dataset-suggestions", "autocomplete": "off"}),
        help_text="A built-in set, or the name of a CSV file in the datasets folder.",
    )
    recipe = PlainField(
        widget=forms.TextInput(attrs={"list": "recipe-suggestions", "autocomplete": "off"}),
        help_text="How columns become inputs; see Datasets.",
    )
    target = PlainField(help_text="CSV files only: the column to predict; empty for the last.")
    validation_share = NumberField(help_text="Share of the rows held back, 0.05 to 0.5.")
    split_seed = NumberField(help_text="Which rows are held back.")
    depth = ListField(help_text="Hidden layers, such as 1, 2, 3; 0 is a linear model.")
    width = ListField(help_text="Units of each hidden layer, such as 16, 64.")
    hidden_units = LayersField(
        help_text="Instead of depth and width: exact layers, such as 100, 50, 20; more after a semicolon.",
    )
    activation = ChoicesField(
        required=False,
        choices=[(name, name.replace("_", " ")) for name in ACTIVATIONS],
        help_text="One or several.",
    )
    dropout = ListField(
        help_text="Drop probability, 0 up to but not 1, such as 0, 0.1; typical are 0.2 to 0.5."
    )
    initializer = ChoiceField(
        required=False,
        choices=[(name, name.replace("_", " ")) for name in INITIALIZERS],
        help_text="auto follows the activation.",
    )
    optimizer = ChoicesField(
        required=False, choices=[(name, name) for name in OPTIMIZERS], help_text="One or several."
    )
    learning_rate = ListField(help_text="Such as 0.01, 0.001.")
    batch_size = ListField(help_text="Examples a step.")
    epochs = NumberField(help_text="Passes over the training rows; or give steps.")
    steps = NumberField(help_text="Optimizer updates; instead of epochs.")
    l1 = ListField(label="L1", help_text="Penalty on absolute weights.")
    l2 = ListField(label="L2", help_text="Penalty on squared weights.")
    clip_norm = NumberField(help_text="Bound on the gradient norm; empty for none.")
    seeds = NumberField(help_text="Seeds for each setting: 1 gives no interval, 3 or more do.")

    def __init__(self, *args: Any, **options: Any) -> None:
        options["initial"] = {**_defaults(), **(options.get("initial") or {})}
        super().__init__(*args, **options)
        self.specification: Specification | None = None

    @property
    def fieldsets(self) -> list[tuple[str, list[forms.BoundField]]]:
        """The fields in their groups, for templates."""
        return [(title, [self[name] for name in names]) for title, names in FIELDSETS]

    @property
    def suggestions(self) -> dict[str, list[str]]:
        """What the text fields offer, by the id of their list."""
        known = datasets()
        recipes = dict.fromkeys(key for info in known.values() for key, _ in info.recipes)
        return {
            "project-suggestions": list(Project.objects.values_list("name", flat=True)[:200]),
            "dataset-suggestions": list(known),
            "recipe-suggestions": list(recipes),
        }

    def clean(self) -> dict[str, Any]:
        """Let the one validation judge, and show its messages beside the fields they speak of."""
        cleaned = super().clean() or self.cleaned_data
        if not self.errors:
            try:
                self.specification = submission.parse(as_mapping(cleaned))
            except SubmissionError as error:
                for field, messages in error.errors.items():
                    for message in messages:
                        self.add_error(field if field in self.fields else None, message)
        return cleaned

    @staticmethod
    def initial_from(run: Run, changes: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Fill the form with a run's settings, for clone and edit.

        Args:
            changes: settings to change, by their path in the configuration, such as ``data.recipe``.
        """
        data, training = dict(run.config["data"]), dict(run.config["training"])
        for path, value in (changes or {}).items():
            part, _, field = path.rpartition(".")
            (data if part == "data" else training)[field] = value
        values = {key: value for key, value in {**data, **training}.items() if value is not None}
        values |= {
            key: [value] for key, value in values.items() if key in _AXES and not isinstance(value, list)
        }
        return {
            **values,
            "project": run.project.name,
            "name": run.name,
            "hidden_units": [training["hidden_units"]] if training["hidden_units"] else None,
            "depth": None if training["hidden_units"] else [0],
            "width": None,
            "epochs": training["epochs"],
            "seeds": 1,
        }


def as_mapping(cleaned: Mapping[str, Any]) -> dict[str, Any]:
    """Turn the form's values into a submission: one value is fixed, several are an axis."""
    training: dict[str, Any] = {"initializer": cleaned["initializer"]} if cleaned["initializer"] else {}
    grid: dict[str, Any] = {}
    for field in (*_AXES, "hidden_units"):
        values = cleaned[field]
        if len(values) == 1:
            training[field] = values[0]
        elif values:
            grid[field] = values
    for field in ("epochs", "steps", "clip_norm"):
        if cleaned[field] is not None:
            training[field] = cleaned[field]
    given = ("dataset", *(field for field in _DATA_FIELDS if cleaned[field] not in {None, ""}))
    data = {field: cleaned[field] for field in given}
    return {
        "project": cleaned["project"],
        "name": cleaned["name"],
        "data": data,
        "training": training,
        "grid": grid,
        "seeds": cleaned["seeds"],
    }


def _defaults() -> dict[str, Any]:
    return {
        "dataset": "digits",
        "recipe": "default",
        "validation_share": 0.2,
        "split_seed": 0,
        "depth": [1, 2],
        "width": [64],
        "activation": ["relu"],
        "dropout": [0],
        "initializer": "auto",
        "optimizer": ["adam"],
        "learning_rate": [0.001],
        "batch_size": [32],
        "epochs": 20,
        "seeds": 3,
    }


def _parts(value: object) -> list[str]:
    return [part.strip() for part in str(value or "").split(",") if part.strip()]


def _number(text: str) -> int | float | str:
    """Read a number as it is written; other text stays text. NaN and infinities are numbers here."""
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text
