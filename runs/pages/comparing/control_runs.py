"""The missing control of two configurations: the one's, with a single knob as the other has it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.contrib.auth.models import AbstractBaseUser

from runs import submission
from runs.models import Project, Run, Sweep
from runs.pages.comparing.more_seeds import MAX_NEW_SEEDS, newest_run, refused, submit_missing
from runs.reading.knobs import LAYERS, Change, changes_between, is_even, knobs_of
from runs.submitted.values import MAX_LABEL

_DATA = "data."


def submit_control(
    project: Project, before: str, after: str, knob: str, user: AbstractBaseUser | None
) -> Sweep | None:
    """Submit the configuration of ``before`` with one knob as ``after`` has it; None where it is all there.

    It is trained with the seeds that both have, so that it can be compared with either in pairs; with those
    of ``before`` where they share none.

    Args:
        before: name of a configuration, ``Run.group``.
        after: likewise.

    Raises:
        SubmissionError: for configurations that do not differ in that knob, or that cannot be trained.
    """
    old, new = newest_run(project, before), newest_run(project, after)
    changes = changes_between(knobs_of(old.config), knobs_of(new.config))
    change = next((one for one in changes if one.knob == knob), None)
    if change is None:
        known = ", ".join(one.knob for one in changes) or "no knob"
        raise refused("knob", f"these configurations do not differ in {knob[:60]!r} but in {known}")
    mapping = _with_knob(submission.as_mapping(old), new.config, change)
    mapping["name"] = f"control: {change.title} {_text(change.after)}"[:MAX_LABEL]
    spec = submission.parse({**mapping, "seeds": _seeds(project, old, new)})
    return submit_missing(project, [(old, spec)], user)


def _with_knob(mapping: dict[str, Any], other: Mapping[str, Any], change: Change) -> dict[str, Any]:
    data, training = dict(mapping["data"]), dict(mapping["training"])
    if change.knob in {"depth", "width", LAYERS}:
        training["hidden_units"] = _layers(
            training["hidden_units"], other["training"]["hidden_units"], change
        )
    elif change.knob.startswith(_DATA):
        _set(data, change.knob.removeprefix(_DATA), other["data"])
    else:
        _set(training, change.knob, other["training"])
    return {**mapping, "data": data, "training": training}


def _set(table: dict[str, Any], name: str, other: Mapping[str, Any]) -> None:
    """Take a setting over; one that the other side does not have falls back to its default."""
    table.pop(name, None)
    if name in other:
        table[name] = other[name]


def _layers(old: list[int], new: list[int], change: Change) -> list[int]:
    if not (is_even(old) and is_even(new)) or change.knob == LAYERS:
        return list(new)
    return [old[0]] * len(new) if change.knob == "depth" else [new[0]] * len(old)


def _seeds(project: Project, old: Run, new: Run) -> list[int]:
    rows = Run.objects.kept().filter(project=project, group__in=[old.group, new.group])
    seeds: dict[str, set[int]] = {old.group: set(), new.group: set()}
    for group, seed in rows.values_list("group", "seed"):
        if seed is not None:
            seeds[group].add(seed)
    shared = seeds[old.group] & seeds[new.group]
    return sorted(shared or seeds[old.group])[:MAX_NEW_SEEDS]


def _text(value: object) -> str:
    return "default" if value is None else f"{value:g}" if isinstance(value, float) else str(value)
