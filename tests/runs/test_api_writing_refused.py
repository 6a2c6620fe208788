"""The API of programs outside: what is refused, in which words, and that nothing is left of it."""

from __future__ import annotations

import gzip
import json
from typing import Any

import pytest
from django.test import Client

from runs.api import writing
from runs.models import Run, Status, Writer
from runs.outside import intake
from runs.store.numbers import MAX_SERIES
from tests.runs.builders import build_finished_run, build_running_run
from tests.runs.outside import Program, batch_of, build_outside_run, fresh, item, logged

pytestmark = pytest.mark.django_db

ROUTES = ["log", "columns", "config", "beat", "end", "resume"]


@pytest.fixture
def program() -> Program:
    return Program()


@pytest.mark.parametrize("path", ROUTES)
def test_runs_of_the_engine_are_not_written_by_others(program: Program, path: str) -> None:
    body: object = batch_of(a=[1]) if path == "columns" else {"status": "failed"} if path == "end" else {}
    for run in (build_running_run(), build_finished_run()):
        assert "engine" in program.post(f"/{run.pk}/{path}", body, 409)["detail"]
        assert fresh(run).status == run.status


@pytest.mark.parametrize("path", ROUTES)
def test_a_run_in_the_trash_takes_nothing(program: Program, path: str) -> None:
    run = program.begin()
    Run.objects.filter(pk=run.pk).update(deleted_at=run.queued_at)
    body: object = batch_of(a=[1]) if path == "columns" else {"status": "failed"} if path == "end" else {}
    assert "trash" in program.post(f"/{run.pk}/{path}", body, 409)["detail"]


@pytest.mark.parametrize("path", ROUTES)
def test_a_run_that_does_not_exist_is_not_found(program: Program, path: str) -> None:
    body: object = batch_of(a=[1]) if path == "columns" else {"status": "failed"} if path == "end" else {}
    assert "no run" in program.post(f"/1000000/{path}", body, 404)["detail"]
    program.post(f"/{2**70}/{path}", body, 422)


@pytest.mark.parametrize("path", ["", *(f"/{{}}/{route}" for route in ROUTES)])
def test_only_who_may_submit_may_write(path: str, client: Client) -> None:
    run = build_outside_run()
    assert "runs.submit_sweep" in Program("stop_run").post(path.format(run.pk), {}, 403)["detail"]
    answer = client.post(f"/api/runs{path.format(run.pk)}", b"{}", content_type="application/json")
    assert answer.status_code == 401
    assert not logged(run)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"{", "JSON"),
        (b"[]", "table"),
        (b'{"metrics": NaN}', "JSON"),
        (b'{"metrics": 5}', "list"),
        (b'{"metrics": [{"key": "a", "value": 1, "step": 9223372036854775808}]}', "metrics[0]"),
        (b'{"metrics": [{"key": "a", "value": 1, "step": 1e30}]}', "metrics[0]"),
        (b'{"metrics": [{"key": "a\\ud800", "value": 1, "step": 1}]}', "JSON"),
        (json.dumps({"metrics": [item("x" * 10_000)]}).encode(), "250"),
        (json.dumps({"metrics": [item(), item("a\x07")]}).encode(), "metrics[1]"),
        (b'{"metrics": [], "run_id": 0}', "batch of run"),
        (b'{"metrics": [], "run_id": "0"}', "batch of run"),
        (b'{"metrics": [], "wirter": "w"}', "wirter"),
        (b'{"metrics": [], "writer": "w"}', "batch"),
        (b'{"metrics": [], "batch": 1}', "writer"),
        (b'{"metrics": [], "writer": "", "batch": 1}', "writer"),
        (b'{"metrics": [], "writer": "#w", "batch": 1}', "writer"),
        (json.dumps({"writer": "w" * 37, "batch": 1}).encode(), "writer"),
        (b'{"metrics": [], "writer": "w", "batch": -1}', "batch"),
        (b'{"metrics": [], "writer": "w", "batch": true}', "batch"),
        (b'{"metrics": [], "writer": "w", "batch": 9223372036854775808}', "batch"),
        (b'{"params": [{"key": 5, "value": 1}]}', "params[0]"),
    ],
)
def test_a_wrong_json_body_is_refused_in_words(program: Program, body: bytes, words: str) -> None:
    run = program.begin()
    assert words in program.post(f"/{run.pk}/log", body, 422)["detail"]
    assert not logged(run)


def test_a_wrong_parameter_of_mlflow_takes_its_points_with_it(program: Program) -> None:
    run = program.begin()
    body = {"metrics": [item()], "params": [{"key": "a\x00", "value": 1}]}
    assert "config" in program.post(f"/{run.pk}/log", body, 422)["errors"]
    assert not logged(run)
    assert not Writer.objects.exists()


