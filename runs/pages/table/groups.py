"""The runs table in groups: what each is called, where it leads, and how its numbers are written."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from runs.models import Project
from runs.pages import formats
from runs.reading.grouping import SHOWN_RUNS, Groups, Member, RunGroup, groups_of, members_of
from runs.reading.table import GROUPS, TableQuery, quoted

NOTHING = "none"  # what a run without a value is filed under


@dataclass(frozen=True)
class GroupRow:
    """A group as the table shows it.

    Args:
        runs: the address of its runs as a table; empty where no filter can name them.
        toggle: the address with the group opened, or closed where it is open.
        first: its best run, or the newest where none has a value.
        opened: its first runs, the best first.
    """

    group: RunGroup
    first: Member
    label: str
    key: str
    runs: str
    toggle: str
    mean: str
    reach: str
    best: str
    is_open: bool
    opened: Sequence[tuple[Member, str]]


def choices(params: Sequence[str]) -> list[tuple[str, str]]:
    """List what runs can be grouped by: name in the address, and in words."""
    titles = {"config": "configuration without the seed"}
    own = [(name, titles.get(name, name.replace("_", " "))) for name in GROUPS]
    return own + [(f"param.{name}", name) for name in params]


def group_rows(project: Project, query: TableQuery) -> tuple[Groups, list[GroupRow]]:
    """Describe the groups of all runs that match."""
    found = groups_of(project, query)
    listed = {
        int(number)
        for group in found.groups
        for number in group.runs[: SHOWN_RUNS if _is_open(query, group) else 1]
    }
    members = members_of(listed)  # one that was deleted meanwhile is not among them
    there = [group for group in found.groups if int(group.runs[0]) in members]
    return found, [_row(project, query, found, group, members) for group in there]


def _row(
    project: Project, query: TableQuery, found: Groups, group: RunGroup, members: Mapping[int, Member]
) -> GroupRow:
    key, is_open, interval = _key(group), _is_open(query, group), group.interval
    first = members[int(group.runs[0])]

    def written(value: float | None) -> str:
        return formats.score(value, found.metric, found.unit)

    reach = ""
    if interval is not None and interval.high is not None:
        reach = formats.score(interval.high - interval.mean, found.metric, found.unit)
    plain = {"group": "", "open": "", "after": "", "before": ""}
    listed = zip(group.runs.tolist(), group.values.tolist(), strict=True) if is_open else ()
    return GroupRow(
        group,
        first,
        _label(query, group, first),
        key or NOTHING,
        query.changed({**plain, query.group: _named(query, group.value)}) if key else "",
        query.changed({"open": "" if is_open else key or NOTHING}),
        written(interval.mean) if interval else formats.MISSING,
        reach,
        written(group.best[1]) if group.best else formats.MISSING,
        is_open,
        [
            (members[number], written(None if math.isnan(value) else value))
            for number, value in itertools.islice(listed, SHOWN_RUNS)
            if number in members
        ],
    )


def _key(group: RunGroup) -> str:
    return "" if group.value is None else _text(group.value)


def _is_open(query: TableQuery, group: RunGroup) -> bool:
    return bool(query.open) and query.open == (_key(group) or NOTHING)


def _label(query: TableQuery, group: RunGroup, first: Member) -> str:
    if group.value in {None, ""}:
        return f"no {_title(query.group)}"
    if query.group != "config":
        return f"{_title(query.group)} = {_text(group.value)}"
    return _without_seed(first.name, first.seed)


def _without_seed(name: str, seed: int | None) -> str:
    """Name a configuration as its runs are, whose names end in their seeds."""
    return name.removesuffix(f" seed {seed}").removesuffix(f", seed {seed}")


def _named(query: TableQuery, value: Any) -> str:
    """Write a value as a filter; the text of a parameter in quotes, for it may look like a number."""
    is_text = isinstance(value, str) and query.group.startswith("param.")
    return f'"{value}"' if is_text else quoted(_text(value))


def _title(group: str) -> str:
    return group.removeprefix("param.").replace("_", " ")


def _text(value: Any) -> str:
    return repr(value) if isinstance(value, float) else str(value)
