"""Other thresholds than the shipped ones, given by a person: read, checked and laid over them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from copy import deepcopy
from difflib import get_close_matches
from reprlib import repr as brief
from typing import Any

from nnlab.health.thresholds import SHIPPED, Thresholds, canonical, parse

LARGEST = 1_000_000_000  # far beyond what any check compares with, and still a count of steps
_COUNTS = ("n_open", "m", "n_clear", "first", "recent")  # of results and steps
_DIVISORS = ("layer",)
_NAME = 60  # characters of a name that are repeated


class ThresholdError(ValueError):
    """A threshold file that cannot be used; the message says where and why."""


def tuned(text: str) -> Thresholds:
    """Lay a threshold file over the shipped one. It may hold only what differs.

    Raises:
        ThresholdError: for text that is not JSON, names that no check reads, and values that are not numbers
            from 0 to ``LARGEST``.
    """
    try:
        changes = json.loads(text)
    except (ValueError, RecursionError) as error:  # the latter of thousands of brackets
        raise ThresholdError(f"expected JSON: {error}") from error
    document = deepcopy(SHIPPED)
    _lay(document, changes, "thresholds")
    for check, limits in document["checks"].items():
        _check_limits(check, limits)
    return parse(canonical(document))


def _lay(known: dict[str, Any], changes: Any, where: str) -> None:
    if not isinstance(changes, Mapping):
        raise ThresholdError(f"{where}: expected an object, got {brief(changes)}")
    for name, value in changes.items():
        place = f"{where}.{name[:_NAME].encode('ascii', 'backslashreplace').decode()}"
        if name not in known:
            close = get_close_matches(name, known, 1)
            remedy = f"did you mean {close[0]}?" if close else f"known are {', '.join(sorted(known))}"
            raise ThresholdError(f"{place}: unknown; {remedy}")
        if name == "version":
            _check_version(value, known[name])
        elif isinstance(known[name], dict):
            _lay(known[name], value, place)
        else:
            known[name] = _number(value, place)


def _check_version(value: Any, known: int) -> None:
    if value != known:
        raise ThresholdError(
            f"thresholds.version: expected {known}, got {brief(value)}; the meanings have changed"
        )


def _number(value: Any, place: str) -> float:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or not 0 <= value <= LARGEST:
        raise ThresholdError(f"{place}: expected a number from 0 to {LARGEST:,}, got {brief(value)}")
    return int(value) if value == int(value) else float(value)


def _check_limits(check: str, limits: Mapping[str, float]) -> None:
    place = f"thresholds.checks.{check}"
    for name, value in limits.items():
        if name in _COUNTS and not (isinstance(value, int) and 1 <= value <= 1000):
            raise ThresholdError(f"{place}.{name}: expected a whole number from 1 to 1000, got {value!r}")
        if name in _DIVISORS and not value > 0:
            raise ThresholdError(f"{place}.{name}: expected a number above 0, got {value!r}")
    if limits["n_open"] > limits["m"]:
        raise ThresholdError(
            f"{place}: expected n_open of at most m, got {limits['n_open']} of {limits['m']};"
            " it would never open"
        )
