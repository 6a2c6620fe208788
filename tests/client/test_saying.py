"""What a program says of its run: it arrives in order, and costs neither the program nor the disk much."""

from __future__ import annotations

import json

import numpy as np
import pytest

from nnlab import client
from nnlab.client import recording
from nnlab.client.backlog import Backlog
from nnlab.client.recording import Recorder
from nnlab.client.run import MAX_LINE
from nnlab.series.buffer import StepBuffer
from tests.client.server import Server


def start(server: Server) -> client.Run:
    return client.start(project="p", name="n", url=server.url)


def test_what_is_said_arrives_in_order(server: Server) -> None:
    with start(server) as run:
        run.say("no GPU", level="warning")
        for step in range(60):
            run.say(f"epoch {step}", step=np.int64(step))  # type: ignore[arg-type]
        run.log(0, {"loss": 1.0})
    first, *others = server.run.lines
    assert first == {"text": "no GPU", "level": "warning"}
    assert others == [{"text": f"epoch {step}", "level": "info", "step": step} for step in range(60)]


def test_a_long_text_is_cut_and_an_empty_one_left_out(
    server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    with start(server) as run:
        run.say("x" * (MAX_LINE + 1))
        run.say("  ")
        run.say("loud", level="shout")
    assert [len(line["text"]) for line in server.run.lines] == [MAX_LINE]
    assert caplog.text.count("expected a text, and a level of info, warning, error") == 2


def test_nothing_is_said_after_the_end(server: Server, caplog: pytest.LogCaptureFixture) -> None:
    with start(server) as run:
        pass
    run.say("too late")
    assert server.run.lines == []
    assert "the run is over" in caplog.text


def test_in_an_outage_the_first_and_the_last_lines_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recording, "LINE_RECORDS", 2)
    monkeypatch.setattr(recording, "MAX_LINES", 50)
    backlog = Backlog(None)
    recorder = Recorder(StepBuffer(), backlog, lambda: None)
    for place in range(1000):
        recorder.say({"text": str(place)})
    recorder._move()
    first, second = (json.loads(backlog._record(entry).payload)["lines"] for entry in backlog._entries)
    assert [line["text"] for line in first + second] == [str(place) for place in range(950, 1000)]
    recorder.say({"text": "later"})
    recorder._move()
    assert backlog.lines == 2
