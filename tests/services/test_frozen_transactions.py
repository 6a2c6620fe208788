"""A worker that is frozen in the middle of a transaction holds nobody up for long."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.services.installation import CHECKOUT, clean_environment, nnlab
from tests.services.stores import postgresql

pytestmark = pytest.mark.services

SWEEP = {"project": "p", "name": "frozen", "data": {"dataset": "iris"}, "training": {"depth": 1, "width": 8}}
RENAME = "from runs.models import Run; print(Run.objects.update(name='taken'))"


def test_the_row_of_a_frozen_worker_is_free_again_and_the_worker_hears_of_it(tmp_path: Path) -> None:
    with postgresql(tmp_path / "postgres") as database:
        environment = clean_environment(tmp_path / "home", DATABASE_URL=database)
        nnlab(environment, "prepare", "--no-static")
        (tmp_path / "sweep.json").write_text(json.dumps(SWEEP))
        nnlab(environment, "submit", str(tmp_path / "sweep.json"))
        writer = subprocess.Popen(
            [sys.executable, "-m", "tests.services.frozen_writer", "1"],
            cwd=CHECKOUT,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert writer.stdout is not None
        assert writer.stdout.readline() == "holds\n"
        writer.send_signal(signal.SIGSTOP)
        try:
            assert nnlab(environment, "shell", "--no-imports", "-c", RENAME) == "1\n"  # it waits for the row
        finally:
            writer.send_signal(signal.SIGCONT)
        told, _ = writer.communicate("go on\n", timeout=60)
    assert told.startswith("the database is away: ")
    assert told.endswith("\ntaken\n")
