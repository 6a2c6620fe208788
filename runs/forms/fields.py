"""Form fields that only read: text becomes numbers and lists, and the one validation judges them.

The settings that few people change stand here too, in a form that the submission's own extends.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django import forms

from nnlab.data.config import TASKS
from nnlab.engine.config import DTYPES, INITIALIZERS, LOSSES, OUTPUT_ACTIVATIONS, SCHEDULES
from runs.models import Queue

ANSWERS = {"yes": True, "no": False}


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


def choices(names: Iterable[str]) -> list[tuple[str, str]]:
    """Offer names as people read them."""
    return [(name, name.replace("_", " ")) for name in names]


def _switch(help_text: str, *, first: str) -> ChoiceField:
    """Ask yes or no; what stands first is what a browser chooses."""
    answers = sorted(ANSWERS, key=lambda answer: answer != first)
    return ChoiceField(required=False, choices=choices(answers), help_text=help_text)


class FurtherFields(forms.Form):
    """The settings of the group "More"."""

    queue = ChoiceField(
        required=False,
        choices=choices(Queue.values),
        help_text="Whose workers train it.",
    )
    priority = NumberField(help_text="-100 to 100, the highest is taken first; empty for 0.")
    time_limit = PlainField(
        help_text="Of one attempt, such as 90, 30m or 2h; empty for the installation's limit."
    )
    memory_limit_mb = NumberField(
        label="Memory limit", help_text="MB of one run; empty for the installation's limit."
    )
    layer_activations = ListField(
        label="Activation of each layer", help_text="Instead of one for all: such as relu, relu, tanh."
    )
    layer_dropouts = ListField(
        label="Dropout of each layer", help_text="Instead of one for all: such as 0, 0.1, 0.2."
    )
    layer_initializers = ListField(
        label="Initializer of each layer",
        help_text="Instead of one for all, the output's last: such as he_normal, he_normal, zeros.",
    )
    bias_initializer = ChoiceField(
        required=False,
        choices=choices(INITIALIZERS),
        help_text="auto is 0, or 0.1 beside playground's weights.",
    )
    layer_bias_initializers = ListField(
        label="Bias initializer of each layer", help_text="Instead of one for all, the output's last."
    )
    batch_norm = _switch("Normalise over the batch before each hidden activation.", first="no")
    output_activation = ChoiceField(
        required=False,
        choices=choices(OUTPUT_ACTIVATIONS),
        help_text="auto follows the loss and the task; relu, softplus and exponential are for diagnosis.",
    )
    loss = ChoiceField(
        required=False,
        choices=choices(LOSSES),
        help_text="auto follows the task; cross entropy, of sigmoids over their sum, is for diagnosis.",
    )
    class_weights = _switch("Let all classes count alike, however rare.", first="no")
    momentum = NumberField(help_text="For momentum and nesterov; empty for 0.9.")
    weight_decay = NumberField(help_text="For adamw; empty for 0.01.")
    schedule = ChoiceField(
        required=False, choices=choices(SCHEDULES), help_text="How the learning rate changes over the run."
    )
    warmup_steps = NumberField(label="Warm-up steps", help_text="Linear growth of the rate; empty for none.")
    decay_rate = NumberField(help_text="For step, exponential and reduce on plateau; empty for 0.5.")
    decay_every = NumberField(help_text="For step and exponential, in steps; empty for 1000.")
    plateau_epochs = NumberField(help_text="For reduce on plateau: epochs without progress; empty for 5.")
    validate_every = NumberField(help_text="Steps from one evaluation to the next; empty for each epoch.")
    early_stopping_epochs = NumberField(
        label="Early stopping", help_text="Epochs without a better validation loss; empty for none."
    )
    max_norm = NumberField(help_text="Bound on the norm of each unit's weights; empty for none.")
    clip_layer_norm = NumberField(help_text="Bound on the gradient norm of each layer; empty for none.")
    clip_value = NumberField(help_text="Bound on each entry of the gradient; empty for none.")
    first_seed = NumberField(help_text="Seeds count up from here; empty for 0.")
    shuffle = _switch("New order of the rows in every epoch.", first="yes")
    dtype = ChoiceField(required=False, choices=choices(DTYPES), help_text="Precision of the arithmetic.")
    rows = NumberField(help_text="Generated sets only: points to make.")
    noise = NumberField(help_text="Generated sets only: 0 to 0.5.")
    standardise_inputs = _switch("Every input to mean 0 and standard deviation 1.", first="no")
    standardise_target = _switch("Regression: learn the target at mean 0, deviation 1.", first="no")
    drop_constant = _switch("Leave out columns that do not vary.", first="no")
    drop_duplicates = _switch("Leave out rows that repeat another.", first="no")
    drop_bad_rows = _switch("Leave out rows with missing or huge numbers.", first="no")
    task = ChoiceField(
        required=False, choices=choices(TASKS), help_text="CSV files only: auto looks at the target."
    )


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


class DataForm(forms.Form):
    """What every form that trains asks of the data."""

    dataset = PlainField(
        widget=forms.TextInput(attrs={"list": "dataset-suggestions", "autocomplete": "off"}),
        help_text="A built-in set, an upload, or the name of a CSV file on the server.",
    )
    recipe = PlainField(
        widget=forms.TextInput(attrs={"list": "recipe-suggestions", "autocomplete": "off"}),
        help_text="How columns become inputs; see Datasets.",
    )
    target = PlainField(help_text="CSV files only: the column to predict; empty for the last.")
