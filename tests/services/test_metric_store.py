"""The metric store under force: writers that are killed, and a database that is away."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

from tests.services.installation import CHECKOUT, Installation, clean_environment, installation
from tests.services.stores import postgresql, postgresql_server

pytestmark = pytest.mark.services

KILLS = int(os.environ.get("NNLAB_TEST_KILLS", "8"))
OUTAGE = float(os.environ.get("NNLAB_TEST_OUTAGE", "40"))  # seconds; a lease has 30


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_a_writer_killed_again_and_again_leaves_every_point_once(database: str, tmp_path: Path) -> None:
    stores = postgresql(tmp_path / "postgres") if database == "postgresql" else nullcontext("")
    with stores as address:
        environment = clean_environment(tmp_path / "home", DATABASE_URL=address)
        done = subprocess.run(
            [sys.executable, "-m", "tests.services.killed_writer", str(KILLS)],
            cwd=CHECKOUT,
            env=environment,
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{KILLS} kills" in done.stdout
    sys.stdout.write(f"{database}: {done.stdout}")


def test_a_run_trains_on_while_the_database_is_away(tmp_path: Path) -> None:
    with (
        postgresql_server(tmp_path / "postgres") as database,
        installation(tmp_path / "home", DATABASE_URL=database.address) as site,
    ):
        [run_id] = site.submit(
            data={"dataset": "digits"},
            training={"hidden_units": [256, 256, 256], "batch_size": 64, "steps": 5_000_000, "epochs": None},
        )
        site.await_run(run_id, lambda run: run["steps_run"] > 0, 60)
        database.stop()
        time.sleep(OUTAGE / 2)
        half = waiting(site, run_id)
        time.sleep(OUTAGE / 2)
        whole = waiting(site, run_id)
        database.start()
        assert 0 < half < whole, (half, whole)
        before = await_steps(site, run_id)
        site.await_run(run_id, lambda run: run["steps_run"] > before and not waiting(site, run_id), 60)
        site.request("POST", f"runs/{run_id}/stop")
        run = site.await_status(run_id, "cancelled")
        assert run["attempt"] == 1
        steps, _ = site.series(run_id, "train_loss")
        assert steps == list(range(1, run["steps_run"] + 1))


def waiting(site: Installation, run_id: int) -> int:
    """Bytes that wait for the database in the folder of a run."""
    folder = site.home / "spool" / f"run-{run_id}"
    return sum(path.stat().st_size for path in folder.glob("*/waiting"))


def await_steps(site: Installation, run_id: int) -> int:
    """Wait until the web server answers again; the steps that the run shows then."""
    found: dict[str, Any] = {}
    deadline = time.monotonic() + 60
    while "steps_run" not in found:
        assert time.monotonic() < deadline, site.logs()
        time.sleep(0.5)
        try:
            found = site.request("GET", f"runs/{run_id}")
        except ValueError:  # an error page
            continue
    return int(found["steps_run"])
