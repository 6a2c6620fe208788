"""Checks of single values of a config: each returns what fits or raises with the field's name."""

from __future__ import annotations

from difflib import get_close_matches

from nnlab.engine.errors import ConfigError

MAX_NUMBER = 1e300
MAX_CHAIN = 8


def listing(names: tuple[str, ...] | list[str]) -> str:
    """Write names as a message lists them."""
    return ", ".join(names)


def suggestion(name: object, known: tuple[str, ...] | list[str]) -> str:
    """Ask for the nearest known name, if one is near."""
    near = get_close_matches(str(name), known, n=1, cutoff=0.5)
    return f"; did you mean {near[0]}?" if near else ""


def choice(field: str, value: object, known: tuple[str, ...]) -> None:
    """Check a name."""
    if not isinstance(value, str) or value not in known:
        raise ConfigError(field, f"expected one of {listing(known)}, got {value!r}{suggestion(value, known)}")


def chain(field: str, value: object, known: tuple[str, ...], *, alone: str) -> None:
    """Check a name, or names with > between them, of which one may only stand alone."""
    names = value.split(">") if isinstance(value, str) else [value]
    for name in names:
        choice(field, name, known)
    if len(names) > 1 and alone in names:
        raise ConfigError(field, f"expected {alone} alone, as it learns slopes, got {value!r}")
    if len(names) > MAX_CHAIN:
        raise ConfigError(field, f"expected at most {MAX_CHAIN} names with > between, got {len(names)}")


def flag(field: str, value: object) -> None:
    """Check a boolean; 0 and 1 are none."""
    if not isinstance(value, bool):
        raise ConfigError(field, f"expected true or false, got {value!r}")


def integer(field: str, value: object, low: int, high: int) -> int:
    """Check a whole number from ``low`` to ``high``."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise ConfigError(field, f"expected a whole number, got {value!r}")
    if not low <= value <= high:
        raise ConfigError(field, f"expected a whole number from {low} to {high:,}, got {value:,}")
    return int(value)


def number(
    field: str, value: object, low: float, *, above: bool = False, below: float | None = None
) -> float:
    """Check a finite number: at least ``low``, or above it, and below ``below``."""
    wanted = f"expected a number {'above' if above else 'of at least'} {low:g}"
    wanted += "" if below is None else f" and below {below:g}"
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ConfigError(field, f"{wanted}, got {value!r}")
    if not abs(value) <= MAX_NUMBER:  # also for NaN; a huge int could not even be converted
        raise ConfigError(field, f"{wanted}, got {value!r}; it must be finite")
    fits = (value > low if above else value >= low) and (below is None or value < below)
    if not fits:
        raise ConfigError(field, f"{wanted}, got {value!r}")
    return float(value)
