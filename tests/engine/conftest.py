"""What tests of the engine share."""

from __future__ import annotations

import pytest

from tests.engine.native import TIERS


@pytest.fixture(params=TIERS)
def tier(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Train on each tier in turn."""
    monkeypatch.setenv("NNLAB_TIER", request.param)
    return str(request.param)
