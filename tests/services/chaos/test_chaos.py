"""Sweeps under a storm of kills and freezes: every run ends as if nothing had happened.

NNLAB_TEST_CHAOS is the number of kills in a deployment; ``nnlab up`` gets half as many. NNLAB_TEST_SEED names
the stream of disturbances again that a failure has told.
"""

from __future__ import annotations

import os
import random
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.services.chaos.disturbances import Chaos
from tests.services.chaos.records import Record
from tests.services.chaos.sites import deployment, embedded
from tests.services.chaos.storm import Storm
from tests.services.chaos.verdict import stored
from tests.services.installation import installation

pytestmark = pytest.mark.services

KILLS = int(os.environ.get("NNLAB_TEST_CHAOS", "16"))
SEED = int(os.environ.get("NNLAB_TEST_SEED") or random.SystemRandom().randrange(10**6))
BETWEEN = (0.5, 4.0)  # seconds between two disturbances
SWEEP: dict[str, Any] = {
    "project": "tests",
    "name": "chaos",
    "data": {"dataset": "california_housing", "recipe": "lab6"},
    "training": {"hidden_units": [32, 16], "batch_size": 100, "steps": 12_000, "dropout": 0.1},
    "grid": {"activation": ["relu", "tanh"], "optimizer": ["adam", "rmsprop"], "l2": [0.0, 1e-5, 1e-3]},
    "seeds": 5,
}


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> list[Record]:
    """The same sweep, trained in peace."""
    with installation(tmp_path_factory.mktemp("undisturbed")) as site:
        answer = site.request("POST", "sweeps", SWEEP)
        assert len(answer["runs"]) == 60, answer
        for run_id in answer["runs"]:
            site.await_status(run_id, "finished", 120)
        (found,) = stored(site, [answer["id"]])
        return found


@pytest.mark.parametrize(("start", "kills"), [(deployment, KILLS), (embedded, KILLS // 2)])
def test_every_run_of_a_disturbed_installation_ends_as_if_nothing_had_happened(
    start: Any, kills: int, undisturbed: list[Record], tmp_path: Path
) -> None:
    with start(tmp_path) as site:
        storm = Storm(site, Chaos(site, SEED, BETWEEN), SWEEP, kills)
        try:
            storm.rage()
            storm.verify(undisturbed)
        except BaseException:
            sys.stderr.write(storm.story())
            raise
        sys.stdout.write(f"\n{start.__name__}, seed {SEED}: {storm.chaos.log[-1]}\n")
