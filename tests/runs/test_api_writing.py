"""The API of programs outside: good paths, repeats, and who and what is refused."""

from __future__ import annotations

import gzip
import json
import uuid
from typing import Any

import numpy as np
import pytest
from django.utils import timezone

from nnlab.series.batch import CLOCK, encode_batch
from runs.models import Ledger, Project, Run, RunParam, Source, Status, Sweep, Writer
from runs.outside import summary
from runs.store import writers
from tests.runs.outside import Program, batch_of, build_outside_run, fresh, item, logged, silence

pytestmark = pytest.mark.django_db


@pytest.fixture
def program() -> Program:
    return Program()


def test_a_run_is_begun_with_all_that_was_said(program: Program) -> None:
    config = {"lr": 0.1, "model": {"depth": 3}, "seed": 4}
    answer = program.post("", {"project": "Vision", "name": "mine", "config": config, "headline": "acc"}, 201)
    run = Run.objects.get(pk=answer["id"])
    assert (answer["status"], answer["project"], answer["name"]) == ("running", "vision", "mine")
    assert answer["source"] == "outside"
    assert (run.source, run.config, run.headline, run.attempt) == (Source.OUTSIDE, config, "acc", 1)
    assert (run.learning_rate, run.depth, run.seed, run.width) == (0.1, 3, 4, None)
    assert run.sweep.created_by == program.user
    params = RunParam.objects.filter(run=run).values_list("name__text", flat=True)
    assert set(params) == {"lr", "model.depth", "seed"}


def test_a_project_is_made_once(program: Program) -> None:
    assert program.begin().project == program.begin().project
    assert Project.objects.count() == 1


def test_beginning_twice_with_one_client_id_begins_one_run(program: Program) -> None:
    body = {"project": "p", "name": "n", "client_id": str(uuid.uuid4())}
    first = program.post("", body, 201)
    assert program.post("", body, 200)["id"] == first["id"]
    assert Run.objects.count() == Sweep.objects.count() == 1


def test_a_client_id_gives_no_run_that_is_in_the_trash(program: Program) -> None:
    name = str(uuid.uuid4())
    run = program.begin(client_id=name)
    Run.objects.update(deleted_at=timezone.now())
    body = {"project": "Vision", "name": "mine", "client_id": name}
    said = program.post("", body, 409)["detail"]
    assert (
        said == f"run {run.pk} has this client_id and is in the trash; restore it, or use another client_id"
    )


def test_a_client_id_gives_no_run_of_somebody_else(program: Program) -> None:
    name = str(uuid.uuid4())
    run = program.begin(client_id=name)
    body = {"project": "Vision", "name": "mine", "client_id": name}
    said = Program().post("", body, 409)["detail"]
    assert said == "a run of somebody else has this client_id; use another one"
    assert program.post("", body, 200)["id"] == run.pk


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"project": ""}, "project"),
        ({"project": "!"}, "project"),
        ({"project": None}, "project"),
        ({"name": "x" * 101}, "name"),
        ({"name": "a\nb"}, "name"),
        ({"config": [1]}, "config"),
        ({"config": {"": 1}}, "config"),
        ({"config": {"a": "b\x00"}}, "config"),
        ({"headline": "x" * 31}, "headline"),
        ({"headline": "a\x00"}, "headline"),
        ({"headline": 5}, "headline"),
        ({"client_id": "me"}, "client_id"),
        ({"client_id": 5}, "client_id"),
        ({"nmae": "x"}, "nmae"),
    ],
)
def test_a_wrong_beginning_is_refused_by_field(program: Program, wrong: dict[str, Any], field: str) -> None:
    answer = program.post("", {"project": "p", "name": "n", **wrong}, 422)
    assert list(answer["errors"]) == [field]
    assert not Run.objects.exists()
    assert not Sweep.objects.exists()