def test_a_wrong_columns_body_is_refused_in_words(program: Program) -> None:
    run = program.begin()
    good = batch_of(a=[1, 2, 3])
    changed = bytearray(good)
    changed[-8] ^= 1
    for body in (good[:-1], good[:20], b"", bytes(changed), good + b"x", b"NNLC" + good[4:]):
        assert "expected" in program.post(f"/{run.pk}/columns", body, 422)["detail"]
    for query in ("writer=w", "batch=1", "writer=w&batch=-1", "thinned=-1", "thinned=63", "run=999999"):
        program.post(f"/{run.pk}/columns?{query}", good, 422)
    assert not logged(run)
    program.post(f"/{run.pk}/columns?run={run.pk}", good)


def test_too_much_is_refused_as_such(program: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    run = program.begin()
    monkeypatch.setattr(writing, "MAX_POINTS", 3)
    assert "1,000" in program.post(f"/{run.pk}/log", {"metrics": [item()] * 1001}, 413)["detail"]
    assert "at most 3" in program.post(f"/{run.pk}/columns", batch_of(a=[1, 2], b=[3, 4]), 413)["detail"]
    monkeypatch.setattr(writing, "MAX_JSON", 100)
    monkeypatch.setattr(writing, "MAX_COLUMNS", 10)
    large = b'{"metrics": []}' + b" " * 100
    assert "100 bytes" in program.post(f"/{run.pk}/log", large, 413)["detail"]
    program.post(f"/{run.pk}/columns", batch_of(a=[1]), 413)
    packed = gzip.compress(b" " * 1_000_000)
    monkeypatch.setattr(writing, "MAX_JSON", 10_000)
    assert len(packed) < 10_000
    program.post(f"/{run.pk}/log", packed, 413, packing="gzip")
    assert not logged(run)


def test_a_batch_of_more_series_than_a_run_may_have_is_not_read(program: Program) -> None:
    run = program.begin()
    empty: dict[str, list[float]] = {f"m{number}": [] for number in range(MAX_SERIES + 2)}
    said = program.post(f"/{run.pk}/columns", batch_of(**empty), 422)["detail"]
    assert said == "expected at most 2,000 series and a clock in a batch, got 2,002; a run takes no more"
    del empty["m0"]
    assert program.post(f"/{run.pk}/columns", batch_of(**empty))["accepted"] == 0


def test_broken_packing_is_refused(program: Program) -> None:
    run = program.begin()
    packed = gzip.compress(json.dumps({"metrics": [item()]}).encode())
    for body in (b"no gzip", packed[:-9], packed[:15], packed + packed):  # of two pieces one would be lost
        program.post(f"/{run.pk}/log", body, 422, packing="gzip")
    program.post(f"/{run.pk}/log", packed, 415, packing="br")
    assert not logged(run)


def test_a_run_with_too_much_waiting_asks_for_patience(
    program: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = program.begin()
    program.post(f"/{run.pk}/log", {"metrics": [item()]})
    monkeypatch.setattr(intake, "MAX_PENDING", 0)
    body = json.dumps({"writer": "w", "batch": 0, "metrics": [item(step=2)]})
    answer = program.client.post(f"/api/runs/{run.pk}/log", body, content_type="application/json")
    assert answer.status_code == 429
    assert int(answer["Retry-After"]) > 0
    monkeypatch.setattr(intake, "MAX_PENDING", 1000)
    assert program.post(f"/{run.pk}/log", body.encode())["repeated"] is False


def test_more_series_than_a_run_may_have_are_refused_whole(program: Program) -> None:
    run = program.begin()
    for part in range(2):
        items = [item(f"m{part * 1000 + number}") for number in range(1000)]
        program.post(f"/{run.pk}/log", {"metrics": items})
    items = [item("m0", step=2), item("one more")]
    assert "2,000 series" in program.post(f"/{run.pk}/log", {"metrics": items}, 422)["detail"]
    assert logged(run)["m0", None] == [(1, 0.5)]
    assert program.post(f"/{run.pk}/log", {"metrics": items[:1]})["accepted"] == 1


@pytest.mark.parametrize("step", [1.5, True, "1", 2**63, None])
def test_a_wrong_step_to_resume_at_is_refused(program: Program, step: Any) -> None:
    run = program.begin()
    status = 200 if step is None else 422
    program.post(f"/{run.pk}/resume", {"step": step}, status)


@pytest.mark.parametrize("body", [{}, {"status": "lost"}, {"status": "finished", "error": 5}, {"x": 1}])
def test_a_wrong_end_is_refused(program: Program, body: dict[str, Any]) -> None:
    run = program.begin()
    program.post(f"/{run.pk}/end", body, 422)
    assert fresh(run).status == Status.RUNNING


def test_an_error_in_the_middle_leaves_nothing(program: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    run = program.begin()

    def breaks(*_: object, **__: object) -> None:
        raise RuntimeError("broken")

    with monkeypatch.context() as broken:
        broken.setattr(intake, "configure", breaks)
        body = {"writer": "w", "batch": 0, "metrics": [item()], "params": [{"key": "a", "value": 1}]}
        with pytest.raises(RuntimeError, match="broken"):
            program.post(f"/{run.pk}/log", body)
    assert not logged(run)
    assert not Writer.objects.exists()
    assert program.post(f"/{run.pk}/log", body)["repeated"] is False
