"""Claims at the same moment never exceed the bound of a project, and never miss a run that is free."""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

from tests.services.installation import clean_environment, nnlab
from tests.services.stores import postgresql

pytestmark = pytest.mark.services

BOUND, RUNS, CLAIMERS = 5, 40, 4
SWEEP: dict[str, Any] = {"name": "n", "data": {"dataset": "iris"}, "training": {"width": 4, "steps": 5}}

_CLAIM = """
import json, time
from runs.training import buckets
while time.time() < {start}:
    pass
print(json.dumps(list(iter(lambda: list(buckets.claim_next("cpu", "host:{number}")), []))))
"""


@pytest.mark.parametrize("store", ["sqlite", "postgresql"])
def test_claims_at_the_same_moment_keep_to_the_bound_of_a_project(tmp_path: Path, store: str) -> None:
    with postgresql(tmp_path / "postgres") if store == "postgresql" else nullcontext("") as database:
        environment = clean_environment(tmp_path / "home", **({"DATABASE_URL": database} if database else {}))
        nnlab(environment, "prepare", "--no-static")
        for project in ("bounded", "free"):
            sweep = tmp_path / f"{project}.json"
            # Each run has a shape of its own, so that each is claimed by itself.
            grid = {"width": list(range(2, 2 + RUNS))}
            sweep.write_text(json.dumps({**SWEEP, "project": project, "grid": grid}))
            nnlab(environment, "submit", str(sweep))
        bound = (
            "from runs.models import Project;"
            f" Project.objects.filter(slug='bounded').update(max_running={BOUND})"
        )
        nnlab(environment, "shell", "--no-imports", "-c", bound)
        start = time.time() + 5

        def claims(number: int) -> list[int]:
            code = _CLAIM.format(start=start, number=number)
            found = json.loads(nnlab(environment, "shell", "--no-imports", "-c", code))
            return [run_id for claim in found for run_id in claim]

        with ThreadPoolExecutor(CLAIMERS) as pool:
            claimed = [run_id for found in pool.map(claims, range(CLAIMERS)) for run_id in found]

        assert len(set(claimed)) == len(claimed) == BOUND + RUNS
