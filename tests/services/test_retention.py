"""A purge on real databases: the space comes back, and what is kept is not touched."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.services.installation import clean_environment, nnlab
from tests.services.stores import postgresql

pytestmark = pytest.mark.services

FILL = """
import numpy as np
from tests.runs.builders import build_finished_run, build_series
values = np.random.default_rng(5).standard_normal(400_000)
for _ in range(2):
    build_series(build_finished_run(), "train_loss", values, chunk_sizes=[4096] * 100)
"""
SIZE = """
from django.db import connection
with connection.cursor() as cursor:
    cursor.execute("SELECT pg_total_relation_size('runs_chunk')")
    print(cursor.fetchone()[0])
"""
MEGABYTE = 1_000_000


@pytest.fixture(params=["sqlite", "postgresql"])
def environment(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Mapping[str, str]]:
    if request.param == "sqlite":
        yield clean_environment(tmp_path / "home")
        return
    with postgresql(tmp_path / "postgres") as database:
        yield clean_environment(tmp_path / "home", DATABASE_URL=database)


def size(environment: Mapping[str, str]) -> int:
    """The bytes on disk: of the database's files, or of the table of chunks."""
    if "DATABASE_URL" in environment:
        return int(nnlab(environment, "shell", "--verbosity", "0", "--command", SIZE))
    return sum(path.stat().st_size for path in Path(environment["NNLAB_HOME"]).glob("nnlab.sqlite3*"))


def test_a_purge_gives_the_space_back(environment: Mapping[str, str], tmp_path: Path) -> None:
    nnlab(environment, "prepare")
    nnlab(environment, "shell", "--verbosity", "0", "--command", FILL)
    nnlab(environment, "export", "1", "--csv", "--output", str(tmp_path / "before"))
    full = size(environment)
    assert full > 4 * MEGABYTE  # 2 runs with 400,000 points of noise each

    nnlab(environment, "trash", "2")
    said = nnlab(environment, "purge", "--all", "--vacuum")
    assert "MB in 1 run freed." in said
    assert size(environment) < 0.6 * full
    nnlab(environment, "export", "1", "--csv", "--output", str(tmp_path / "after"))
    before, after = (tmp_path / name / "points.csv" for name in ("before", "after"))
    assert after.read_bytes() == before.read_bytes()
