"""Rounds: every contender once a round, in an order that turns round, so that what disturbs disturbs all."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from statistics import median
from typing import TYPE_CHECKING, Any

from tests.benchmarks.pipes import ContenderError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

Figures = dict[str, float]
ROUNDS = 5


@dataclass
class Row:
    """What one contender showed: figures by name, one a round; or why there are none."""

    title: str
    figures: dict[str, list[float]] = field(default_factory=dict)
    notes: dict[str, Any] = field(default_factory=dict)
    failure: str = ""

    def add(self, figures: Figures) -> None:
        """Add a round's figures."""
        for name, value in figures.items():
            self.figures.setdefault(name, []).append(value)

    def told(self) -> dict[str, Any]:
        """Give what is kept in the results."""
        if self.failure:
            return {"title": self.title, "failure": self.failure}
        return {"title": self.title, "figures": self.figures, **self.notes}


def play(rows: Mapping[str, Row], turns: Mapping[str, Callable[[], Figures]], rounds: int = ROUNDS) -> None:
    """Let everybody who can take a turn a round; the order is reversed on odd rounds.

    A contender that cannot go on keeps its reason and gets no more turns.
    """
    for number in range(rounds):
        names = [name for name in turns if not rows[name].failure]
        for name in reversed(names) if number % 2 else names:
            try:
                rows[name].add(turns[name]())
            except ContenderError as error:
                rows[name].failure = str(error)


def measurement(name: str, rows: Mapping[str, Row], load: float, **more: Any) -> dict[str, Any]:
    """Give what is kept of a measurement. ``load`` is the load average before it."""
    return {
        "measurement": name,
        "load": [load, os.getloadavg()[0]],
        **more,
        "contenders": {key: row.told() for key, row in rows.items()},
    }


def ratio(
    found: Mapping[str, Any], over: tuple[str, str], under: tuple[str, str]
) -> tuple[float, float, float] | None:
    """Divide one contender's figure by another's, round by round: median, least and largest.

    Args:
        over: contender and figure, what is divided.
        under: contender and figure, what it is divided by.

    Returns:
        None where one of them has no figures.
    """
    both = [
        found["contenders"].get(name, {}).get("figures", {}).get(figure, []) for name, figure in (over, under)
    ]
    ratios = [one / other for one, other in zip(*both, strict=False)]
    return (median(ratios), min(ratios), max(ratios)) if ratios else None


def spread(found: Mapping[str, Any], name: str, figure: str) -> tuple[float, float, float] | None:
    """Give a contender's figure: median, least and largest of the rounds; None where there is none."""
    values = found["contenders"].get(name, {}).get("figures", {}).get(figure, [])
    return (median(values), min(values), max(values)) if values else None
