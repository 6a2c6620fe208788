"""The plain values of a submission, each read and checked by itself, with all that is wrong collected."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ParamSpec, TypeVar

from nnlab.engine.config import MAX_SEED
from nnlab.engine.errors import ConfigError

MAX_SEEDS = 1000
MAX_LABEL = 100  # characters of a name

_Args = ParamSpec("_Args")
_Value = TypeVar("_Value")


class Faults:
    """What is wrong with a submission: messages by field, each once."""

    def __init__(self) -> None:
        self.found: dict[str, list[str]] = {}

    @property
    def count(self) -> int:
        """How many messages there are."""
        return sum(map(len, self.found.values()))

    def note(self, field: str, message: str) -> None:
        """Take a message; one that is known already is left out."""
        messages = self.found.setdefault(field, [])
        if message not in messages:
            messages.append(message)

    def collect(
        self, read: Callable[_Args, _Value], *args: _Args.args, **options: _Args.kwargs
    ) -> _Value | None:
        """Return what ``read`` returns; note its ConfigError under the field it names, and return None."""
        try:
            return read(*args, **options)
        except ConfigError as error:
            self.note(error.field, str(error))
            return None


def read_label(field: str, value: object) -> str:
    """Read the name of a project or a sweep."""
    text = value.strip() if isinstance(value, str) else ""
    if not text or not text.isprintable():
        raise ConfigError(
            field, f"expected a text of 1 to {MAX_LABEL} printable characters, got {_short(value)}"
        )
    if len(text) > MAX_LABEL:
        raise ConfigError(field, f"expected at most {MAX_LABEL} characters, got {len(text)}")
    return text


def read_seeds(value: object) -> tuple[int, ...]:
    """Read a list of seeds, or their number n, for 0 .. n-1."""
    if isinstance(value, int) and not isinstance(value, bool):
        if not 1 <= value <= MAX_SEEDS:
            raise ConfigError("seeds", f"expected 1 to {MAX_SEEDS} seeds, got {_short(value)}")
        return tuple(range(value))
    if not isinstance(value, list | tuple) or not 1 <= len(value) <= MAX_SEEDS:
        raise ConfigError(
            "seeds", f"expected a number of seeds, or a list of 1 to {MAX_SEEDS}, got {_short(value)}"
        )
    for seed in value:
        if isinstance(seed, bool) or not isinstance(seed, int):
            raise ConfigError("seeds", f"expected whole numbers, got {_short(seed)}")
        if not 0 <= seed <= MAX_SEED:
            raise ConfigError("seeds", f"expected seeds from 0 to {MAX_SEED:,}, got {_short(seed)}")
    return tuple(dict.fromkeys(value))


def read_grid(value: object) -> dict[str, tuple[Any, ...]]:
    """Read the axes of a grid, each with the values to try."""
    grid = read_table("grid", value)
    for axis, values in grid.items():
        if not isinstance(values, list | tuple) or not values:
            raise ConfigError(
                str(axis), f"expected a list of at least one value to try, got {_short(values)}"
            )
    return {axis: tuple(values) for axis, values in grid.items()}


def read_table(field: str, value: object) -> dict[str, Any]:
    """Read a table of settings."""
    if not isinstance(value, Mapping):
        raise ConfigError(field, f"expected a table of settings, got {_short(value)}")
    return dict(value)


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
