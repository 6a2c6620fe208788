"""The client against a real installation: every point arrives once, whatever happens to the web server."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.urls import reverse

from nnlab import client
from nnlab.client import Run, syncing
from tests.services.installation import CHECKOUT, Installation, installation

pytestmark = pytest.mark.services


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    with installation(tmp_path_factory.mktemp("home")) as running:
        yield running


@pytest.fixture(autouse=True)
def spool(site: Installation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("NNLAB_URL", site.address)
    monkeypatch.setenv("NNLAB_TOKEN", site.token)
    monkeypatch.setenv("NNLAB_SPOOL", str(tmp_path / "spool"))
    return tmp_path / "spool"


def start(**asked: Any) -> Run:
    return client.start(**{"project": "Outside", "name": "loop", **asked})


def stored(site: Installation, run_id: int | None, metric: str) -> list[tuple[int, float]]:
    assert run_id is not None
    steps, values = site.series(run_id, metric)
    return list(zip(steps, values, strict=True))


def test_a_run_arrives_as_it_was_logged(site: Installation, spool: Path) -> None:
    with start(config={"learning_rate": 0.5, "net": {"depth": 3}}, headline="loss") as run:
        for step in range(10_000):
            run.log(step, {"loss": 1 / (step + 1), "accuracy": step % 7})
        run.config(batch_size=32)
    assert run.url == site.address.rstrip("/") + reverse("run", args=[run.id])
    answer = site.request("GET", f"runs/{run.id}")
    assert answer["status"] == "finished"
    assert answer["config"] == {"learning_rate": 0.5, "net": {"depth": 3}, "batch_size": 32}
    assert stored(site, run.id, "loss") == [(step, 1 / (step + 1)) for step in range(10_000)]
    assert stored(site, run.id, "accuracy") == [(step, step % 7) for step in range(10_000)]
    assert list(spool.iterdir()) == []


def test_a_web_server_that_is_killed_and_one_that_hangs_cost_no_point(site: Installation) -> None:
    with start() as run:
        for step in range(12_000):
            run.log(step, {"loss": step / 4})
            if step in {2_000, 5_000}:
                kill_web(site)
            if step == 8_000:
                hang_web(site, 2.0)
            time.sleep(0.0005)
    assert site.request("GET", f"runs/{run.id}")["status"] == "finished"
    assert stored(site, run.id, "loss") == [(step, step / 4) for step in range(12_000)]


def kill_web(site: Installation) -> None:
    """The supervisor starts it again, a little later."""
    for pid in site.processes("uvicorn"):
        os.kill(pid, signal.SIGKILL)


def hang_web(site: Installation, seconds: float) -> None:
    for pid in site.processes("uvicorn"):
        os.kill(pid, signal.SIGSTOP)
    time.sleep(seconds)
    for pid in site.processes("uvicorn"):
        os.kill(pid, signal.SIGCONT)


def test_a_run_goes_on_after_a_step(site: Installation) -> None:
    with start() as run:
        for step in range(5_000):
            run.log(step, {"loss": 1.0})
    with start(resume=run.id, resume_step=2_999) as again:
        for step in range(3_000, 4_000):
            again.log(step, {"loss": 2.0})
    expected = [(step, 1.0 if step < 3_000 else 2.0) for step in range(4_000)]
    assert stored(site, run.id, "loss") == expected
    assert site.request("GET", f"runs/{run.id}")["status"] == "finished"


def test_an_exception_is_told_on_the_run(site: Installation) -> None:
    def diverge() -> None:
        with start() as run:
            ids.append(run.id)
            raise ValueError("it diverged")

    ids: list[int | None] = []
    with pytest.raises(ValueError, match="it diverged"):
        diverge()
    answer = site.request("GET", f"runs/{ids[0]}")
    assert (answer["status"], answer["error"]) == ("failed", "ValueError: it diverged")


def test_a_run_that_its_owner_stops_hears_of_it(site: Installation) -> None:
    with start() as run:
        site.request("POST", f"runs/{run.id}/stop")
        step = 0
        deadline = time.monotonic() + 60
        while not run.stop_requested:
            assert time.monotonic() < deadline
            run.log(step, {"loss": 1.0})
            step += 1
            time.sleep(0.05)
        run.cancel()
    assert site.request("GET", f"runs/{run.id}")["status"] == "cancelled"


def test_a_program_that_was_killed_in_an_outage_is_sent_by_sync(
    site: Installation, spool: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    program = (
        "import time, nnlab.client\n"
        "run = nnlab.client.start(project='Outside', name='killed')\n"
        "for step in range(1000): run.log(step, {'loss': step / 4})\n"
        "time.sleep(3)\n"
        "import os; os.kill(os.getpid(), 9)\n"
    )
    environment = {**os.environ, "NNLAB_URL": "http://127.0.0.1:9"}  # where nobody listens
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=CHECKOUT, env=environment, capture_output=True, check=False
    )
    assert done.returncode == -signal.SIGKILL
    assert syncing.main(["--url", site.address]) == 0
    address = capsys.readouterr().out.splitlines()[0].split()[-1]
    run_id = int(address.rstrip("/").rsplit("/", 1)[1])
    assert stored(site, run_id, "loss") == [(step, step / 4) for step in range(1000)]
    assert list(spool.iterdir()) == []


def test_what_is_refused_is_told_and_kept(
    site: Installation, spool: Path, caplog: pytest.LogCaptureFixture
) -> None:
    run = start(headline="x" * 99)
    run.log(0, {"loss": 1.0})
    run.finish()
    assert "headline" in caplog.text
    other = start(token="nnlab_wrong")
    other.log(0, {"loss": 1.0})
    other.finish()
    assert "NNLAB_TOKEN" in caplog.text
    assert len(list(spool.glob("*/waiting"))) == 2
