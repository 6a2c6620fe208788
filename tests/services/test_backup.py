"""A backup of a working installation: on SQLite and PostgreSQL, from one to the other, and in mid-run."""

from __future__ import annotations

import json
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.services.installation import clean_environment, installation, nnlab
from tests.services.stores import postgresql

pytestmark = pytest.mark.services

# PostgreSQL gives JSON back with its keys in another order.
WITH_JSON = {"runs_run", "runs_sweep", "runs_attempt", "runs_worker", "runs_alert", "runs_checkpoint"}


@dataclass(frozen=True)
class Origin:
    """An installation that was backed up in mid-run, and again when its runs had ended."""

    environment: dict[str, str]
    in_mid_run: Path
    at_the_end: Path
    runs: list[int]
    losses: list[tuple[list[int], list[float]]]


@pytest.fixture(scope="module")
def origin(tmp_path_factory: pytest.TempPathFactory) -> Origin:
    folder = tmp_path_factory.mktemp("origin")
    in_mid_run, at_the_end = folder / "in-mid-run", folder / "at-the-end"
    with installation(folder / "home") as site:
        environment = dict(site.environment)
        (site.home / "datasets" / "own.csv").write_text("x,y\n1,2\n")
        runs = site.submit(
            data={"dataset": "digits"},
            training={"hidden_units": [32, 32], "learning_rate": 0.01, "batch_size": 16, "steps": 6000},
            grid={"activation": ["relu", "tanh"]},
            seeds=2,
        )
        site.await_run(runs[0], lambda run: run["steps_run"] > 500, 60)
        nnlab(environment, "backup", str(in_mid_run))
        with pytest.raises(AssertionError, match="nnlab already runs on"):
            nnlab(environment, "restore", "--replace", str(in_mid_run))
        for run_id in runs:
            site.await_status(run_id, "finished")
        losses = [site.series(run_id, "train_loss") for run_id in runs]
    nnlab(environment, "backup", str(at_the_end))
    return Origin(environment, in_mid_run, at_the_end, runs, losses)


def test_an_installation_moves_from_sqlite_to_postgresql_and_back_unchanged(
    tmp_path: Path, origin: Origin
) -> None:
    there, back = tmp_path / "there", tmp_path / "back"
    sqlite = clean_environment(tmp_path / "home")
    with postgresql(tmp_path / "postgres") as address:
        server = clean_environment(tmp_path / "server", DATABASE_URL=address, REDIS_URL="redis://127.0.0.1:1")
        nnlab(server, "restore", str(origin.at_the_end))
        nnlab(server, "backup", str(there))
    nnlab(sqlite, "restore", str(there))
    nnlab(sqlite, "backup", str(back))

    assert checksums(there) == checksums(back)
    before = checksums(origin.at_the_end)
    assert {name for name, sha in checksums(there).items() if before[name] != sha} <= WITH_JSON
    assert (tmp_path / "home" / "datasets" / "own.csv").read_text() == "x,y\n1,2\n"
    assert rows_of(sqlite) == rows_of(origin.environment)


def test_a_backup_in_mid_run_is_of_one_moment_and_its_runs_are_trained_on(
    tmp_path: Path, origin: Origin
) -> None:
    nnlab(clean_environment(tmp_path / "home"), "restore", str(origin.in_mid_run))
    with installation(tmp_path / "home") as site:
        for run_id in origin.runs:
            site.await_status(run_id, "finished")
        assert [site.series(run_id, "train_loss") for run_id in origin.runs] == origin.losses


def checksums(file: Path) -> dict[str, str]:
    """Every table's and data file's, of rows in the order of their keys."""
    with zipfile.ZipFile(file) as archive:
        manifest = json.loads(archive.read("manifest.json"))
    return {name: table["sha256"] for name, table in (manifest["tables"] | manifest["files"]).items()}


def rows_of(environment: dict[str, str]) -> Any:
    """The rows of tables with JSON, as values."""
    question = (
        "import json; from django.core import serializers; from runs.models import *;"
        "print(json.dumps([json.loads(serializers.serialize('json', m.objects.order_by('pk')))"
        " for m in (Run, Sweep, Attempt, Alert)], sort_keys=True))"
    )
    return json.loads(nnlab(environment, "shell", "--no-imports", "-c", question))
