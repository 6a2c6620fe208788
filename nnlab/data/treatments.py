"""What a person chooses for numbers and categories, written as the steps of a recipe."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeAlias

from nnlab.data.columns import Bucketise, OneHot
from nnlab.data.errors import DataError
from nnlab.data.filling import Fill
from nnlab.data.recipes import Recipe
from nnlab.data.scaling import Clip, Log, MinMax, ZScore

if TYPE_CHECKING:
    from nnlab.data.steps import Step

Names: TypeAlias = tuple[str, ...]
Cap: TypeAlias = tuple[float, float, bool]
"""Lower and upper limit, and whether they are percentiles of the training rows."""

SCALINGS = ("z-score", "none", "0 to 1", "-1 to 1", "log")
BUCKETS = "buckets"


@dataclass(frozen=True)
class Treatment:
    """How one column of numbers becomes inputs, where it differs from the rest.

    Args:
        scaling: one of ``SCALINGS``, or ``BUCKETS``.
        edges: of buckets, increasing.
        quantiles: number of buckets with equally many training rows, instead of edges.
    """

    scaling: str = "z-score"
    cap: Cap | None = None
    edges: tuple[float, ...] = ()
    quantiles: int = 0

    def __post_init__(self) -> None:
        if self.scaling not in (*SCALINGS, BUCKETS):
            raise DataError(
                "scaling", f"expected a scaling among {', '.join(SCALINGS)}, got {self.scaling!r:.50}"
            )


_NO_EXCEPTIONS: Mapping[str, Treatment] = MappingProxyType({})


def steps_of(
    *,
    numbers: str,
    categories: str,
    scaling: str,
    cap: Cap | None,
    exceptions: Mapping[str, Treatment] = _NO_EXCEPTIONS,
    numeric: Sequence[str] = (),
) -> tuple[Mapping[str, Any], ...]:
    """Write a person's choices as steps: cap, scale or bucketise, fill, one-hot.

    Args:
        numbers: what fills missing numbers, as ``Fill`` names it.
        categories: likewise for categories.
        scaling: of every number that is no exception.
        cap: likewise.
        exceptions: by column.
        numeric: all inputs of numbers; of use only where there are exceptions.
    """
    if scaling == BUCKETS:
        raise DataError(
            "scaling", f"expected a scaling among {', '.join(SCALINGS)} for a whole table, got buckets"
        )
    usual = Treatment(scaling, cap)
    groups: dict[Treatment, Names] = {usual: ()}  # no names are all numbers
    if exceptions:
        groups = {}
        for name in numeric:
            found = exceptions.get(name, usual)
            groups[found] = (*groups.get(found, ()), name)
    steps = [*_caps(groups), *_scalings(groups), Fill(numbers, categories), OneHot()]
    return tuple(Recipe("", "", tuple(steps)).to_list())


def _caps(groups: Mapping[Treatment, Names]) -> list[Step]:
    return [
        Clip(names, low=one.cap[0], high=one.cap[1], percentiles=one.cap[2])
        for one, names in groups.items()
        if one.cap
    ]


def _scalings(groups: Mapping[Treatment, Names]) -> list[Step]:
    found: list[Step] = []
    for one, names in groups.items():
        if one.scaling == BUCKETS:
            found += [Bucketise(name, edges=one.edges, quantiles=one.quantiles) for name in names]
        elif one.scaling in ("0 to 1", "-1 to 1"):
            found.append(MinMax(names, low=0.0 if one.scaling == "0 to 1" else -1.0))
        elif one.scaling != "none":
            found += [Log(names), ZScore(names)] if one.scaling == "log" else [ZScore(names)]
    return found
