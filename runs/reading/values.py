"""The values of a filter: ``a,b`` is or, ``a..b`` is a range with either end open, ``!a`` is not.

In double quotes a part is a text, commas and all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from django.db.models import Q

MAX_VALUES = 100  # of one filter
_WHOLE_DIGITS = 18  # what a database's big integer holds
_LARGEST = 1e300


@dataclass(frozen=True)
class Wanted:
    """What the parts of a filter come to.

    Args:
        any_of: what must hold; empty where the filter only says what must not.
        none_of: what must not hold; empty where the filter only says what must.
    """

    any_of: Q
    none_of: Q


def whole_numbers(column: str, text: str) -> Wanted:
    """Read a filter of a column of whole numbers.

    Raises:
        ValueError: for what is neither a whole number nor a range, or too many values.
    """
    return _wanted(text, lambda part: _range(column, part, _whole))


def numbers(column: str, text: str) -> Wanted:
    """Read a filter of a column of numbers.

    Raises:
        ValueError: for what is neither a number nor a range, or too many values.
    """
    return _wanted(text, lambda part: _range(column, part, _real))


def texts(column: str, text: str) -> Wanted:
    """Read a filter of a column of texts.

    Raises:
        ValueError: for too many values.
    """
    return _wanted(text, lambda part: Q(**{column: _unquoted(part)}))


def parameters(text: str) -> Wanted:
    """Read a filter of ``RunParam``: what looks like a number is one, unless it stands in double quotes.

    Raises:
        ValueError: for a range of anything but numbers, or too many values.
    """
    return _wanted(text, _parameter)


def split(text: str) -> Iterator[str]:
    """Cut a list at its commas, but not at those within double quotes; empty parts are left out."""
    start, quoted = 0, False
    for place, character in enumerate(f"{text},"):
        if character == '"' and (quoted or '"' in text[place + 1 :]):
            quoted = not quoted
        elif character == "," and not quoted:
            if part := text[start:place].strip():
                yield part
            start = place + 1


def storable(text: str) -> str:
    """Take out what PostgreSQL cannot store or compare in a text."""
    return text.replace("\x00", "").encode("utf-8", "replace").decode().strip()


def _wanted(text: str, build: Callable[[str], Q]) -> Wanted:
    parts = list(split(text))
    if len(parts) > MAX_VALUES:
        raise ValueError(f"expected at most {MAX_VALUES} values, got {len(parts)}")
    any_of, none_of = Q(), Q()
    for part in parts:
        if part.startswith("!"):
            none_of |= build(part[1:].strip())
        else:
            any_of |= build(part)
    return Wanted(any_of, none_of)


def _parameter(text: str) -> Q:
    plain = _unquoted(text)
    if plain != text:
        return Q(text=plain)
    if ".." in text:
        return _range("number", text, _real)
    try:
        return Q(number=_real(text))
    except ValueError:
        return Q(text=plain)


def _range(column: str, text: str, read: Callable[[str], float]) -> Q:
    low, dots, high = text.partition("..")
    if not dots:
        return Q(**{column: read(text)})
    condition = Q(**{f"{column}__isnull": False})
    if low.strip():
        condition &= Q(**{f"{column}__gte": read(low.strip())})
    if high.strip():
        condition &= Q(**{f"{column}__lte": read(high.strip())})
    return condition


def _real(text: str) -> float:
    try:
        value = float(text) if len(text) < 40 else float("nan")
    except ValueError:
        value = float("nan")
    if not abs(value) < _LARGEST:
        raise ValueError(f"expected a number, or a range such as 0.1..0.5, got {text[:40]!r}")
    return value


def _whole(text: str) -> int:
    digits = text.removeprefix("-")
    if len(digits) > _WHOLE_DIGITS or not digits.isascii() or not digits.isdigit():
        raise ValueError(f"expected a whole number or a range such as 2..5, got {text[:40]!r}")
    return int(text)


def _unquoted(text: str) -> str:
    quoted = len(text) > 1 and text.startswith('"') and text.endswith('"')
    return storable(text[1:-1] if quoted else text)
