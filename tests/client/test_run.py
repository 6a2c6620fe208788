"""A run as a program has it: it logs, ends as the program ends, and stops nobody."""

from __future__ import annotations

import logging
import os
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from nnlab import client
from nnlab.client import ClientError, Run, sending
from tests.client.programs import PROGRAM, await_that, program
from tests.client.server import CUT, Server


def start(server: Server, **asked: object) -> Run:
    return client.start(**{"project": "p", "name": "n", "url": server.url, **asked})  # type: ignore[arg-type]


def test_what_is_logged_arrives(server: Server) -> None:
    with start(server, config={"rate": np.float32(0.5), "net": {"depth": 3}}, headline="loss") as run:
        for step in range(1000):
            run.log(step, {"loss": 1 / (step + 1), "accuracy": step})
            run.log(step, {"norm": float(step)}, layer=2)
        run.config(batch_size=32)
    stored = server.run
    assert stored.points == {
        ("loss", None): [(step, 1 / (step + 1)) for step in range(1000)],
        ("accuracy", None): [(step, float(step)) for step in range(1000)],
        ("norm", 2): [(step, float(step)) for step in range(1000)],
    }
    assert stored.started["headline"] == "loss"
    assert stored.config == {"rate": 0.5, "net": {"depth": 3}, "batch_size": 32}
    assert stored.status == "finished"


def test_each_step_arrives_with_the_moment_at_which_it_was_logged(server: Server) -> None:
    before = time.time() * 1000
    with start(server) as run:
        for step in range(3):
            run.log(step, {"loss": 1.0})
            run.log(step, {"norm": 1.0}, layer=0)
            time.sleep(0.01)
    steps, times = zip(*server.run.clock, strict=True)
    assert steps == (0, 1, 2)
    assert before <= times[0] < times[1] < times[2] <= time.time() * 1000


def test_a_run_knows_its_number_and_links_to_its_page(server: Server) -> None:
    with start(server, name="<b>") as run:
        assert run.id == 1
        assert run.url == f"{server.url}/r/1/"
        assert repr(run) == f"<nnlab run '<b>': {server.url}/r/1/>"
        assert f'<a href="{server.url}/r/1/" target="_blank">&lt;b&gt;</a>' in run._repr_html_()


def test_the_address_and_the_token_come_from_the_environment(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NNLAB_URL", server.url + "/")
    with client.start(project="p", name="n") as run:
        run.log(0, {"loss": 1.0})
    assert server.run.points == {("loss", None): [(0, 1.0)]}


def test_an_exception_fails_the_run_and_goes_on(server: Server) -> None:
    def diverge() -> None:
        with start(server) as run:
            run.log(0, {"loss": 1.0})
            raise ValueError("it diverged")

    with pytest.raises(ValueError, match="it diverged"):
        diverge()
    assert (server.run.status, server.run.error) == ("failed", "ValueError: it diverged")
    assert server.run.points == {("loss", None): [(0, 1.0)]}


@pytest.mark.parametrize(
    ("error", "status"),
    [(KeyboardInterrupt(), "cancelled"), (SystemExit(0), "finished"), (SystemExit(3), "failed")],
)
def test_a_run_ends_as_the_program_ends(server: Server, error: BaseException, status: str) -> None:
    def leave() -> None:
        with start(server):
            raise error

    with pytest.raises(type(error)):
        leave()
    assert server.run.status == status


def test_a_run_goes_on_where_it_is_resumed(server: Server) -> None:
    with start(server) as run:
        for step in range(10):
            run.log(step, {"loss": 1.0})
    with start(server, resume=run.id, resume_step=4, config={"again": True}) as again:
        for step in range(5, 8):
            again.log(step, {"loss": 2.0})
    assert server.run.points["loss", None] == [(step, 1.0 if step < 5 else 2.0) for step in range(8)]
    assert server.run.config == {"again": True}


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"project": ""}, "expected project"),
        ({"name": 3}, "expected name"),
        ({"config": ["depth"]}, "expected config"),
        ({"resume": "12"}, "expected resume"),
        ({"resume_step": 3}, "expected resume"),
        ({"url": "localhost:8000"}, "expected the server's address"),
        ({"url": "http://localhost:port"}, "expected the server's address"),
        ({"token": "two words"}, "expected a token"),
    ],
)
def test_a_run_that_cannot_be_is_refused_before_training(
    server: Server, wrong: dict[str, object], message: str
) -> None:
    with pytest.raises(ClientError, match=message):
        start(server, **wrong)
    assert client.run.open_runs == set()