def test_points_are_logged_as_json(program: Program) -> None:
    run = program.begin()
    items = [item("loss", 0.5, 1), item("acc", "NaN", 1), item("loss", None, 2), item("rms", 1, 1, layer=0)]
    assert program.post(f"/{run.pk}/log", {"metrics": items}) == {
        "accepted": 4,
        "repeated": False,
        "stop": False,
    }
    np.testing.assert_equal(
        logged(run),
        {("loss", None): [(1, 0.5), (2, np.nan)], ("acc", None): [(1, np.nan)], ("rms", 0): [(1, 1.0)]},
    )


def test_timestamps_are_the_runs_clock(program: Program) -> None:
    run = program.begin()
    begun = run.started_at.timestamp() * 1000 if run.started_at else 0
    items = [item(step=step, timestamp=int(begun) + 250 * step) for step in (1, 2)]
    program.post(f"/{run.pk}/log", {"metrics": items})
    steps, moments = zip(*logged(run)["_t", None], strict=True)
    assert steps == (1, 2)
    assert moments == pytest.approx([250, 500], abs=1)


def test_the_clock_of_columns_is_the_runs_clock_and_no_point(program: Program) -> None:
    run = program.begin()
    begun = run.started_at.timestamp() * 1000 if run.started_at else 0
    steps = np.array([1, 2])
    points = {("loss", None): (steps, steps / 2), CLOCK: (steps, begun + 250.4 * steps)}
    assert program.post(f"/{run.pk}/columns", encode_batch(points))["accepted"] == 2
    assert logged(run)["loss", None] == [(1, 0.5), (2, 1.0)]
    clock_steps, moments = zip(*logged(run)[CLOCK], strict=True)
    assert clock_steps == (1, 2)
    assert moments == pytest.approx([250, 501], abs=1)


@pytest.mark.parametrize("moment", [np.nan, np.inf, -1.0, 1e18])
def test_a_clock_that_tells_no_time_is_refused(program: Program, moment: float) -> None:
    run = program.begin()
    steps = np.array([1, 2])
    body = encode_batch({("loss", None): (steps, steps / 2), CLOCK: (steps, np.array([0.0, moment]))})
    told = program.post(f"/{run.pk}/columns", body, 422)["detail"]
    assert told == f"expected times in milliseconds since 1970, got {moment:g} at step 2"
    assert logged(run) == {}


def test_a_layer_has_no_clock(program: Program) -> None:
    run = program.begin()
    steps = np.array([1])
    body = encode_batch({("_t", 3): (steps, steps / 2)})
    assert "for the whole run" in program.post(f"/{run.pk}/columns", body, 422)["detail"]


def test_mlflows_log_batch_is_taken_as_it_is(program: Program) -> None:
    run = program.begin(config={"a": 1})
    body = {
        "run_id": uuid.uuid4().hex,
        "metrics": [{"key": "loss", "value": 0.25, "timestamp": 1_700_000_000_000, "step": 3}],
        "params": [{"key": "lr", "value": "0.1"}],
        "tags": [{"key": "mlflow.note", "value": "hello"}],
    }
    program.post(f"/{run.pk}/log", body)
    assert logged(run)["loss", None] == [(3, 0.25)]
    assert fresh(run).config == {"a": 1, "lr": "0.1"}


def test_points_are_logged_as_columns(program: Program) -> None:
    run = program.begin()
    answer = program.post(f"/{run.pk}/columns?writer=w&batch=0&thinned=3", batch_of(a=[1, 2], b=[3]))
    assert answer == {"accepted": 3, "repeated": False, "stop": False}
    assert logged(run) == {("a", None): [(1, 1.0), (2, 2.0)], ("b", None): [(1, 3.0)]}
    assert Ledger.objects.get(run=run).thinned == 3


def test_an_empty_batch_is_accepted(program: Program) -> None:
    run = program.begin()
    assert program.post(f"/{run.pk}/log", {"metrics": []})["accepted"] == 0
    assert program.post(f"/{run.pk}/columns", batch_of(a=[]))["accepted"] == 0
    assert logged(run) == {}


