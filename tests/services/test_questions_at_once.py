"""Questions that several let go on at the same moment, on both databases: each is answered once."""

from __future__ import annotations

from typing import Any

import pytest

from tests.services.at_once import told_by

pytestmark = pytest.mark.services


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def found(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    return told_by("questions_program", tmp_path_factory.mktemp("questions"), request.param)


def test_a_question_that_several_let_go_on_is_answered_once(found: Any) -> None:
    assert found["answered"] == {"went_on": 5, "sweeps": 10, "runs": [6] * 5}


def test_a_question_whose_runs_are_retried_while_it_goes_on_is_not_answered_without_them(found: Any) -> None:
    assert found["retried"] == [False] * 5
