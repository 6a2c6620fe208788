"""The queue over the API: who waits where, and the words that steer runs and sweeps."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from runs.models import Run, Status
from tests.runs import builders
from tests.runs.test_api import Api
from tests.runs.test_pages_queue import build_waiting

pytestmark = pytest.mark.django_db

WRITING = [
    *(("post", f"{kind}/1/{word}") for kind in ("runs", "sweeps") for word in ("stop", "pause", "unpause")),
    *(("patch", f"{kind}/1") for kind in ("runs", "sweeps")),
]
RETRYING = [("post", f"{kind}/1/retry") for kind in ("runs", "sweeps")]


@pytest.fixture
def script() -> Api:
    return Api(builders.build_user("submit_sweep", "stop_run"))


def patch(script: Api, path: str, status: int = 200, **body: Any) -> Any:
    answer = script.client.patch(f"/api{path}", json.dumps(body), content_type="application/json")
    assert answer.status_code == status, answer.content
    return json.loads(answer.content)


def order() -> list[int]:
    return list(Run.objects.awaiting_worker().values_list("pk", flat=True))


@pytest.mark.parametrize(("method", "path"), [("get", "queue"), *WRITING, *RETRYING])
def test_every_operation_answers_401_without_access(client: Client, method: str, path: str) -> None:
    assert getattr(client, method)(f"/api/{path}").status_code == 401


@pytest.mark.parametrize(("method", "path"), [*WRITING, *RETRYING])
def test_writing_needs_its_right_and_says_which(method: str, path: str) -> None:
    sweep = builders.build_run().sweep
    needed, other = ("submit_sweep", "stop_run")[:: 1 if (method, path) in RETRYING else -1]
    script = Api(builders.build_user(other)).client
    before = list(Run.objects.values())
    own = path.replace("/1", f"/{sweep.runs.get().pk if path.startswith('runs') else sweep.pk}")
    answer = getattr(script, method)(f"/api/{own}", '{"priority": 3}', content_type="application/json")
    assert answer.status_code == 403
    assert f"runs.{needed}" in answer.json()["detail"]
    assert list(Run.objects.values()) == before


def test_the_queue_is_told_run_by_run_in_its_order(script: Api) -> None:
    usual = build_waiting(3)
    (urgent,) = build_waiting(1, priority=4)
    running = builders.build_running_run(steps_run=25)
    held = builders.build_run(status=Status.PAUSED)
    told = script.get("/queue")
    assert [(run["id"], run["position"]) for run in told["waiting"]] == [
        (urgent.pk, 1),
        *((run.pk, number) for number, run in enumerate(usual, 2)),
    ]
    assert told["waiting"][0]["priority"] == 4
    assert (told["waiting_count"], told["paused_count"], told["next"]) == (4, 1, None)
    assert [run["id"] for run in told["paused"]] == [held.pk]
    (group,) = told["training"]
    assert (group["runs"], group["progress"], group["worker"]) == ([running.pk], 0.25, "host-1:42")
    assert "No worker is running" in told["why_waiting"]


def test_the_queue_is_read_page_by_page(script: Api) -> None:
    runs = build_waiting(5)
    first = script.get("/queue?limit=2")
    second = script.get(f"/queue?limit=3&after={first['next']}")
    assert [run["id"] for run in first["waiting"] + second["waiting"]] == [run.pk for run in runs]
    assert (first["waiting_count"], second["next"]) == (5, None)


@pytest.mark.parametrize("query", ["after=x", "queue=tpu", "limit=0", "limit=1001"])
def test_what_the_queue_does_not_understand_is_refused(script: Api, query: str) -> None:
    assert script.get(f"/queue?{query}", 422)["detail"]


def test_reading_the_queue_costs_the_same_for_any_number(
    script: Api, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    script.get("/queue")  # the token's use is noted once a minute
    queries = []
    for count in (1, 40):
        build_waiting(count)
        builders.build_run(status=Status.PAUSED)
        # Token; training, waiting 2, paused 2, starts.
        with django_assert_max_num_queries(16) as done:
            script.get("/queue")
        queries.append(len(done))
    assert queries[0] == queries[1]


def test_a_run_is_paused_unpaused_and_tried_again(script: Api) -> None:
    (run,) = build_waiting(1)
    assert script.post(f"/runs/{run.pk}/pause")["status"] == "paused"
    assert script.post(f"/runs/{run.pk}/unpause")["status"] == "queued"
    script.post(f"/runs/{run.pk}/stop")
    assert script.post(f"/runs/{run.pk}/retry")["status"] == "queued"


@pytest.mark.parametrize("word", ["pause", "unpause", "retry"])
def test_what_cannot_be_done_answers_409_with_the_reason(script: Api, word: str) -> None:
    run = builders.build_finished_run()
    assert "Nothing was changed: only" in script.post(f"/runs/{run.pk}/{word}", status=409)["detail"]


def test_a_sweep_is_steered_as_a_whole(script: Api) -> None:
    runs = build_waiting(3)
    build_waiting(1)
    address = f"/sweeps/{runs[0].sweep_id}"
    for word, changed in (("pause", 3), ("unpause", 3), ("stop", 3), ("retry", 3), ("unpause", 0)):
        assert script.post(f"{address}/{word}") == {"changed": changed}
    assert script.post("/sweeps/999/stop", status=404)


def test_a_run_gets_another_priority_and_another_place(script: Api) -> None:
    a, b, c = (run.pk for run in build_waiting(3))
    assert patch(script, f"/runs/{c}", priority=9)["priority"] == 9
    assert order() == [c, a, b]
    patch(script, f"/runs/{c}", priority=0, place="last")
    assert order() == [a, b, c]
    patch(script, f"/runs/{c}", place=b)
    assert order() == [a, c, b]
    patch(script, f"/runs/{b}", place="first")
    assert order() == [b, a, c]


def test_a_sweep_moves_as_a_whole(script: Api) -> None:
    first, second = ([run.pk for run in build_waiting(2)] for _ in range(2))
    sweep = Run.objects.get(pk=second[0]).sweep_id
    assert patch(script, f"/sweeps/{sweep}", place="first") == {"changed": 2}
    assert order() == [*second, *first]


@pytest.mark.parametrize(
    "body", [{}, {"priority": 101}, {"priority": "high"}, {"place": "middle"}, {"place": 1.5}]
)
def test_an_order_that_is_none_answers_422(script: Api, body: dict[str, Any]) -> None:
    (run,) = build_waiting(1)
    assert patch(script, f"/runs/{run.pk}", 422, **body)["detail"]
    assert Run.objects.get(pk=run.pk).priority == 0


def test_a_run_that_does_not_wait_has_no_place_to_change(script: Api) -> None:
    run = builders.build_finished_run()
    assert "does not wait" in patch(script, f"/runs/{run.pk}", 409, place="first")["detail"]


def test_the_document_describes_the_operations(client: Client) -> None:
    client.force_login(builders.build_user())
    paths = client.get("/api/openapi.json").json()["paths"]
    assert "get" in paths["/api/queue"]
    assert {"get", "patch"} <= set(paths["/api/runs/{run_id}"])
    for word in ("stop", "pause", "unpause", "retry"):
        assert "post" in paths[f"/api/runs/{{run_id}}/{word}"]
        assert "post" in paths[f"/api/sweeps/{{sweep_id}}/{word}"]
