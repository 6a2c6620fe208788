"""The form of a new question: it turns text into a plain mapping, and the one validation judges it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django import forms

from nnlab.data.catalogue import datasets
from nnlab.engine.config import ACTIVATIONS, OPTIMIZERS
from runs.forms.fields import (
    ChoiceField,
    ChoicesField,
    DataForm,
    ListField,
    NumberField,
    PlainField,
    choices,
)
from runs.forms.search_fields import range_of
from runs.models import Project, Question
from runs.questions import asking
from runs.questions.reading import MAX_NAME
from runs.submitted.specification import SubmissionError

_BUDGETS = (
    ("parameters", "parameters"),
    ("multiply_adds", "multiplications an example (FLOPs)"),
    ("width", "width: unequal size, to see what size does"),
)
_DATA = ("dataset", "recipe", "target")
_TRAINING = ("optimizer", "batch_size", "epochs", "steps", "l2")
_USUAL_VALUES = 5
FIELDSETS = (
    ("What is compared", ("name", "depth", "activation", "dropout")),
    ("At equal size", ("budget_kind", "budget")),
    ("Tuning and seeds", ("learning_rates", "rate_values", "tuning_seeds", "seeds", "metric", "margin")),
    ("Data", _DATA),
    ("Training, the same for all", _TRAINING),
)
# Beside which field a message of the one validation stands.
_SHOWN_AT = {"hidden_units": "budget", "learning_rate": "learning_rates"}


class QuestionForm(DataForm):
    """Ask which depth, activation or dropout is better; those with several values are compared."""

    name = PlainField(
        widget=forms.TextInput(attrs={"required": True, "maxlength": MAX_NAME}),
        help_text="The question in your words.",
    )
    depth = ListField(help_text="Hidden layers, such as 1, 2, 4; one value keeps it fixed.")
    activation = ChoicesField(
        required=False, choices=choices(ACTIVATIONS), help_text="One, or several to compare."
    )
    dropout = ListField(help_text="Drop probability, such as 0, 0.2; one value keeps it fixed.")
    budget_kind = ChoiceField(
        label="Equal", required=False, choices=_BUDGETS, help_text="Widths are chosen to come within 1 %."
    )
    budget = NumberField(label="How many", help_text="Of each network, such as 5000.")
    learning_rates = ListField(help_text="Such as 0.001, 0.01, 0.1, or a range: 0.0003 .. 0.1 log.")
    rate_values = NumberField(label="Values of a range", help_text="How many rates of it are tried on each.")
    tuning_seeds = NumberField(help_text="Seeds a rate is tried with.")
    seeds = NumberField(
        label="Fresh seeds", help_text="That answer: none of them was tuned on. Five or more tell much."
    )
    metric = PlainField(help_text="What is compared, such as val_loss; empty for the usual score.")
    margin = NumberField(
        label="Smallest difference that matters",
        help_text="Such as 0.01, one point of accuracy, which it is if empty. What differs by less is equal.",
    )
    optimizer = ChoiceField(required=False, choices=choices(OPTIMIZERS), help_text="Of every network.")
    batch_size = NumberField(help_text="Examples a step.")
    epochs = NumberField(help_text="Passes over the training rows; or give steps.")
    steps = NumberField(help_text="Optimizer updates; instead of epochs.")
    l2 = NumberField(label="L2", help_text="Penalty on squared weights; empty for none.")

    def __init__(self, project: Project, *args: Any, **options: Any) -> None:
        options["initial"] = {**_defaults(), **(options.get("initial") or {})}
        super().__init__(*args, **options)
        self.project = project
        self.asked: asking.Asked | None = None

    @property
    def fieldsets(self) -> list[tuple[str, list[forms.BoundField]]]:
        """The fields in their groups, for templates."""
        return [(title, [self[name] for name in names]) for title, names in FIELDSETS]

    @property
    def suggestions(self) -> dict[str, list[str]]:
        """What the text fields offer, by the id of their list."""
        known = datasets()
        recipes = dict.fromkeys(key for info in known.values() for key, _ in info.recipes)
        return {"dataset-suggestions": list(known), "recipe-suggestions": list(recipes)}

    def clean(self) -> dict[str, Any]:
        """Let the one validation judge, and show its messages beside the fields they speak of."""
        cleaned = super().clean() or self.cleaned_data
        if not self.errors:
            try:
                self.asked = asking.parse(as_mapping(self.project, cleaned))
            except SubmissionError as error:
                self.refuse(error)
        return cleaned

    def refuse(self, error: SubmissionError) -> None:
        """Show what is wrong beside the fields."""
        for field, messages in error.errors.items():
            shown = _SHOWN_AT.get(field, field)
            for message in messages:
                self.add_error(shown if shown in self.fields else None, message)

    @staticmethod
    def initial_from(question: Question) -> dict[str, Any]:
        """Fill the form with an earlier question."""
        asked = question.specification
        kind, budget = next(iter(asked["budget"].items()))
        return {
            **{key: asked["data"][key] for key in _DATA if key in asked["data"]},
            **{key: asked["training"][key] for key in _TRAINING if key in asked["training"]},
            "epochs": asked["training"].get("epochs"),
            **{key: asked[key] for key in ("name", "depth", "activation", "dropout", "learning_rates")},
            "budget_kind": kind,
            "budget": budget,
            "tuning_seeds": len(asked["tuning_seeds"]),
            "seeds": len(asked["seeds"]),
            "metric": asked.get("metric", ""),
            "margin": asked.get("margin"),
        }


def as_mapping(project: Project, cleaned: Mapping[str, Any]) -> dict[str, Any]:
    """Turn the form's values into a question."""

    def given(*names: str) -> dict[str, Any]:
        return {name: cleaned[name] for name in names if cleaned[name] not in (None, "", [])}

    return {
        "project": project.slug,
        "name": cleaned["name"],
        "data": given(*_DATA),
        "training": given(*_TRAINING),
        "budget": {cleaned["budget_kind"] or "parameters": cleaned["budget"]},
        "learning_rates": _rates(cleaned),
        **given("depth", "activation", "dropout", "tuning_seeds", "seeds", "metric", "margin"),
    }


def _rates(cleaned: Mapping[str, Any]) -> object:
    """Read the rates as they are typed; a range becomes so many of them."""
    typed = cleaned["learning_rates"]
    found = range_of(typed[0]) if len(typed) == 1 else None
    if found is None:
        return typed
    count = cleaned["rate_values"]
    return {"low": found["low"], "high": found["high"], "values": _USUAL_VALUES if count is None else count}


def _defaults() -> dict[str, Any]:
    return {
        "name": "Is deeper better at equal size?",
        "depth": [1, 2, 4],
        "activation": ["relu"],
        "dropout": [0],
        "budget_kind": "parameters",
        "budget": 5000,
        "learning_rates": "0.0003 .. 0.03 log",
        "rate_values": _USUAL_VALUES,
        "tuning_seeds": 2,
        "seeds": 5,
        "dataset": "digits",
        "recipe": "default",
        "optimizer": "adam",
        "batch_size": 32,
        "epochs": 20,
    }
