"""Configurations side by side: the settings that differ, and how many do not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from runs.models import Run
from runs.pages.comparing.comparison import Comparison
from runs.pages.comparing.view import CompareView

FIELDS = ("of",)
MAX_COLUMNS = 10
MAX_ROWS = 1000  # a program outside may have told anything
_OF = ("groups", "runs")
_ABSENT = "not set"


@dataclass(frozen=True)
class Column:
    """A group or a run as the table names it."""

    title: str
    address: str
    run: int


@dataclass(frozen=True)
class Cell:
    """A value; ``differs`` from the first column's."""

    value: Any
    differs: bool


@dataclass(frozen=True)
class Setting:
    """One setting by its path, with a cell a column."""

    path: str
    cells: Sequence[Cell]

    @property
    def differs(self) -> bool:
        """Whether any column differs from the first."""
        return any(cell.differs for cell in self.cells)


def config_tab(comparison: Comparison, view: CompareView, warnings: list[str]) -> dict[str, Any]:
    """Build the tab of configurations."""
    of = view.extra.get("of", "") or ("groups" if len(comparison.groups) > 1 else "runs")
    if of not in _OF:
        warnings.append(f"of={of[:60]} is not known; expected groups or runs.")
        of = "groups"
    every = _groups(comparison) if of == "groups" else _runs(comparison)
    columns = every[:MAX_COLUMNS]
    configs = dict(Run.objects.filter(pk__in=[column.run for column in columns]).values_list("pk", "config"))
    settings = compare_configs([configs[column.run] for column in columns], with_seed=of == "runs")
    return {
        "columns": columns,
        "of": of,
        "of_all": len(every),
        "other": _other(of),
        "other_address": view.address(extra={"of": _other(of)}),
        "differing": [one for one in settings if one.differs][:MAX_ROWS],
        "equal": [(one.path, one.cells[0].value) for one in settings if not one.differs][:MAX_ROWS],
    }


def compare_configs(configs: Sequence[Mapping[str, Any]], *, with_seed: bool) -> list[Setting]:
    """Lay configurations side by side, a row for each path that any of them has."""
    flats = [dict(_flat("", config)) for config in configs]
    if not with_seed:
        flats = [
            {path: value for path, value in flat.items() if path.rpartition(".")[2] != "seed"}
            for flat in flats
        ]
    paths = dict.fromkeys(path for flat in flats for path in flat)
    return [_setting(path, [flat.get(path, _ABSENT) for flat in flats]) for path in paths]


def _setting(path: str, values: Sequence[Any]) -> Setting:
    return Setting(path, [Cell(value, not _same(value, values[0])) for value in values])


def _same(one: Any, other: Any) -> bool:
    """Whether two values are one setting: 1 and 1.0 are, 1 and True are not."""
    return bool(one == other) and isinstance(one, bool) == isinstance(other, bool)


def _flat(prefix: str, config: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for name, value in config.items():
        if isinstance(value, Mapping) and value:
            yield from _flat(f"{prefix}{name}.", value)
        else:
            yield f"{prefix}{name}", value


def _groups(comparison: Comparison) -> list[Column]:
    return [
        Column(group.label, group.members[0].run.get_absolute_url(), group.members[0].run.pk)
        for group in comparison.groups
    ]


def _runs(comparison: Comparison) -> list[Column]:
    runs = [member.run for group in comparison.groups for member in group.members]
    return [Column(run.name, run.get_absolute_url(), run.pk) for run in runs]


def _other(of: str) -> str:
    return next(one for one in _OF if one != of)