def test_threads_may_log_at_once(server: Server) -> None:
    def work(layer: int) -> None:
        for step in range(2000):
            run.log(step, {"norm": float(step), "sd": float(layer)}, layer)

    with start(server) as run:
        threads = [threading.Thread(target=work, args=(layer,)) for layer in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    for layer in range(4):
        assert server.run.points["norm", layer] == [(step, float(step)) for step in range(2000)]
        assert server.run.points["sd", layer] == [(step, float(layer)) for step in range(2000)]


def test_a_value_that_changes_after_it_was_logged_is_stored_as_it_was(server: Server) -> None:
    total = np.zeros(())
    values = {"loss": total}
    with start(server) as run:
        for step in range(5):
            total += 1
            run.log(step, values)  # type: ignore[arg-type]
    assert server.run.points["loss", None] == [(step, step + 1.0) for step in range(5)]


@pytest.mark.parametrize("bad", ["a text", None, [1.0], np.zeros(3), 10**400])
def test_a_value_that_is_no_number_is_left_out_and_told_once(
    server: Server, caplog: pytest.LogCaptureFixture, bad: object
) -> None:
    with start(server) as run:
        for step in range(3):
            run.log(step, {"loss": 1.0, "note": bad, "norm": 2})  # type: ignore[dict-item]
    assert set(server.run.points) == {("loss", None), ("norm", None)}
    assert len(server.run.points["loss", None]) == 3
    assert caplog.text.count("'note'") == 1


@pytest.mark.parametrize("bad", ["", " loss", "a\nb", "x" * 251, 7])
def test_a_name_that_cannot_be_is_left_out_and_told_once(
    server: Server, caplog: pytest.LogCaptureFixture, bad: object
) -> None:
    with start(server) as run:
        for step in range(3):
            run.log(step, {"loss": 1.0, bad: 2.0})  # type: ignore[dict-item]
    assert server.run.points == {("loss", None): [(step, 1.0) for step in range(3)]}
    assert len(caplog.records) == 1


A = {"a": 1.0}


@pytest.mark.parametrize(
    ("step", "values", "layer"),
    [
        ("1", A, None),
        (2**63, A, None),
        (1.5, A, None),
        (1, [2], None),
        (1, A, -1),
        (1, A, [1]),
    ],
)
def test_a_call_that_makes_no_sense_is_left_out_and_told(
    server: Server, caplog: pytest.LogCaptureFixture, step: object, values: object, layer: int | None
) -> None:
    with start(server) as run:
        run.log(step, values, layer)  # type: ignore[arg-type]
        run.log(step, values, layer)  # type: ignore[arg-type]
        run.log(1, {"a": 2.0})
    assert server.run.points == {("a", None): [(1, 2.0)]}
    assert len(caplog.records) == 1


def test_what_is_logged_after_the_end_is_told_once(server: Server, caplog: pytest.LogCaptureFixture) -> None:
    run = start(server)
    run.finish()
    run.log(0, {"loss": 1.0})
    run.log(1, {"loss": 1.0})
    run.finish()
    assert [record.getMessage() for record in caplog.records] == [
        "nothing more is logged to 'n': the run is over"
    ]


def test_a_configuration_that_is_none_is_told(server: Server, caplog: pytest.LogCaptureFixture) -> None:
    with start(server) as run:
        run.update_config(["depth"])  # type: ignore[arg-type]
        run.update_config(
            {"odd name": {1: float("nan"), "where": Path("data"), "sizes": (np.int64(3), None)}}
        )
    assert server.run.config == {"odd name": {"1": "nan", "where": "data", "sizes": [3, None]}}
    assert "expected a dictionary" in caplog.text


def test_a_run_that_is_asked_to_stop_can_be_seen_to(
    server: Server, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(sending, "BEAT", 0.01)
    with start(server) as run:
        assert not run.stop_requested
        server.stop = True
        await_that(lambda: run.stop_requested)
    assert server.run.beats > 0
    assert caplog.text.count("asked to stop") == 1


def test_a_run_that_somebody_ends_is_told_once_and_kept(
    server: Server, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(sending, "BEAT", 0.01)
    with start(server) as run:
        server.run.status = "cancelled"
        await_that(lambda: bool(caplog.records))
        run.log(0, {"loss": 1.0})
    assert server.run.status == "cancelled"
    assert caplog.text.count("takes no more of this run") == 1
    assert "1 points of run n were not sent" in caplog.text


def test_an_outage_in_the_middle_costs_nothing(server: Server, spool: Path) -> None:
    run = start(server)
    run.log(0, {"loss": 0.0})
    server.go()
    for step in range(1, 500):
        run.log(step, {"loss": float(step)})
    server.come()
    run.finish()
    assert server.run.points["loss", None] == [(step, float(step)) for step in range(500)]
    assert server.run.status == "finished"
    assert list(spool.iterdir()) == []


def test_a_server_that_is_away_leaves_the_program_alone(
    server: Server, spool: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(sending, "FIRST_PAUSE", 0.001)
    server.go()
    run = start(server)
    assert run.id is None
    assert "not on the server yet" in repr(run) + run._repr_html_()
    run.log(0, {"loss": 0.0})
    run.finish(timeout=0.1)
    assert "1 points of run n were not sent" in caplog.text
    assert "nnlab sync" in caplog.text
    assert caplog.text.count("does not answer") == 1
    assert len(list(spool.glob("*/waiting"))) == 1


def test_a_start_that_the_server_refuses_is_told_and_not_raised(
    server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    run = start(server, project="forbidden")
    run.log(0, {"loss": 0.0})
    run.finish()
    assert "refuses the run as it was started" in caplog.text
    assert "no such name" in caplog.text


def test_a_spool_that_cannot_be_made_keeps_points_in_memory(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("NNLAB_SPOOL", str(tmp_path / "file" / "spool"))
    with start(server) as run:
        server.faults.append(CUT)
        run.log(0, {"loss": 0.0})
    assert server.run.points == {("loss", None): [(0, 0.0)]}
    assert "waits in memory" in caplog.text


def test_a_fork_sends_nothing_and_ends_nothing(server: Server) -> None:
    with start(server) as run:
        run.log(0, {"loss": 0.0})
        child = os.fork()
        if child == 0:
            logging.disable()
            run.log(1, {"loss": 1.0})
            run.finish()
            os._exit(0 if "fork" in run._over and not client.run.open_runs else 1)
        assert os.waitpid(child, 0)[1] == 0
        run.log(2, {"loss": 2.0})
    assert server.run.points == {("loss", None): [(0, 0.0), (2, 2.0)]}
    assert server.run.status == "finished"


@pytest.mark.parametrize(
    ("end", "status", "error"),
    [
        ("", "finished", ""),
        ("raise OSError('no data')", "failed", "OSError: no data"),
        ("raise KeyboardInterrupt", "cancelled", ""),
        (
            "t = threading.Thread(target=int, args=('x',)); threading.excepthook = print; t.start()",
            "finished",
            "",
        ),
    ],
)
def test_a_run_left_open_ends_as_the_interpreter_ends(
    server: Server, end: str, status: str, error: str
) -> None:
    program(PROGRAM + end, server).communicate()
    assert (server.run.status, server.run.error) == (status, error)
    assert server.run.points["loss", None] == [(step, float(step)) for step in range(100)]
