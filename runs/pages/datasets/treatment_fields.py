"""The fields by which a column of numbers is treated otherwise than the rest of its table."""

from __future__ import annotations

import math
from typing import Any

from django import forms

from nnlab.data.errors import DataError
from nnlab.data.treatments import BUCKETS, Cap, Treatment

SCALINGS = {
    "z-score": "mean 0, deviation 1",
    "none": "as they are",
    "0 to 1": "range 0 to 1",
    "-1 to 1": "range -1 to 1",
    "log": "logarithm, then mean 0",
}
EQUAL, EDGES = "equal buckets", "edges"
_SCALINGS = {
    "": "as the table",
    **SCALINGS,
    EQUAL: "buckets, equally full",
    EDGES: "buckets at edges",
}
_CAPS = {
    "": "as the table",
    "nowhere": "nowhere",
    "percentiles": "at percentiles",
    "values": "at values",
}
MOST = 1_000  # characters of edges


def exception_fields(place: int, column: str) -> dict[str, forms.Field]:
    """Build the fields of a column."""
    return {
        f"scaling-{place}": forms.ChoiceField(
            required=False, choices=[*_SCALINGS.items()], label=f"Bring {column} to"
        ),
        f"cap-{place}": forms.ChoiceField(
            required=False, choices=[*_CAPS.items()], label=f"Cap {column} before"
        ),
        f"at-{place}": forms.CharField(
            required=False,
            max_length=MOST,
            label=f"Numbers for {column}",
            widget=forms.TextInput(attrs={"placeholder": "such as 1, 99", "autocomplete": "off"}),
        ),
    }


def exception_of(place: int, cleaned: dict[str, Any]) -> Treatment | None:
    """Read how a column differs from the rest; None where it does not.

    Raises:
        DataError: for numbers that do not fit what is chosen.
    """
    scaling, cap = cleaned[f"scaling-{place}"], cleaned[f"cap-{place}"]
    numbers = _numbers(cleaned[f"at-{place}"])
    if not scaling and not cap:
        if numbers:
            raise DataError("at", "expected these numbers to be limits or edges: choose which")
        return None
    if scaling in (EQUAL, EDGES):
        return _buckets(scaling, numbers)
    usual_cap = cap_of(cleaned["cap"], (cleaned["cap_low"], cleaned["cap_high"]))
    own = cap_of("" if cap == "nowhere" else cap, numbers) if cap else usual_cap
    return Treatment(scaling or cleaned["scaling"], own)


def cap_of(kind: str, limits: tuple[float | None, ...]) -> Cap | None:
    """Read where numbers are capped; None for nowhere.

    Raises:
        DataError: unless there are two limits, the lower one first.
    """
    if not kind:
        return None
    if len(limits) != 2 or None in limits:
        raise DataError(
            "cap", "expected both limits to cap numbers at, such as 1 and 99; type them, or cap nowhere"
        )
    low, high = (float(limit) for limit in limits if limit is not None)
    return low, high, kind == "percentiles"


def _buckets(scaling: str, numbers: tuple[float, ...]) -> Treatment:
    if scaling == EDGES:
        if not numbers or list(numbers) != sorted(set(numbers)):
            raise DataError("at", "expected increasing edges of the buckets, such as 10, 20, 50")
        return Treatment(BUCKETS, edges=numbers)
    if len(numbers) != 1 or not 2 <= numbers[0] <= 50 or numbers[0] % 1:
        raise DataError("at", "expected the number of buckets, from 2 to 50")
    return Treatment(BUCKETS, quantiles=int(numbers[0]))


def _numbers(text: str) -> tuple[float, ...]:
    try:
        found = tuple(float(part) for part in text.replace(";", ",").split(",") if part.strip())
    except ValueError as error:
        raise DataError("at", f"expected numbers divided by commas, got {text!r:.80}") from error
    if not all(math.isfinite(number) for number in found):
        raise DataError("at", f"expected finite numbers, got {text!r:.80}")
    return found
