"""What nobody foresaw is told once, with its traceback; it ends no thread, and never reaches the training."""

from __future__ import annotations

from pathlib import Path

import pytest

from nnlab import client
from nnlab.client import Run, sending
from nnlab.client.backlog import Backlog
from nnlab.client.delivery import Delivery
from tests.client.programs import await_that
from tests.client.server import Server


def start(server: Server) -> Run:
    return client.start(project="p", name="n", url=server.url)


def broken(*_: object) -> None:
    raise RuntimeError("nobody foresaw this")


def log_until_told(run: Run, caplog: pytest.LogCaptureFixture) -> None:
    run.log(0, {"loss": 0.0})
    await_that(lambda: "nobody foresaw this" in caplog.text)


def test_points_that_cannot_be_recorded_are_lost_alone(
    server: Server, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with start(server) as run:
        with monkeypatch.context() as patched:
            patched.setattr(Backlog, "add_points", broken)
            log_until_told(run, caplog)
            run.log(1, {"loss": 1.0})
            await_that(lambda: not len(run._buffer))
        run.log(2, {"loss": 2.0})
    assert server.run.points["loss", None][-1] == (2, 2.0)
    assert server.run.status == "finished"
    assert caplog.text.count("which is lost") == 1
    assert "Traceback" in caplog.text


def test_a_try_that_fails_is_followed_by_others(
    server: Server, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(sending, "LAST_PAUSE", 0.01)
    with start(server) as run:
        with monkeypatch.context() as patched:
            patched.setattr(Delivery, "send_next", broken)
            log_until_told(run, caplog)
        run.log(1, {"loss": 1.0})
    assert server.run.points["loss", None] == [(0, 0.0), (1, 1.0)]
    assert caplog.text.count("nnlab cannot send") == 1
    assert "Traceback" in caplog.text


def test_the_end_is_tried_once_more_after_a_trouble(
    server: Server, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with start(server) as run, monkeypatch.context() as patched:
        patched.setattr(Delivery, "send_next", broken)
        log_until_told(run, caplog)
    assert server.run.points["loss", None] == [(0, 0.0)]
    assert server.run.status == "finished"


def test_a_last_try_that_fails_does_not_hold_the_program_up(
    server: Server, spool: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    run = start(server)
    monkeypatch.setattr(Delivery, "send_next", broken)
    run.log(0, {"loss": 0.0})
    run.finish(timeout=1e9)
    assert "1 points of run n were not sent" in caplog.text
    assert len(list(spool.glob("*/waiting"))) == 1


def test_a_sign_of_life_that_fails_is_followed_by_others(
    server: Server, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(sending, "BEAT", 0.01)
    monkeypatch.setattr(sending, "LAST_PAUSE", 0.01)
    with start(server) as run:
        with monkeypatch.context() as patched:
            patched.setattr(Delivery, "beat", broken)
            await_that(lambda: "nobody foresaw this" in caplog.text)
        await_that(lambda: server.run.beats > 0)
        run.log(0, {"loss": 0.0})
    assert server.run.points["loss", None] == [(0, 0.0)]


def test_a_folder_that_cannot_be_cleared_away_is_told(
    server: Server, spool: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with start(server) as run:
        run.log(0, {"loss": 0.0})
        (folder,) = spool.iterdir()
        (folder / "note of a stranger").touch()
    assert server.run.status == "finished"
    assert f"cannot clear {folder} away" in caplog.text
