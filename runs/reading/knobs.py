"""The knobs of a configuration: what can be changed between two runs, and what was."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import Any

from runs.models import Run, Source
from runs.store.params import Param, ParamsError, flattened

LAYERS = "hidden layers"
_SEED = "seed"


@dataclass(frozen=True)
class Change:
    """A knob that two configurations have at different places; None where one of them lacks it."""

    knob: str
    before: Hashable
    after: Hashable

    @property
    def title(self) -> str:
        """The knob as people read it."""
        return title_of(self.knob)


@dataclass(frozen=True)
class Changed:
    """What differs between two runs, the seed aside.

    Args:
        other: the run that this one is compared with.
        is_paired: whether both have the same seed.
    """

    other: Run
    changes: tuple[Change, ...]
    is_paired: bool


def knobs_of(config: Mapping[str, Any], source: str = Source.ENGINE) -> dict[str, Hashable]:
    """Return a configuration's knobs without its seed, each with a plain value.

    Hidden layers of one width count as ``depth`` and ``width``; others, and none, as one knob. Of a program
    outside every parameter is a knob, but those named seed.
    """
    try:
        flat = flattened(config)
    except ParamsError:  # stored before there were bounds
        return {}
    if source == Source.OUTSIDE:
        return {name: _value(param) for name, param in flat.items() if name.rpartition(".")[2] != _SEED}
    units = list(config.get("training", {}).get("hidden_units") or [])
    flat.pop("training.hidden_units", None)
    flat.pop(f"training.{_SEED}", None)
    knobs = {name.removeprefix("training."): _value(param) for name, param in flat.items()}
    return knobs | (
        {"depth": len(units), "width": units[0]} if is_even(units) else {LAYERS: layers_text(units)}
    )


def changes_between(before: Mapping[str, Hashable], after: Mapping[str, Hashable]) -> tuple[Change, ...]:
    """Return the knobs that differ; layers that are even on one side only count as one knob."""
    if (LAYERS in before) != (LAYERS in after):
        before, after = whole_layers(before), whole_layers(after)
    names = sorted({*before, *after})
    return tuple(
        Change(name, before.get(name), after.get(name))
        for name in names
        if before.get(name) != after.get(name)
    )


def whole_layers(knobs: Mapping[str, Hashable]) -> dict[str, Hashable]:
    """Write depth and width as one knob."""
    if LAYERS in knobs or "depth" not in knobs or "width" not in knobs:
        return dict(knobs)
    rest = {name: value for name, value in knobs.items() if name not in {"depth", "width"}}
    depth, width = knobs["depth"], knobs["width"]
    return rest | {LAYERS: layers_text([width] * depth if isinstance(depth, int) else [depth, width])}


def changed_between(other: Run, run: Run) -> Changed | None:
    """Say what changed from another run to this one; None where they cannot be compared."""
    if other.source != run.source:
        return None
    pair = (knobs_of(one.config, one.source) for one in (other, run))
    return Changed(other, changes_between(*pair), other.seed == run.seed)


def is_even(units: list[int]) -> bool:
    """Whether layers have one width, so that depth and width describe them."""
    return bool(units) and len(set(units)) == 1


def layers_text(units: list[Any]) -> str:
    """Write the widths of layers: 128-64, or linear where there is none."""
    return "-".join(map(str, units)) or "linear"


def title_of(knob: str) -> str:
    """Write a knob's name as people read it."""
    return knob.replace("_", " ").replace("data.", "data: ")


def _value(param: Param) -> Hashable:
    return param.number if param.text is None else param.text
