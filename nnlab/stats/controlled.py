"""Which of many settings can be compared: pairs that differ in one knob, and those that lack a control."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise
from math import comb
from typing import Any, TypeAlias

Setting: TypeAlias = Mapping[str, Hashable]
_Row: TypeAlias = tuple[Hashable, ...]

ALL_PAIRS_UP_TO = 6  # levels of a knob beside one setting of the others
MAX_LOOKUPS = 500_000  # masked rows that a search for confounded pairs may look at


@dataclass(frozen=True)
class Pair:
    """Two settings, as places in the sequence that was searched, and the knobs in which they differ."""

    before: int
    after: int
    knobs: tuple[str, ...]


def controlled_pairs(settings: Sequence[Setting]) -> list[Pair]:
    """Find the settings that differ in exactly one knob; a knob that one of them lacks differs too.

    For every knob, settings that agree in all others meet under one key, so the time grows with their number
    times their knobs, not with the number of pairs. Where a knob has more than six levels beside one setting
    of the others, each level is paired with the next one only. The lower level comes first.
    """
    knobs, rows = _varied(settings)
    found: list[Pair] = []
    for place, knob in enumerate(knobs):
        for members in _agreeing(rows, (place,)).values():
            ordered = sorted(members, key=lambda index: _order(rows[index][place]))
            some = combinations(ordered, 2) if len(ordered) <= ALL_PAIRS_UP_TO else pairwise(ordered)
            found += [Pair(one, two, (knob,)) for one, two in some if rows[one][place] != rows[two][place]]
    return found


def confounded_pairs(settings: Sequence[Setting]) -> list[Pair]:
    """Find neighbours that differ in two or three knobs and have no setting between them.

    Of such a pair nobody can say which knob made the difference. One that another setting lies between, with
    some of the knobs as the one has them and the others as the other, can be told step by step, and is left
    out. Settings that agree elsewhere are paired in the order in which they are given, each with the next.
    Three knobs, and then two, are left out where so many vary that looking would take too long.
    """
    knobs, rows = _varied(settings)
    known = set(rows)
    found: dict[tuple[int, int], Pair] = {}
    for size in (2, 3):
        if comb(len(knobs), size) * len(rows) > MAX_LOOKUPS:
            break
        for places in combinations(range(len(knobs)), size):
            for members in _agreeing(rows, places).values():
                for one, two in pairwise(members):
                    if _is_open(rows[one], rows[two], places, known):
                        found[one, two] = Pair(one, two, tuple(knobs[place] for place in places))
    return list(found.values())


def _varied(settings: Sequence[Setting]) -> tuple[list[str], list[_Row]]:
    """Write settings as rows of the knobs that vary; None stands where a setting lacks one."""
    levels: dict[str, set[Hashable]] = {}
    for setting in settings:
        for knob, level in setting.items():
            levels.setdefault(knob, set()).add(level)
    held: dict[str, int] = {}
    for setting in settings:
        for knob in setting:
            held[knob] = held.get(knob, 0) + 1
    knobs = sorted(knob for knob, some in levels.items() if len(some) > 1 or held[knob] < len(settings))
    return knobs, [tuple(setting.get(knob) for knob in knobs) for setting in settings]


def _agreeing(rows: Sequence[_Row], places: tuple[int, ...]) -> dict[_Row, list[int]]:
    """Put rows together that are equal everywhere but in some places."""
    found: dict[_Row, list[int]] = {}
    for index, row in enumerate(rows):
        found.setdefault(tuple(_without(row, places)), []).append(index)
    return {key: members for key, members in found.items() if len(members) > 1}


def _without(row: _Row, places: tuple[int, ...]) -> Iterator[Hashable]:
    start = 0
    for place in places:
        yield from row[start:place]
        start = place + 1
    yield from row[start:]


def _is_open(one: _Row, two: _Row, places: tuple[int, ...], known: set[_Row]) -> bool:
    """Whether two rows differ in all the places, and no row lies between them."""
    return all(one[place] != two[place] for place in places) and not any(
        between in known for between in _between(one, two, places)
    )


def _between(one: _Row, two: _Row, places: tuple[int, ...]) -> Iterator[_Row]:
    for size in range(1, len(places)):
        for taken in combinations(places, size):
            yield tuple(two[place] if place in taken else level for place, level in enumerate(one))


def _order(level: Any) -> tuple[str, Any]:
    """Sort numbers by size and texts by letter; a knob that is lacking comes first."""
    if level is None:
        return ("", 0)
    if isinstance(level, int | float):
        return ("number", level)
    return ("text", str(level))


def varied(settings: Iterable[Setting]) -> list[str]:
    """Return the knobs that differ among settings, in the order of their names."""
    return _varied(list(settings))[0]
