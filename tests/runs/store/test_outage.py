"""One thing that breaks leaves the others their turn; a database that is away leaves nobody any."""

from __future__ import annotations

import logging

import pytest
from django.db import OperationalError

from runs.store.outage import each_apart


def test_what_breaks_unforeseen_is_logged_and_the_others_have_their_turn(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.ERROR, "runs.store.outage"):
        assert each_apart(lambda number: 12 // number, [1, 0, 4]) == 15
    assert caplog.messages == ["0 broke unforeseen; it is tried again later"]
    assert caplog.records[0].exc_info


def test_a_database_that_is_away_ends_it() -> None:
    tried = []

    def act(number: int) -> int:
        tried.append(number)
        raise OperationalError("the connection is closed")

    with pytest.raises(OperationalError):
        each_apart(act, [1, 2])
    assert tried == [1]
