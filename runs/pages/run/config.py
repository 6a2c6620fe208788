"""The configuration of a run beside another run's or the defaults, and how to train it again."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

from nnlab.data.config import DataConfig
from nnlab.engine.config import TrainingConfig
from runs.models import Run, Source
from runs.pages.run.deltas import reference
from runs.pages.run.view import RunPage

KNOWN = ("against", "all")
MOST_ROWS = 2000  # an outside program may have told anything
DEFAULTS = "defaults"
ABSENT = object()


@dataclass(frozen=True)
class Row:
    """One setting by its path, here and in what it is compared with."""

    path: str
    value: Any
    other: Any
    differs: bool

    @property
    def is_here(self) -> bool:
        """Whether this run has the setting."""
        return self.value is not ABSENT

    @property
    def is_there(self) -> bool:
        """Whether what it is compared with has it."""
        return self.other is not ABSENT


def show(page: RunPage) -> dict[str, Any]:
    """Return what the tab of the configuration needs."""
    found = page.run
    other, plain = _against(page)
    rows = list(islice(_rows(found.config, plain), MOST_ROWS))
    differing = [row for row in rows if row.differs]
    every = page.query.get("all") == "1"
    attempt = found.attempts.order_by("-number").first()
    return {
        "rows": rows if every else differing,
        "differing": len(differing),
        "total": len(rows),
        "every": every,
        "other": other,
        "against": page.query.get("against", ""),
        "attempt": attempt,
        "versions": attempt.versions.items() if attempt else (),
        "command": _command(found) if found.source == Source.ENGINE else "",
        "cursor": "",
    }


def news(page: RunPage, after: str) -> tuple[dict[str, Any], dict[str, str]]:
    """Return nothing: a configuration does not change while its run trains."""
    return {"next": after}, {}


def _against(page: RunPage) -> tuple[Run | None, Mapping[str, Any]]:
    """Return the run to compare with, and its configuration; where there is none, the defaults."""
    wanted = page.query.get("against", "").strip()
    other = None
    if not wanted:
        other = reference(page.run)
    elif wanted != DEFAULTS and (number := page.whole("against", 1)) is not None:
        other = Run.objects.kept().filter(pk=number).first()
        if other is None:
            page.warn(f"there is no run {number}; the defaults are shown")
    return other, _defaults(page.run) if other is None else other.config


def _defaults(run: Run) -> Mapping[str, Any]:
    if run.source == Source.OUTSIDE:
        return {}
    data = DataConfig(dataset=run.config["data"]["dataset"])
    return {"data": data.to_dict(), "training": TrainingConfig().to_dict()}


def _rows(config: Mapping[str, Any], plain: Mapping[str, Any]) -> Iterator[Row]:
    here, there = dict(_flat("", config)), dict(_flat("", plain))
    for path in dict.fromkeys((*here, *there)):
        value, other = here.get(path, ABSENT), there.get(path, ABSENT)
        yield Row(path, value, other, value != other)


def _flat(prefix: str, config: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for name, value in config.items():
        if isinstance(value, Mapping) and value:
            yield from _flat(f"{prefix}{name}.", value)
        else:
            yield f"{prefix}{name}", value


def _command(run: Run) -> str:
    """Write what a shell needs to train the run again: the file and the command, in one piece."""
    training = {name: value for name, value in run.config["training"].items() if name != "seed"}
    specification = {
        "project": run.project.name,
        "name": f"again: {run.name}"[:100],
        "data": run.config["data"],
        "training": training,
        "seeds": [run.seed],
    }
    file = f"run-{run.pk}.json"
    return f"cat > {file} <<'END'\n{_written(specification)}\nEND\nnnlab submit {file}"


def _written(value: Any, indent: str = "") -> str:
    """Write JSON with a line for each setting, and its lists in one."""
    if not isinstance(value, Mapping) or not value:
        return json.dumps(value)
    inner = f"{indent}  "
    lines = [f"{inner}{json.dumps(name)}: {_written(part, inner)}" for name, part in value.items()]
    return "{\n" + ",\n".join(lines) + f"\n{indent}}}"
