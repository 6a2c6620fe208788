"""The runs table in groups: what each is called, where it leads, and how its numbers are written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from runs.models import Project
from runs.pages import formats
from runs.reading.grouping import SHOWN_RUNS, Groups, Member, RunGroup, groups_of
from runs.reading.table import GROUPS, TableQuery, quoted

NOTHING = "none"  # what a run without a value is filed under


@dataclass(frozen=True)
class GroupRow:
    """A group as the table shows it.

    Args:
        runs: the address of its runs as a table; empty where no filter can name them.
        toggle: the address with the group opened, or closed where it is open.
        opened: its first runs, the best first.
    """

    group: RunGroup
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
    return found, [_row(project, query, found, group, _label(query, group)) for group in found.groups]


def _row(project: Project, query: TableQuery, found: Groups, group: RunGroup, label: str) -> GroupRow:
    key = "" if group.value is None else _text(group.value)
    is_open = query.open == (key or NOTHING)
    interval = group.interval

    def written(value: float | None) -> str:
        return formats.score(value, found.metric, found.unit)

    reach = ""
    if interval is not None and interval.high is not None:
        reach = formats.score(interval.high - interval.mean, found.metric, found.unit)
    plain = {"group": "", "open": "", "after": "", "before": ""}
    return GroupRow(
        group,
        label,
        key or NOTHING,
        query.changed({**plain, query.group: _named(query, group.value)}) if key else "",
        query.changed({"open": "" if is_open else key or NOTHING}),
        written(interval.mean) if interval else formats.MISSING,
        reach,
        written(group.best.value) if group.best else formats.MISSING,
        is_open,
        [(member, written(member.value)) for member in group.members[:SHOWN_RUNS]] if is_open else [],
    )


def _label(query: TableQuery, group: RunGroup) -> str:
    if group.value in {None, ""}:
        return f"no {_title(query.group)}"
    if query.group != "config":
        return f"{_title(query.group)} = {_text(group.value)}"
    first = group.members[0]
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