def test_a_body_may_be_packed(program: Program) -> None:
    run = program.begin()
    packed = gzip.compress(json.dumps({"metrics": [item()]}).encode())
    program.post(f"/{run.pk}/log", packed, packing="gzip")
    program.post(f"/{run.pk}/columns", gzip.compress(batch_of(a=[1])), packing="gzip")
    assert set(logged(run)) == {("loss", None), ("a", None)}


@pytest.mark.parametrize("number", [0, 1, 4])
def test_a_batch_at_or_below_the_last_is_a_repeat(program: Program, number: int) -> None:
    run = program.begin()
    for batch in (0, 4):
        program.post(f"/{run.pk}/log", {"writer": "w", "batch": batch, "metrics": [item(step=batch)]})
    again = {"writer": "w", "batch": number, "metrics": [item(step=99)]}
    assert program.post(f"/{run.pk}/log", again) == {"accepted": 0, "repeated": True, "stop": False}
    assert program.post(f"/{run.pk}/log", {**again, "writer": "v"})["repeated"] is False
    assert program.post(f"/{run.pk}/log", {**again, "batch": 5})["repeated"] is False


def test_a_body_without_a_number_is_a_repeat_for_ten_minutes(program: Program) -> None:
    run, other = program.begin(), program.begin()
    body = {"metrics": [item()]}
    answers = [program.post(f"/{found.pk}/log", body)["repeated"] for found in (run, run, other)]
    assert answers == [False, True, False]
    Writer.objects.update(seen_at=fresh(run).queued_at - writers.REMEMBERED)
    assert program.post(f"/{run.pk}/log", body)["repeated"] is False


