"""Tabs on a live run, by streams of events and by polling, in turns; see ``poe bench-live``.

One process of the web server on SQLite; a run stores a step a second. Event delay: from the moment at which a
step is stored to the one at which a tab has it. Ordinary request: the project's page, asked meanwhile.
"""

from __future__ import annotations

import argparse
import asyncio
import math
import os
import tempfile
from collections.abc import Callable, Coroutine, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic
from typing import Any

import orjson

from tests.services.installation import clean_environment, nnlab
from tests.services.streams import StreamServer, stream_server

STEP_SECONDS = 1.0
POLL_SECONDS = 1.0  # what a page waits between two answers
SETTLE_SECONDS = 5.0


@dataclass
class Watch:
    """What the tabs of one round have seen.

    Args:
        stored: by step, when it was.
        seen: by tab, the steps that came, with when.
    """

    stored: dict[int, float] = field(default_factory=dict)
    seen: dict[int, dict[int, float]] = field(default_factory=dict)
    requests: list[float] = field(default_factory=list)
    answers: int = 0

    def delays(self) -> list[float]:
        """Give the seconds from every step to every tab."""
        return [
            at - self.stored[step]
            for tab in self.seen.values()
            for step, at in tab.items()
            if step in self.stored
        ]

    @property
    def missed(self) -> int:
        """How many steps have not reached a tab."""
        return len(self.stored) * len(self.seen) - len(self.delays())


Tab = Callable[[StreamServer, Watch, int], Coroutine[Any, Any, None]]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="tests.benchmarks.live", description=__doc__)
    parser.add_argument("--tabs", type=int, default=300)
    parser.add_argument("--people", type=int, default=30, help="who have the tabs open (default 30)")
    parser.add_argument("--seconds", type=float, default=20.0, help="of a round (default 20)")
    parser.add_argument("--rounds", type=int, default=2, help="of each way (default 2)")
    arguments = parser.parse_args()
    print(
        f"{arguments.tabs} tabs of {arguments.people} people, "
        f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores"
    )
    print(f"{'':8} {'event delay':>23} {'project page':>23} {'CPU of':>8} {'answers':>8} {'missed':>7}")
    print(f"{'':8} {'p50':>11} {'p95':>11} {'p50':>11} {'p95':>11} {'server':>8} {'a second':>8}")
    ways: list[tuple[str, Tab]] = [("stream", streaming), ("polling", polling)] * arguments.rounds
    with tempfile.TemporaryDirectory(prefix="nnlab-live-") as folder:
        home = Path(folder) / "home"
        nnlab(clean_environment(home), "prepare")  # pages need the static files' names
        with stream_server(home, arguments.people) as server:
            for name, tab in ways:
                _print(name, server, tab, arguments.tabs, arguments.seconds)


def _print(name: str, server: StreamServer, tab: Tab, tabs: int, seconds: float) -> None:
    watch = Watch()
    cpu = asyncio.run(_round(server, watch, tab, tabs, seconds))
    figures = [*_percentiles(watch.delays()), *_percentiles(watch.requests)]
    print(
        f"{name:8} " + " ".join(f"{1e3 * figure:8.0f} ms" for figure in figures),
        f"{100 * cpu / seconds:6.0f} % {watch.answers / seconds:8.0f} {watch.missed:7}",
        flush=True,
    )


async def _round(server: StreamServer, watch: Watch, tab: Tab, tabs: int, seconds: float) -> float:
    """Open the tabs, and store steps while they watch; the seconds of CPU that the server took meanwhile."""
    tasks = [asyncio.create_task(tab(server, watch, number)) for number in range(tabs)]
    while len(watch.seen) < tabs:
        await asyncio.sleep(0.2)
    await asyncio.sleep(SETTLE_SECONDS)
    watch.requests.clear()
    began, watch.answers, until = _cpu(server), 0, monotonic() + seconds
    asking = asyncio.create_task(_asking(server, watch))
    while monotonic() < until:
        said = await asyncio.to_thread(server.tell, "step")
        watch.stored[said["step"]] = said["at"]
        await asyncio.sleep(STEP_SECONDS)
    cpu = _cpu(server) - began
    await asyncio.sleep(SETTLE_SECONDS)
    for task in (asking, *tasks):
        task.cancel()
    for ended in await asyncio.gather(asking, *tasks, return_exceptions=True):
        assert isinstance(ended, asyncio.CancelledError), f"a tab has ended early: {ended!r}"
    return cpu


async def streaming(server: StreamServer, watch: Watch, number: int) -> None:
    """Keep a tab open that has a stream."""
    reader, writer = await _connected(server, number, f"/events?run={server.run}")
    try:
        while line := await reader.readline():
            if line.startswith(b"data: {"):
                _note(watch, number, orjson.loads(line[6:]))
    finally:
        writer.close()


async def polling(server: StreamServer, watch: Watch, number: int) -> None:
    """Keep a tab open that asks."""
    after, reader, writer = "", None, None
    await asyncio.sleep(number % 100 / 100 * POLL_SECONDS)
    try:
        while True:
            target = f"/r/{server.run}/live/?after={after}"
            if reader is None or writer is None:
                reader, writer = await _connected(server, number, target)
            else:
                writer.write(_request(server, number, target))
            news = orjson.loads(await _body(reader))
            after = news["next"]
            _note(watch, number, news)
            await asyncio.sleep(POLL_SECONDS)
    finally:
        if writer is not None:
            writer.close()


async def _asking(server: StreamServer, watch: Watch) -> None:
    """Ask for an ordinary page, again and again; the last answer took at least until the round's end."""
    while True:
        began = monotonic()
        reader, writer = await _connected(server, 0, f"/p/{server.slug}/")
        try:
            await _body(reader)
        finally:
            watch.requests.append(monotonic() - began)
            writer.close()
        await asyncio.sleep(0.2)


async def _connected(
    server: StreamServer, number: int, target: str
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port, limit=2**22)
    writer.write(_request(server, number, target))
    return reader, writer


def _request(server: StreamServer, number: int, target: str) -> bytes:
    cookie = server.cookies[number % len(server.cookies)]
    return f"GET {target} HTTP/1.1\r\nHost: localhost\r\nCookie: sessionid={cookie}\r\n\r\n".encode()


async def _body(reader: asyncio.StreamReader) -> bytes:
    """Read an answer."""
    head = await reader.readuntil(b"\r\n\r\n")
    assert b" 200 " in head.split(b"\r\n")[0], head
    (length,) = [
        int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")
    ]
    return await reader.readexactly(length)


def _note(watch: Watch, number: int, news: dict[str, object]) -> None:
    """Note which steps have come; the cursor names the last."""
    watch.answers += 1
    seen, now = watch.seen.setdefault(number, {}), monotonic()
    charts = news.get("charts")
    if isinstance(charts, dict) and "loss" in charts:
        for step in charts["loss"]["append"][0][0]:
            seen[step] = now


def _percentiles(values: Sequence[float]) -> Iterator[float]:
    for share in (0.5, 0.95):
        yield sorted(values)[int(share * len(values))] if values else math.nan


def _cpu(server: StreamServer) -> float:
    """Give the seconds of CPU that the server has taken."""
    fields = Path(f"/proc/{server.process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    main()
