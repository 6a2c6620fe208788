"""What two do at the same moment, on both databases: nothing is submitted or sent twice."""

from __future__ import annotations

from typing import Any

import pytest

from tests.services.at_once import told_by

pytestmark = pytest.mark.services

ROUNDS, NOTICES = 8, 30


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def found(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    return told_by(
        "at_once_program", tmp_path_factory.mktemp("at-once"), request.param, str(ROUNDS), str(NOTICES)
    )


def test_a_double_click_on_a_fix_submits_one_sweep(found: Any) -> None:
    clicks = found["sweeps of a double click"]
    assert [(sweeps, fixes) for sweeps, fixes, _ in clicks] == [(1, 1)] * ROUNDS
    for _, _, (refused, queued) in clicks:
        assert "seeds already" in refused
        assert queued.endswith("9 runs queued.")


def test_senders_at_once_send_every_notice_once(found: Any) -> None:
    assert found["deliveries"] == {"arrived": NOTICES, "twice": 0, "sent": NOTICES}