def test_bodies_of_long_ago_are_forgotten(program: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    run = program.begin()
    program.post(f"/{run.pk}/log", {"metrics": [item()]})
    Writer.objects.update(seen_at=fresh(run).queued_at - writers.REMEMBERED)
    for step in range(2000):
        writers.is_new(run.pk, f"{step}".encode())
    assert Writer.objects.filter(seen_at__lt=fresh(run).queued_at).count() == 0


def test_parameters_are_added(program: Program) -> None:
    run = program.begin(config={"lr": 0.1, "net": {"depth": 2}})
    answer = program.post(f"/{run.pk}/config", {"net": {"width": 8}, "lr": 0.2})
    assert answer["config"] == {"lr": 0.2, "net": {"depth": 2, "width": 8}}
    assert (fresh(run).width, fresh(run).learning_rate, fresh(run).depth) == (8, 0.2, 2)
    assert fresh(run).group != run.group
    assert set(RunParam.objects.filter(run=run).values_list("name__text", flat=True)) == {
        "lr",
        "net.depth",
        "net.width",
    }


@pytest.mark.parametrize(
    ("said", "reason"), [("finished", "end"), ("failed", "error"), ("cancelled", "cancelled")]
)
def test_a_run_ends_as_its_program_says(program: Program, said: str, reason: str) -> None:
    run = program.begin()
    program.post(f"/{run.pk}/log", {"metrics": [item()]})
    answer = program.post(f"/{run.pk}/end", {"status": said, "error": "no\x00pe"})
    assert (answer["status"], answer["stop_reason"], answer["error"]) == (said, reason, "nope")
    assert logged(run)["loss", None] == [(1, 0.5)]
    assert program.post(f"/{run.pk}/end", {"status": said})["status"] == said
    other = {"status": "finished" if said != "finished" else "failed"}
    assert "resume" in program.post(f"/{run.pk}/end", other, 409)["detail"]


def test_a_run_that_is_over_takes_nothing_until_it_is_resumed(program: Program) -> None:
    run = program.begin()
    program.post(f"/{run.pk}/end", {"status": "finished"})
    for path, body in (("log", {"metrics": [item()]}), ("config", {"a": 1}), ("beat", {})):
        assert "resume" in program.post(f"/{run.pk}/{path}", body, 409)["detail"]
    assert program.post(f"/{run.pk}/resume", {})["status"] == "running"
    program.post(f"/{run.pk}/log", {"metrics": [item()]})
    assert logged(run) == {("loss", None): [(1, 0.5)]}


def test_resuming_at_a_step_removes_what_came_after_it(program: Program) -> None:
    run = program.begin()
    body = {"metrics": [item(value=step, step=step) for step in range(6)]}
    program.post(f"/{run.pk}/log", body)
    program.post(f"/{run.pk}/resume", {"step": 2})
    assert logged(run)["loss", None] == [(0, 0.0), (1, 1.0), (2, 2.0)]
    assert program.post(f"/{run.pk}/log", body)["repeated"] is False


def test_a_program_hears_that_its_run_is_not_wanted(program: Program) -> None:
    run = program.begin()
    assert program.post(f"/{run.pk}/beat", {}) == {"stop": False}
    Program("stop_run").post(f"/{run.pk}/stop")
    assert program.post(f"/{run.pk}/beat", {}) == {"stop": True}
    assert program.post(f"/{run.pk}/log", {"metrics": [item()]})["stop"] is True
    assert program.post(f"/{run.pk}/log", {"metrics": [item()]})["stop"] is True  # a repeat tells, too
    assert program.post(f"/{run.pk}/columns", batch_of(a=[1]))["stop"] is True


def test_the_run_shows_how_its_metrics_stand(program: Program) -> None:
    run = program.begin(headline="acc")
    silence(run)
    program.post(f"/{run.pk}/log", {"metrics": [item("acc", 0.5, 7), item("loss", "NaN", 9, timestamp=1)]})
    now = fresh(run)
    assert (now.summary, now.score, now.steps_run) == ({"acc": 0.5, "loss": "NaN"}, 0.5, 9)
    program.post(f"/{run.pk}/log", {"metrics": [item("acc", 0.75, 10), item("rms", 1, 99, layer=0)]})
    program.post(f"/{run.pk}/log", {"metrics": [item("acc", "Infinity", 11)]})
    program.post(f"/{run.pk}/end", {"status": "finished"})
    now = fresh(run)
    assert (now.summary, now.score, now.steps_run) == ({"acc": "Infinity", "loss": "NaN"}, 0.5, 11)


@pytest.mark.parametrize("value", ["NaN", "Infinity", "-Infinity"])
@pytest.mark.parametrize("ended", [False, True], ids=["in the journal", "in a chunk"])
def test_a_last_value_that_is_not_finite_is_spelled_as_what_it_is(
    program: Program, value: str, ended: bool
) -> None:
    run = program.begin()
    items = [item("loss", value, 9), item("loss", "Infinity", 8), item("loss", 1, 12, layer=0)]
    program.post(f"/{run.pk}/log", {"metrics": [*items, item("acc", 0.5, 20)]})
    if ended:
        program.post(f"/{run.pk}/end", {"status": "finished"})
    summary.refresh(run.pk)
    assert fresh(run).summary == {"loss": value, "acc": 0.5}


@pytest.mark.parametrize("path", ["log", "beat", "columns", "config"])
def test_a_lost_run_goes_on_where_its_program_is_heard_again(program: Program, path: str) -> None:
    run = build_outside_run(Status.LOST)
    program.post(f"/{run.pk}/{path}", batch_of(a=[1]) if path == "columns" else {})
    again = fresh(run)
    assert (again.status, again.token is None) == (Status.RUNNING, False)


def test_the_lease_is_prolonged_by_what_is_sent_but_not_by_every_batch(program: Program) -> None:
    run = program.begin()
    before = fresh(run).lease_until
    program.post(f"/{run.pk}/beat")
    assert fresh(run).lease_until == before
    silence(run)
    program.post(f"/{run.pk}/log", {"metrics": [item()]})
    assert fresh(run).lease_until >= before  # type: ignore[operator]
