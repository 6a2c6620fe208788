"""Searches that several let go on at the same moment, on both databases: each trial is made once."""

from __future__ import annotations

from typing import Any

import pytest

from tests.services.at_once import told_by

pytestmark = pytest.mark.services


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def found(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    return told_by("searches_program", tmp_path_factory.mktemp("searches"), request.param)


def test_a_search_that_several_let_go_on_ends_at_its_trials(found: Any) -> None:
    assert found["asked"] == {"trials": 20, "runs": [2], "numbers": list(range(20))}


def test_a_search_that_is_cancelled_while_it_goes_on_leaves_nothing_behind(found: Any) -> None:
    assert found["left"] == [0] * 6
