"""A worker never waits for what the broker may say to all workers: it would take no run any more."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from redis.exceptions import ConnectionError as LostError

from nnlab.broker import Channel


def test_a_socket_that_is_said_to_have_news_and_has_none_counts_as_lost() -> None:
    silent = SimpleNamespace(connection=SimpleNamespace(can_read=lambda timeout: timeout > 0))
    with pytest.raises(LostError, match="has none"):
        Channel._receive_one(object.__new__(Channel), silent)
