"""``nnlab sync``: what programs have left behind is sent, and what cannot be sent is named."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from django.core.management import call_command

from nnlab import client
from nnlab.client import syncing
from tests.client.programs import CHECKOUT, PROGRAM, await_that, program
from tests.client.server import CUT_AFTER, Server


def leave_behind(server: Server, points: int, name: str = "n") -> None:
    """A program that ended while the server was away."""
    run = client.start(project="p", name=name, config={"depth": 2}, url=server.url)
    for step in range(points):
        run.log(step, {"loss": float(step)})
    run.finish(timeout=0.0)
    run._sender.join()


@pytest.fixture
def away(server: Server) -> Server:
    server.go()
    return server


def test_runs_that_were_started_in_an_outage_are_sent_whole(
    away: Server, spool: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    leave_behind(away, 100, "first")
    leave_behind(away, 50, "second")
    away.come()
    assert syncing.main([]) == 0
    assert sorted(len(run.points["loss", None]) for run in away.runs.values()) == [50, 100]
    assert {run.status for run in away.runs.values()} == {"finished"}
    assert away.runs[1].config == {"depth": 2}
    assert list(spool.iterdir()) == []
    out = capsys.readouterr().out
    assert f"first: 100 points sent, {away.url}/r/" in out
    assert "2 of 2 runs sent, 150 points" in out


def test_sync_is_a_management_command_too(away: Server, spool: Path) -> None:
    leave_behind(away, 3)
    with pytest.raises(SystemExit, match="1"):
        call_command("sync")
    away.come()
    call_command("sync", str(spool), url=away.url)
    assert len(away.run.points["loss", None]) == 3


def test_a_sync_that_is_cut_short_can_be_repeated(away: Server, spool: Path) -> None:
    leave_behind(away, 100)
    away.come()
    away.faults.extend([200, CUT_AFTER, 500])
    away.faults.popleft()
    assert syncing.main([]) == 1
    assert syncing.main([]) == 1
    assert syncing.main([]) == 0
    assert away.run.points["loss", None] == [(step, float(step)) for step in range(100)]
    assert list(spool.iterdir()) == []


def test_one_folder_can_be_sent_alone(away: Server, spool: Path) -> None:
    leave_behind(away, 1, "first")
    leave_behind(away, 2, "second")
    away.come()
    first = min(spool.iterdir())
    assert syncing.main([str(first)]) == 0
    assert len(away.runs) == 1
    assert len(list(spool.iterdir())) == 1


def test_a_server_that_has_moved_is_reached_at_its_new_address(away: Server) -> None:
    leave_behind(away, 3)
    away._port = 0
    away.come()
    assert syncing.main(["--url", away.url]) == 0
    assert len(away.run.points["loss", None]) == 3


def test_a_pause_that_the_server_asks_for_is_kept(away: Server) -> None:
    leave_behind(away, 3)
    away.come()
    away.faults.extend([429, 429])
    assert syncing.main([]) == 0


def test_a_program_that_still_runs_is_left_alone(server: Server, capsys: pytest.CaptureFixture[str]) -> None:
    with client.start(project="p", name="n", url=server.url):
        assert syncing.main([]) == 1
    assert "still runs, and sends by itself" in capsys.readouterr().out


def test_nothing_to_send_is_no_failure(spool: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert syncing.main([]) == 0
    spool.mkdir()
    assert syncing.main([]) == 0
    assert syncing.main([str(spool / "none")]) == 1
    assert capsys.readouterr().out.count("Nothing waits") == 3


def test_what_cannot_be_sent_is_named_and_kept(
    away: Server, spool: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    leave_behind(away, 3)
    (spool / "other").mkdir()
    (spool / "other" / "meta.json").write_text("{}")
    assert syncing.main([]) == 1
    out = capsys.readouterr().out
    assert "Connection refused" in out
    assert "expected format 1" in out
    assert "0 of 2 runs sent" in out
    away.come()
    monkeypatch.setenv("NNLAB_TOKEN", "nnlab_other")
    assert syncing.main([]) == 1
    assert "does not know the token" in capsys.readouterr().out
    assert len(list(spool.glob("*/waiting"))) == 1


def test_a_batch_that_the_server_refuses_is_named(
    away: Server, spool: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = client.start(project="p", name="n", url=away.url)
    run.log(0, {"unwanted": 1.0})
    run.finish(timeout=0.0)
    run._sender.join()
    away.come()
    assert syncing.main([]) == 1
    assert "all but what it refused" in capsys.readouterr().out
    assert len(list(spool.glob("*/refused-0.txt"))) == 1


def test_a_kill_costs_about_a_second(server: Server, spool: Path) -> None:
    endless = PROGRAM + "import time\ntime.sleep(60)\n"
    server.go()
    killed = program(endless, server)
    await_that(lambda: any(path.stat().st_size for path in spool.glob("*/waiting")))
    killed.kill()
    killed.communicate()
    server.come()
    synced = subprocess.run(
        [sys.executable, "-m", "nnlab", "sync"], cwd=CHECKOUT, capture_output=True, text=True, check=False
    )
    assert synced.returncode == 0, synced.stdout + synced.stderr
    assert "1 of 1 runs sent, 100 points" in synced.stdout
    assert server.run.points["loss", None] == [(step, float(step)) for step in range(100)]
