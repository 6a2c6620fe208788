"""Questions that several let go on at the same moment, on both databases: each is answered once."""

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


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def found(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    folder = tmp_path_factory.mktemp("questions")
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
        yield json.loads(run("-m", "tests.services.questions_program").splitlines()[-1])


def test_a_question_that_several_let_go_on_is_answered_once(found: Any) -> None:
    assert found["answered"] == {"went_on": 5, "sweeps": 10, "runs": [6] * 5}


def test_a_question_whose_runs_are_retried_while_it_goes_on_is_not_answered_without_them(found: Any) -> None:
    assert found["retried"] == [False] * 5
