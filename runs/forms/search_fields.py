"""The form fields of a search, and how what is typed there becomes the table of a submission."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from django import forms

from runs.forms.fields import ChoiceField, NumberField, PlainField, choices
from runs.submitted.search_plans import Method

# Beside which field a message of the one validation stands.
SHOWN_AT = {
    "search.method": "search_method",
    "search.space": "search_method",
    "search.trials": "search_trials",
    "search.seed": "search_seed",
    "search.goal": "search_goal",
    "search.halving": "halving_epochs",
    "search.stop_rules": "stop_rules",
}
SEARCH_FIELDS = (*dict.fromkeys(SHOWN_AT.values()), "halving_factor")
_RANGE = re.compile(r"(\S+?)\s*\.\.\s*(\S+)(\s+log)?(?:\s+step\s+(\S+))?")
_RULE = re.compile(r"(?:(\w+)\s+)?(above|below)\s+(\S+?)(?:\s+after\s+(\d+))?")
_MEDIAN = re.compile(r"median\s+after\s+(\d+)")


class SearchFields(forms.Form):
    """The settings of the group "Search"."""

    search_method = ChoiceField(
        label="Method",
        required=False,
        choices=choices(Method),
        help_text="All but grid search ranges: 0.0001 .. 0.1 log as the learning rate, 1 .. 4 as depth.",
    )
    search_trials = NumberField(label="Trials", help_text="How many settings to try; a grid tries all.")
    search_seed = NumberField(label="Seed of the search", help_text="Empty for 0.")
    search_goal = PlainField(
        label="Goal", help_text="What trials are compared by, such as val_loss; empty for the usual score."
    )
    halving_epochs = NumberField(
        label="First rung", help_text="Successive halving: losers stop here, in epochs; empty for none."
    )
    halving_factor = NumberField(
        label="Halving factor",
        help_text="One of so many goes on at a rung, and rungs are so far apart; empty for 3.",
    )
    stop_rules = PlainField(
        label="Stop rules", help_text="Such as val_loss above 5 after 100; median after 200, in steps."
    )


def range_of(value: object) -> dict[str, Any] | None:
    """Read a range as it is typed, such as ``0.0001 .. 0.1 log`` or ``8 .. 64 step 8``; None for none."""
    found = _RANGE.fullmatch(value.strip()) if isinstance(value, str) else None
    if found is None:
        return None
    low, high, log, step = found.groups()
    return {
        "low": _number(low),
        "high": _number(high),
        **({"log": True} if log else {}),
        **({"step": _number(step)} if step else {}),
    }


def search_of(cleaned: Mapping[str, Any], axes: Mapping[str, Sequence[Any]]) -> dict[str, Any]:
    """Build the table of a search, or nothing where none is asked for.

    Args:
        axes: settings with several values, or with a range as their only one.
    """
    found: dict[str, Any] = {}
    if cleaned["search_goal"]:
        found["goal"] = cleaned["search_goal"]
    if cleaned["halving_epochs"] is not None or cleaned["halving_factor"] is not None:
        factor = cleaned["halving_factor"]
        found["halving"] = {"factor": factor} if factor is not None else {}
        found["halving"] |= _given("first_epochs", cleaned["halving_epochs"])
    if cleaned["stop_rules"]:
        found["stop_rules"] = [_rule(text.strip()) for text in cleaned["stop_rules"].split(";")]
    found |= _given("trials", cleaned["search_trials"]) | _given("seed", cleaned["search_seed"])
    if not is_grid(cleaned):
        space = {name: range_of(values[0]) or list(values) for name, values in axes.items()}
        found |= {"method": cleaned["search_method"], "space": space}
    return found


def is_grid(cleaned: Mapping[str, Any]) -> bool:
    """Whether every combination is tried."""
    return cleaned["search_method"] in {"", None, Method.GRID.value}


def lone_ranges(cleaned: Mapping[str, Any], fields: Iterable[str]) -> list[str]:
    """Name the fields with a range in them that is not searched."""
    if not is_grid(cleaned):
        return []
    return [field for field in fields if any(range_of(value) for value in cleaned[field])]


def _given(name: str, value: object) -> dict[str, Any]:
    return {} if value is None else {name: value}


def _rule(text: str) -> object:
    """Read a rule; what is none stays text, to be refused."""
    if median := _MEDIAN.fullmatch(text):
        return {"median": True, "after_step": int(median[1])}
    if found := _RULE.fullmatch(text):
        metric, side, bound, after = found.groups()
        named = {"metric": metric} if metric else {}
        return {**named, side: _number(bound), "after_step": int(after or 0)}
    return text


def _number(text: str) -> object:
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text
