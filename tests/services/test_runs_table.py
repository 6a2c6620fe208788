"""The runs table on SQLite and PostgreSQL: every page is right, and is found through an index."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from tests.services.installation import CHECKOUT, clean_environment
from tests.services.stores import postgresql

pytestmark = pytest.mark.services


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def answers(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    folder = tmp_path_factory.mktemp("table")
    home = folder / "home"
    environment = {**clean_environment(home), "DJANGO_SETTINGS_MODULE": "nnlab.settings"}
    environment.pop("DATABASE_URL", None)
    with ExitStack() as stack:
        if request.param == "postgresql":
            environment["DATABASE_URL"] = stack.enter_context(postgresql(folder / "postgres"))

        def run(*words: str) -> str:
            command = [sys.executable, *words]
            return subprocess.check_output(command, env=environment, cwd=CHECKOUT, text=True)

        run("manage.py", "migrate", "-v0")
        yield json.loads(run("-m", "tests.services.table_program", "3000").splitlines()[-1])


def test_pages_give_every_run_once_and_in_order(answers: Any) -> None:
    assert answers["in order"]
    assert answers["filtered"]
    assert answers["without a value"]


def test_a_page_is_found_through_the_index_of_its_order(answers: Any) -> None:
    plans = answers["plans"]
    for address, index in {
        "sort=-metric.weight_norm_2": "metric_by_last",
        "sort=-metric.weight_norm_2&after=50~7~0.5": "metric_by_last",
        "sort=metric.weight_norm_2.max": "metric_by_maximum",
        "sort=-metric.weight_norm_2&status=finished&param.training.optimizer=!adam": "metric_by_last",
        "sort=-time": "run_took",
        "sort=time&after=50~7~0.5": "run_took",
        "": "(run_table|runs_run_pkey)",  # of one project's rows alone, PostgreSQL walks the key
    }.items():
        assert re.search(index, plans[address]), f"{address}: {plans[address]}"
        assert "Seq Scan" not in plans[address]


def test_parameters_are_stored_as_they_are(answers: Any) -> None:
    assert answers["parameters"]


def test_writers_that_race_for_names_agree(answers: Any) -> None:
    assert answers["names"] == 100
