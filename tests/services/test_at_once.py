"""What two do at the same moment, on both databases: nothing is submitted or sent twice."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from tests.services.installation import CHECKOUT, clean_environment
from tests.services.stores import broker, postgresql

pytestmark = pytest.mark.services

ROUNDS, NOTICES = 8, 30


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def found(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    folder = tmp_path_factory.mktemp("at-once")
    environment = {**clean_environment(folder / "home"), "DJANGO_SETTINGS_MODULE": "nnlab.settings"}
    environment.pop("DATABASE_URL", None)
    with ExitStack() as stack:
        environment["REDIS_URL"] = stack.enter_context(broker(folder))
        if request.param == "postgresql":
            environment["DATABASE_URL"] = stack.enter_context(postgresql(folder / "postgres"))

        def run(*words: str) -> str:
            command = [sys.executable, *words]
            return subprocess.check_output(command, env=environment, cwd=CHECKOUT, text=True)

        run("manage.py", "migrate", "-v0")
        yield json.loads(
            run("-m", "tests.services.at_once_program", str(ROUNDS), str(NOTICES)).splitlines()[-1]
        )


def test_a_double_click_on_a_fix_submits_one_sweep(found: Any) -> None:
    clicks = found["sweeps of a double click"]
    assert [(sweeps, fixes) for sweeps, fixes, _ in clicks] == [(1, 1)] * ROUNDS
    for _, _, (refused, queued) in clicks:
        assert "seeds already" in refused
        assert queued.endswith("9 runs queued.")


def test_senders_at_once_send_every_notice_once(found: Any) -> None:
    assert found["deliveries"] == {"arrived": NOTICES, "twice": 0, "sent": NOTICES}
