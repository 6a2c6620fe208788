"""Ways to look at a worker's training, and to do something in the midst of it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from runs.training import attempt, company
from runs.training.populations import KeptPopulation

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest

    from nnlab.engine.records import Records


def interfere(monkeypatch: pytest.MonkeyPatch, act: Callable[[], object], *, at: int = 3) -> list[Records]:
    """Do something while the engine's chunk number ``at`` is on its way; return the chunks pulled."""
    pulled: list[Records] = []

    class Watched(KeptPopulation):
        def __next__(self) -> tuple[int, Records]:
            index, records = super().__next__()
            if len(pulled) == at:
                act()
            pulled.append(records)
            return index, records

    monkeypatch.setattr(attempt, "make_population", Watched)
    return pulled


def write_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a member write after each chunk, and ask each time whether it shall stop."""
    monkeypatch.setattr(company, "FLUSH_SECONDS", 0.0)
    monkeypatch.setattr(company, "FLUSH_SHARE", math.inf)
    monkeypatch.setattr(company, "LOOK_SECONDS", 0.0)
