"""Form fields that only read: text becomes numbers and lists, and the one validation judges them."""

from __future__ import annotations

from typing import Any

from django import forms


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
