"""Shared by the tests of the app: a process remembers nothing of an earlier test's runs."""

from __future__ import annotations

import pytest

from runs.store import folding, numbers
from runs.store.memory import Memory


@pytest.fixture(autouse=True)
def forgetting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Start with empty memories: only in tests do two runs ever have the same number."""
    for module in (folding, numbers):
        monkeypatch.setattr(module, "_remembered", Memory(10_000))
