"""The deployment's stores: PostgreSQL, and a broker that REDIS_URL names."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.services.installation import installation
from tests.services.stores import broker, postgresql

pytestmark = pytest.mark.services


def test_a_sweep_trains_on_postgresql_and_an_outside_broker(tmp_path: Path) -> None:
    with (
        postgresql(tmp_path / "postgres") as database,
        broker(tmp_path) as redis_url,
        installation(tmp_path / "home", DATABASE_URL=database, REDIS_URL=redis_url) as site,
    ):
        runs = site.submit(
            data={"dataset": "digits"},
            training={"hidden_units": [128, 64, 32, 16, 8], "optimizer": "sgd", "learning_rate": 0.05},
            grid={"activation": ["sigmoid", "relu"]},
        )
        sick, healthy = (site.await_status(run_id, "finished") for run_id in runs)
        assert not (site.home / "nnlab.sqlite3").exists()
        assert site.processes("valkey-server") == []
        assert sick["score"] < 0.2
        assert healthy["score"] > 0.9
        (alert,) = site.request("GET", f"runs/{runs[0]}/alerts")
        assert alert["check"] == "vanishing"
        steps, _ = site.series(runs[0], "train_loss")
        assert steps == list(range(1, sick["steps_requested"] + 1))
