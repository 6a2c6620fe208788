"""Streams of events from a real web server, on both databases: news, tabs that go, the server's own end."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import orjson
import pytest

from tests.services.stores import postgresql
from tests.services.streams import Stream, StreamServer, stream_server

pytestmark = pytest.mark.services


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[StreamServer]:
    folder = tmp_path_factory.mktemp("streams")
    with ExitStack() as stack:
        settings = {}
        if request.param == "postgresql":
            settings["DATABASE_URL"] = stack.enter_context(postgresql(folder))
        yield stack.enter_context(stream_server(folder / "home", **settings))


def test_each_step_reaches_every_tab_once(server: StreamServer) -> None:
    tabs = [server.open(run=server.run) for _ in range(5)]
    server.await_streams(5)
    stored = [server.tell("step")["step"] for _ in range(3)]
    for tab in tabs:
        assert "loss" in orjson.loads(tab.event()["data"])["replace"]
        seen: list[int] = []
        while not seen or seen[-1] < stored[-1]:
            news = orjson.loads(tab.event()["data"] or "{}")
            if "charts" in news:
                seen += news["charts"]["loss"]["append"][0][0]
        assert seen == stored
        tab.close()
    server.await_streams(0)


def test_tabs_that_are_gone_leave_nothing_behind(server: StreamServer) -> None:
    for _ in range(2):
        tabs = [server.open(run=server.run, topic=["queue", "workers"]) for _ in range(20)]
        server.await_streams(20)
        for tab in tabs:
            tab.close()
        server.await_streams(0)


def test_the_server_ends_its_streams_before_it_ends_itself(tmp_path: Path) -> None:
    with stream_server(tmp_path / "home") as server:
        end_with_tabs(server)


def test_a_stream_is_refused_to_strangers(server: StreamServer) -> None:
    tab = Stream(server.port, "of-nobody", {"run": server.run})
    assert tab.status == 302
    tab.close()


def end_with_tabs(server: StreamServer) -> None:
    tabs = [server.open(run=server.run) for _ in range(5)]
    server.await_streams(5)
    server.process.send_signal(signal.SIGTERM)
    for tab in tabs:
        while tab.event():
            pass
        tab.close()
    server.process.wait(30)
    log = server.log.read_text()
    assert "Finished server process" in log
    assert "timeout graceful shutdown exceeded" not in log
    assert "Traceback" not in log
