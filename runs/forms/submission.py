"""The form of a submission, for the web page and the admin alike.

The form only turns text into a plain mapping: whether the values can be trained with is for
``runs.submission`` to say, in the engine's words.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django import forms

from nnlab.data.catalogue import datasets
from nnlab.data.config import SWITCHES as DATA_SWITCHES
from nnlab.engine.config import ACTIVATIONS, INITIALIZERS, OPTIMIZERS, TrainingConfig
from runs import submission
from runs.forms.fields import (
    ANSWERS,
    ChoiceField,
    ChoicesField,
    DataForm,
    FurtherFields,
    LayersField,
    ListField,
    NumberField,
    PlainField,
    choices,
)
from runs.forms.search_fields import (
    SEARCH_FIELDS,
    SHOWN_AT,
    SearchFields,
    is_grid,
    lone_ranges,
    range_of,
    search_of,
)
from runs.models import Project, Run
from runs.reading.datasets import saved_versions
from runs.submitted.specification import Specification, SubmissionError
from runs.submitted.values import MAX_LABEL, MAX_SEEDS

_JOB_FIELDS = ("queue", "priority", "time_limit", "memory_limit_mb")
FOLDED = "More"  # groups that a page may fold: settings that most people leave alone
SEARCH = "Search"
FIELDSETS = (
    ("Experiment", ("project", "name")),
    ("Data", ("dataset", "recipe", "target", "validation_share", "split_seed")),
    ("Network", ("depth", "width", "hidden_units", "activation", "dropout", "initializer")),
    (
        "Training",
        ("optimizer", "learning_rate", "batch_size", "epochs", "steps", "l1", "l2", "clip_norm", "seeds"),
    ),
    (SEARCH, SEARCH_FIELDS),
    (
        FOLDED,
        (
            "layer_activations", "layer_dropouts", "layer_initializers", "bias_initializer",
            "layer_bias_initializers", "batch_norm", "output_activation", "loss", "class_weights",
            "momentum", "weight_decay", "schedule", "warmup_steps", "decay_rate", "decay_every",
            "plateau_epochs", "validate_every", "early_stopping_epochs", "max_norm", "clip_layer_norm",
            "clip_value", "first_seed", "shuffle", "dtype", "rows", "noise", "task",
            *DATA_SWITCHES, *_JOB_FIELDS,
        ),
    ),
)  # fmt: skip
_DATA_FIELDS = ("recipe", "target", "validation_share", "split_seed", "rows", "noise", "task")
_AXES = ("depth", "width", "activation", "dropout", "optimizer", "learning_rate", "batch_size", "l1", "l2")
_SINGLE = (
    "epochs", "steps", "clip_norm", "clip_layer_norm", "clip_value", "max_norm", "momentum", "weight_decay",
    "schedule", "warmup_steps", "decay_rate", "decay_every", "plateau_epochs", "validate_every",
    "early_stopping_epochs", "initializer", "bias_initializer", "output_activation", "loss", "dtype",
)  # fmt: skip
_LAYERED = {
    "layer_activations": "activation",
    "layer_dropouts": "dropout",
    "layer_initializers": "initializer",
    "layer_bias_initializers": "bias_initializer",
}
_EMPTY_WHERE_USUAL = ("weight_decay", "warmup_steps", "decay_rate", "decay_every", "plateau_epochs")
_SWITCHES = ("shuffle", "batch_norm", "class_weights")


class SweepForm(DataForm, SearchFields, FurtherFields):
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
    validation_share = NumberField(help_text="Share of the rows held back, 0.05 to 0.5.")
    split_seed = NumberField(help_text="Which rows are held back.")
    depth = ListField(help_text="Hidden layers, such as 1, 2, 3; 0 is a linear model.")
    width = ListField(help_text="Units of each hidden layer, such as 16, 64.")
    hidden_units = LayersField(
        help_text="Instead of depth and width: exact layers, such as 100, 50, 20; more after a semicolon.",
    )
    activation = ChoicesField(
        required=False,
        choices=choices(ACTIVATIONS),
        help_text="One or several; exponential overflows easily and is for diagnosis.",
    )
    dropout = ListField(
        help_text="Drop probability, 0 up to but not 1, such as 0, 0.1; typical are 0.2 to 0.5."
    )
    initializer = ChoiceField(
        required=False,
        choices=choices(INITIALIZERS),
        help_text="auto follows the activation.",
    )
    optimizer = ChoicesField(required=False, choices=choices(OPTIMIZERS), help_text="One or several.")
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
            "dataset-suggestions": [*known, *(version.key for version in saved_versions())],
            "recipe-suggestions": list(recipes),
        }

    def clean(self) -> dict[str, Any]:
        """Let the one validation judge, and show its messages beside the fields they speak of."""
        cleaned = super().clean() or self.cleaned_data
        layered = {field: typed for typed, field in _LAYERED.items() if cleaned[typed]}
        for field, typed in layered.items():
            if field in _AXES and len(cleaned[field]) > 1:
                self.add_error(typed, f"{field}: expected several to try, or one for each layer; got both")
        for field in lone_ranges(cleaned, _AXES):
            self.add_error(field, f"{field}: a range needs a search; choose another method than grid there")
        if not self.errors:
            try:
                self.specification = submission.parse(as_mapping(cleaned))
            except SubmissionError as error:
                for field, messages in error.errors.items():
                    shown = (layered | SHOWN_AT).get(field, field)
                    for message in messages:
                        self.add_error(shown if shown in self.fields else None, message)
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
        for field in _EMPTY_WHERE_USUAL:
            if values.get(field) == getattr(TrainingConfig, field):
                del values[field]
        for typed, field in _LAYERED.items():
            if isinstance(values.get(field), list):
                values[typed] = values.pop(field)
        values |= {key: [values[key]] for key in _AXES if key in values}
        layers = training["hidden_units"]
        return {
            "activation": [],
            "dropout": [],
            **values,
            "project": run.project.name,
            "name": run.name,
            "hidden_units": [layers] if layers else None,
            "depth": None if layers else [0],
            "width": None,
            "epochs": training["epochs"],
            **{field: "yes" if training[field] else "no" for field in _SWITCHES if field in training},
            **{field: "yes" if data.get(field) else "no" for field in DATA_SWITCHES},
            "seeds": 1,
            "first_seed": training["seed"],
            **submission.as_mapping(run).get("job", {}),
        }


def as_mapping(cleaned: Mapping[str, Any]) -> dict[str, Any]:
    """Turn the form's values into a submission: one value is fixed, several are an axis."""
    training: dict[str, Any] = {}
    grid: dict[str, Any] = {}
    for field in (*_AXES, "hidden_units"):
        values = cleaned[field]
        if len(values) == 1 and not range_of(values[0]):
            training[field] = values[0]
        elif values:
            grid[field] = values
    search = search_of(cleaned, grid)
    training |= {field: cleaned[field] for field in _SINGLE if cleaned[field] not in {None, ""}}
    training |= {field: cleaned[typed] for typed, field in _LAYERED.items() if cleaned[typed]}
    training |= {field: ANSWERS.get(cleaned[field], cleaned[field]) for field in _SWITCHES if cleaned[field]}
    given = ("dataset", *(field for field in _DATA_FIELDS if cleaned[field] not in {None, ""}))
    switches = {
        field: ANSWERS.get(cleaned[field], cleaned[field]) for field in DATA_SWITCHES if cleaned[field]
    }
    return {
        "project": cleaned["project"],
        "name": cleaned["name"],
        "data": {field: cleaned[field] for field in given} | switches,
        "training": training,
        "grid": grid if is_grid(cleaned) else {},
        **({"search": search} if search else {}),
        "seeds": _seeds(cleaned["seeds"], cleaned["first_seed"]),
        "job": {field: cleaned[field] for field in _JOB_FIELDS if cleaned[field] not in {None, ""}},
    }


def _seeds(count: object, first: object) -> object:
    """List the seeds that count up from another than 0; what is no number is left to be refused."""
    if first in {None, 0} or not isinstance(count, int) or not 1 <= count <= MAX_SEEDS:
        return count
    return [first + number for number in range(count)] if isinstance(first, int) else [first]


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
