"""Delivery: whatever the server and the disk do, the points that arrive are those that were logged."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nnlab.client.backlog import Backlog
from nnlab.client.connection import Connection
from nnlab.client.delivery import Delivery
from nnlab.client.errors import AwayError, RefusedError
from nnlab.client.spool import Kind, Spool
from nnlab.client.thinning import Thinning
from nnlab.series.batch import encode_batch
from tests.client.server import CUT, CUT_AFTER, TOKEN, Server, serving

START = {"project": "p", "name": "n", "config": {}, "client_id": "c"}


def build_delivery(server: Server, root: Path | None, limit: int = 2**26) -> Delivery:
    facts: dict[str, Any] = {"writer": "w" * 32, "start": dict(START)}
    spool = None if root is None else Spool.made(root, {**facts, "url": server.url})
    facts = facts if spool is None else spool.meta
    return Delivery(facts, Backlog(spool, limit), Connection(server.url, TOKEN), spool)


def add(delivery: Delivery, first: int, count: int, *names: str) -> None:
    steps = np.arange(first, first + count)
    delivery.backlog.add_points({(name, None): (steps, steps / 4) for name in names})


def send_all(delivery: Delivery) -> None:
    """As the thread does: what fails is tried again."""
    while True:
        try:
            if not delivery.send_next():
                return
        except AwayError:
            continue


def logged(first: int, count: int) -> list[tuple[int, float]]:
    return [(step, step / 4) for step in range(first, first + count)]


FAULTS = st.sampled_from([CUT, CUT_AFTER, 429, 500, 503])
EVENTS = st.lists(
    st.one_of(
        st.tuples(st.just("log"), st.integers(1, 40)),
        st.tuples(st.just("send"), st.integers(1, 3)),
        st.tuples(st.just("fault"), FAULTS),
        st.tuples(st.just("limit"), st.integers(1, 30)),
    ),
    max_size=25,
)


@given(events=EVENTS, place=st.sampled_from(["memory", "disk", "disk, then a kill"]))
@settings(max_examples=60)
def test_any_order_of_outages_delivers_exactly_what_was_logged(
    tmp_path_factory: pytest.TempPathFactory, events: list[tuple[str, Any]], place: str
) -> None:
    with serving() as server:
        delivery = build_delivery(server, None if place == "memory" else tmp_path_factory.mktemp("spool"))
        total = 0
        for event, value in events:
            if event == "log":
                add(delivery, total, value, "loss", "accuracy")
                total += value
            elif event == "send":
                for _ in range(value):
                    try_to_send(delivery)
            elif event == "fault":
                server.faults.append(value)
            else:
                server.most_points = value
        if place == "disk, then a kill":
            delivery = killed_and_found(delivery, server)
        send_all(delivery)
        delivery.close()
    if total:
        assert server.run.points == {(name, None): logged(0, total) for name in ("loss", "accuracy")}


def try_to_send(delivery: Delivery) -> None:
    try:
        delivery.send_next()
    except AwayError:
        return


def killed_and_found(delivery: Delivery, server: Server) -> Delivery:
    """What another program finds after the first one was killed: nothing was closed in order."""
    delivery.let_go()
    assert delivery._spool is not None
    spool = Spool.found(delivery._spool.folder)
    return Delivery(spool.meta, Backlog(spool), Connection(server.url, TOKEN), spool)


def test_an_answer_that_was_lost_costs_no_point_and_doubles_none(server: Server, tmp_path: Path) -> None:
    delivery = build_delivery(server, tmp_path)
    delivery.open()
    add(delivery, 0, 5, "loss")
    server.faults.append(CUT_AFTER)
    send_all(delivery)
    assert [path.split("&", 1)[1] for path in server.requests[1:]] == ["batch=0", "batch=0"]
    assert server.run.points == {("loss", None): logged(0, 5)}
    delivery.close()


def test_a_run_is_started_once_though_the_answer_was_lost(server: Server, tmp_path: Path) -> None:
    delivery = build_delivery(server, tmp_path)
    server.faults.append(CUT_AFTER)
    with pytest.raises(AwayError):
        delivery.open()
    send_all(delivery)
    assert list(server.runs) == [1]
    delivery.close()


def test_nothing_is_left_on_disk_once_all_is_sent(server: Server, tmp_path: Path) -> None:
    delivery = build_delivery(server, tmp_path)
    add(delivery, 0, 5, "loss")
    send_all(delivery)
    delivery.close()
    assert list(tmp_path.iterdir()) == []


def test_a_batch_that_is_too_large_is_cut_until_it_fits(server: Server, tmp_path: Path) -> None:
    server.most_points = 7
    delivery = build_delivery(server, tmp_path)
    add(delivery, 0, 50, "loss", "accuracy", "norm")
    add(delivery, 50, 50, "loss")
    send_all(delivery)
    assert server.run.points[("loss", None)] == logged(0, 100)
    assert server.run.points[("norm", None)] == logged(0, 50)
    delivery.close()


def test_a_refused_batch_is_kept_with_its_reason_and_the_rest_is_sent(
    server: Server, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    delivery = build_delivery(server, tmp_path)
    add(delivery, 0, 5, "unwanted")
    add(delivery, 5, 5, "loss")
    send_all(delivery)
    delivery.close()
    assert server.run.points == {("loss", None): logged(5, 5)}
    (folder,) = tmp_path.iterdir()
    assert "unwanted is no metric" in (folder / "refused-0.txt").read_text()
    assert "unwanted is no metric" in caplog.text


@pytest.mark.parametrize(
    ("status", "word", "final"),
    [
        (401, "NNLAB_TOKEN", False),
        (403, "its user may not", False),
        (404, "no such", True),
        (409, "no more", True),
    ],
)
def test_what_the_server_refuses_is_kept_and_explained(
    server: Server, tmp_path: Path, status: int, word: str, final: bool
) -> None:
    delivery = build_delivery(server, tmp_path)
    delivery.open()
    add(delivery, 0, 5, "loss")
    server.faults.append(status)
    with pytest.raises(RefusedError, match=word) as refused:
        delivery.send_next()
    assert refused.value.final is final
    assert delivery.backlog.points == 5
    delivery.close()


def test_a_server_that_asks_for_a_pause_says_how_long(server: Server, tmp_path: Path) -> None:
    delivery = build_delivery(server, tmp_path)
    server.pause = "7"
    server.faults.append(429)
    with pytest.raises(AwayError) as away:
        delivery.open()
    assert away.value.retry_after == 7
    delivery.close()


def test_a_record_that_a_kill_cut_off_is_dropped_with_a_word_and_the_rest_is_sent(
    server: Server, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    delivery = build_delivery(server, tmp_path)
    add(delivery, 0, 5, "loss")
    add(delivery, 5, 5, "loss")
    delivery.let_go()
    (waiting,) = tmp_path.glob("*/waiting")
    waiting.write_bytes(waiting.read_bytes()[:-3])
    found = killed_and_found(delivery, server)
    send_all(found)
    found.close()
    assert server.run.points == {("loss", None): logged(0, 5)}
    assert "damaged record" in caplog.text


def test_a_full_disk_keeps_points_in_memory(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    delivery = build_delivery(server, tmp_path)
    add(delivery, 0, 5, "loss")
    with monkeypatch.context() as full:
        full.setattr(Spool, "append", no_space)
        add(delivery, 5, 5, "loss")
    add(delivery, 10, 5, "loss")
    send_all(delivery)
    add(delivery, 15, 5, "loss")
    assert next(tmp_path.glob("*/waiting")).stat().st_size > 0
    send_all(delivery)
    delivery.close()
    assert server.run.points == {("loss", None): logged(0, 20)}
    assert caplog.text.count("No space left") == 1


def no_space(*_: object) -> int:
    raise OSError(28, "No space left on device")


def test_a_long_outage_thins_long_series_keeps_short_ones_and_says_so(
    server: Server, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    delivery = build_delivery(server, tmp_path, limit=100_000)
    for start in range(0, 100_000, 1000):
        add(delivery, start, 1000, "loss", "norm")
        add(delivery, start, 1, "validation")
        assert sum(entry.size for entry in delivery.backlog._entries) <= 100_000
    send_all(delivery)
    points = server.run.points
    steps = [step for step, _ in points["loss", None]]
    stride = 2**server.run.thinned
    assert server.run.thinned >= 3
    assert steps[:1000] == list(range(1000))  # the first batch may be on its way
    assert len(steps) == pytest.approx(1000 + 99_000 / stride, rel=0.02)
    assert max(np.diff(steps)) <= 2 * stride
    assert points["validation", None] == [(step, step / 4) for step in range(0, 100_000, 1000)]
    assert "one point in 8 is kept" in caplog.text
    add(delivery, 100_000, 100, "loss")
    send_all(delivery)
    delivery.close()
    assert points["loss", None][-100:] == logged(100_000, 100)


def test_a_thinned_batch_that_the_server_already_has_is_not_sent_twice(
    server: Server, tmp_path: Path
) -> None:
    delivery = build_delivery(server, tmp_path, limit=20_000)
    delivery.open()
    add(delivery, 0, 500, "loss")
    server.faults.extend([CUT_AFTER, CUT])
    with pytest.raises(AwayError):
        delivery.send_next()
    for start in range(500, 20_000, 500):
        add(delivery, start, 500, "loss")
    send_all(delivery)
    delivery.close()
    steps = [step for step, _ in server.run.points["loss", None]]
    assert steps[:500] == list(range(500))
    assert steps == sorted(set(steps))


def test_thinning_counts_over_batches_that_are_shorter_than_its_stride() -> None:
    thinning = Thinning()
    long, few = ("loss", None), ("validation", None)
    steps = np.arange(100)
    batch = encode_batch({long: (steps, steps / 4), few: (steps[:1], steps[:1] / 4)})
    assert [thinning.halve([batch]) for _ in range(3)] == [frozenset({long})] * 3
    kept = [thinning.kept({long: (steps[at : at + 3], steps[at : at + 3] / 4)}) for at in range(0, 99, 3)]
    found = [int(step) for points in kept for step in points.get(long, ([], []))[0]]
    assert found == list(range(0, 99, 8))
    assert list(thinning.kept({few: (steps, steps / 4)})[few][0]) == list(range(100))


def test_a_connection_that_the_server_has_dropped_is_made_anew(server: Server, tmp_path: Path) -> None:
    delivery = build_delivery(server, tmp_path)
    delivery.open()
    for _ in range(3):
        server.drop_connections()
        delivery.beat()
    assert server.run.beats == 3
    send_all(delivery)
    delivery.close()


def test_a_run_that_goes_on_is_rewound_once(server: Server, tmp_path: Path) -> None:
    first = build_delivery(server, tmp_path / "first")
    add(first, 0, 10, "loss")
    send_all(first)
    first.close()
    facts = {"writer": "v" * 32, "id": 1, "resume": {"step": 4}}
    spool = Spool.made(tmp_path / "second", {**facts, "url": server.url})
    second = Delivery(spool.meta, Backlog(spool), Connection(server.url, TOKEN), spool)
    add(second, 5, 3, "loss")
    add(second, 8, 1, "loss")
    second.send_next()
    third = killed_and_found(second, server)
    send_all(third)
    third.close()
    assert server.run.points["loss", None] == logged(0, 9)


def test_the_end_that_a_person_was_faster_with_is_no_trouble(server: Server, tmp_path: Path) -> None:
    delivery = build_delivery(server, tmp_path)
    delivery.open()
    server.run.status = "cancelled"
    delivery.backlog.add(Kind.END, b'{"status": "finished"}')
    send_all(delivery)
    delivery.close()
    assert list(tmp_path.iterdir()) == []
