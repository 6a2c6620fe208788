"""A server of the contract, and a spool of the test's own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.client.server import TOKEN, Server, serving


@pytest.fixture
def server() -> Iterator[Server]:
    with serving() as found:
        yield found


@pytest.fixture(autouse=True)
def spool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of spools; no test touches the user's own."""
    folder = tmp_path / "spool"
    monkeypatch.setenv("NNLAB_SPOOL", str(folder))
    monkeypatch.setenv("NNLAB_TOKEN", TOKEN)
    monkeypatch.delenv("NNLAB_URL", raising=False)
    return folder
