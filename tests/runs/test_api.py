"""The API: who may use it, what it answers, and that every answer is JSON."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import OperationalError, connection
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from runs.api import access, windows
from runs.models import ApiToken, Run, Status, Sweep
from tests.runs.builders import (
    build_alert,
    build_finished_run,
    build_run,
    build_running_run,
    build_series,
    build_sweep,
    build_user,
    extend_series,
)
from tests.runs.submissions import build_submission

pytestmark = pytest.mark.django_db


def refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is not JSON")


class Api:
    """A script: a client that sends a token and reads strict JSON."""

    def __init__(self, user: User) -> None:
        self.client = Client(headers={"Authorization": f"Bearer {ApiToken.issue(user.pk, 'test')}"})

    def get(self, path: str, status: int = 200) -> Any:
        answer = self.client.get(f"/api{path}")
        assert answer.status_code == status, answer.content
        return json.loads(answer.content, parse_constant=refuse_constant)

    def post(self, path: str, body: object = None, status: int = 200) -> Any:
        answer = self.client.post(f"/api{path}", json.dumps(body), content_type="application/json")
        assert answer.status_code == status, answer.content
        return json.loads(answer.content, parse_constant=refuse_constant)


def ids(answer: Any) -> list[int]:
    return [run["id"] for run in answer["runs"]]


@pytest.fixture
def script() -> Api:
    return Api(build_user("submit_sweep", "stop_run"))


PATHS = [
    ("get", "/api/runs"),
    ("get", "/api/runs/1"),
    ("get", "/api/runs/1/series?metric=train_loss"),
    ("get", "/api/runs/1/alerts"),
    ("get", "/api/sweeps/1"),
    ("post", "/api/sweeps"),
    ("post", "/api/runs/1/stop"),
    ("post", "/api/runs/1/clone"),
]


@pytest.mark.parametrize(("method", "path"), PATHS)
def test_every_operation_answers_401_without_access(client: Client, method: str, path: str) -> None:
    assert getattr(client, method)(path).status_code == 401


@pytest.mark.parametrize("header", ["Bearer nnlab_wrong", "Bearer ", "Basic YWRtaW46YWRtaW4=", "nnlab_wrong"])
def test_a_wrong_token_answers_401(client: Client, header: str) -> None:
    assert client.get("/api/runs", headers={"Authorization": header}).status_code == 401


def test_the_hash_of_a_token_is_no_token(client: Client) -> None:
    ApiToken.issue(build_user().pk, "test")
    digest = ApiToken.objects.get().digest
    assert client.get("/api/runs", headers={"Authorization": f"Bearer {digest}"}).status_code == 401


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer nnlab_wrong"}])
def test_writing_without_access_answers_401_and_not_a_word_of_csrf(headers: dict[str, str]) -> None:
    answer = Client(enforce_csrf_checks=True).post("/api/sweeps", headers=headers)
    assert answer.status_code == 401
    assert "CSRF" not in answer.text


def test_the_token_of_an_inactive_user_answers_401(script: Api) -> None:
    script.get("/runs")
    User.objects.update(is_active=False)
    assert script.client.get("/api/runs").status_code == 401


def test_a_revoked_token_answers_401(script: Api) -> None:
    ApiToken.objects.all().delete()
    assert script.client.get("/api/runs").status_code == 401


def test_using_a_token_is_noted(script: Api) -> None:
    assert ApiToken.objects.get().last_used_at is None
    script.get("/runs")
    assert ApiToken.objects.get().last_used_at is not None


def test_a_browser_uses_its_session(client: Client) -> None:
    client.force_login(build_user())
    assert client.get("/api/runs").status_code == 200


def test_a_session_writes_only_with_its_csrf_token() -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(build_user("submit_sweep"))
    body = json.dumps(build_submission())
    refused = client.post("/api/sweeps", body, content_type="application/json")
    assert refused.status_code == 403
    assert not Sweep.objects.exists()

    secret = "c" * 32
    client.cookies["csrftoken"] = secret
    taken = client.post("/api/sweeps", body, content_type="application/json", headers={"X-CSRFToken": secret})
    assert taken.status_code == 201


def test_a_token_writes_without_a_csrf_token() -> None:
    token = ApiToken.issue(build_user("submit_sweep").pk, "test")
    client = Client(enforce_csrf_checks=True, headers={"Authorization": f"Bearer {token}"})
    assert (
        client.post(
            "/api/sweeps", json.dumps(build_submission()), content_type="application/json"
        ).status_code
        == 201
    )


@pytest.mark.parametrize(
    ("path", "right"),
    [("/sweeps", "submit_sweep"), ("/runs/{}/clone", "submit_sweep"), ("/runs/{}/stop", "stop_run")],
)
def test_writing_needs_its_right_and_says_which(path: str, right: str) -> None:
    run = build_run()
    others = {"submit_sweep", "stop_run"} - {right}
    answer = Api(build_user(*others)).post(path.format(run.pk), build_submission(), status=403)
    assert answer["detail"].startswith(f"this needs the permission runs.{right}")
    assert Run.objects.count() == 1
    run.refresh_from_db()
    assert run.status == Status.QUEUED


@pytest.mark.parametrize(
    "path", ["/runs/99", "/runs/99/series?metric=train_loss", "/runs/99/alerts", "/sweeps/99"]
)
def test_what_does_not_exist_answers_404(script: Api, path: str) -> None:
    assert "detail" in script.get(path, status=404)


def test_stopping_a_run_that_does_not_exist_answers_404(script: Api) -> None:
    assert script.post("/runs/99/stop", status=404)["detail"] == "there is no run 99"
    assert script.post("/runs/99/clone", status=404)["detail"] == "there is no run 99"


def test_a_submission_is_stored_under_its_user(script: Api) -> None:
    answer = script.post("/sweeps", build_submission(seeds=2), status=201)
    sweep = Sweep.objects.get()
    assert answer == {
        "id": sweep.pk,
        "project": "iris",
        "name": "One run",
        "runs": list(sweep.runs.order_by("pk").values_list("pk", flat=True)),
        "search": None,
    }
    assert sweep.created_by == User.objects.get()
    assert script.get(f"/sweeps/{sweep.pk}") == answer


@pytest.mark.parametrize("body", ["text", [1, 2], 3, None])
def test_a_body_that_is_no_table_answers_422(script: Api, body: object) -> None:
    script.post("/sweeps", body, status=422)
    assert not Sweep.objects.exists()


@pytest.mark.parametrize("body", ["", "{", "project = 'x'", "\x00"])
def test_a_body_that_is_no_json_answers_400(script: Api, body: str) -> None:
    answer = script.client.post("/api/sweeps", body, content_type="application/json")
    assert answer.status_code in {400, 422}
    assert not Sweep.objects.exists()


def test_a_number_in_the_address_that_is_none_answers_422(script: Api) -> None:
    script.get("/runs/abc", status=422)
    script.get("/runs?sweep=abc", status=422)


def test_a_run_is_told_with_its_configuration_and_standing(script: Api) -> None:
    run = build_finished_run(score=None, tier="native", isa="x86-64-v4")
    answer = script.get(f"/runs/{run.pk}")
    assert (answer["tier"], answer["isa"]) == ("native", "x86-64-v4")
    assert (answer["id"], answer["status"], answer["project"]) == (run.pk, "finished", run.project.slug)
    assert answer["summary"] == {"val_loss": 0.3, "val_accuracy": "NaN"}
    assert answer["score"] is None
    assert answer["config"] == run.config
    assert answer["sweep"] == run.sweep_id


def test_runs_come_newest_first_and_can_be_narrowed(script: Api) -> None:
    sweep = build_sweep()
    first, second = build_run(sweep), build_finished_run(sweep)
    other = build_run()
    assert ids(script.get("/runs")) == [other.pk, second.pk, first.pk]
    assert ids(script.get(f"/runs?sweep={sweep.pk}")) == [second.pk, first.pk]
    assert ids(script.get(f"/runs?project={other.project.slug}")) == [other.pk]
    assert ids(script.get("/runs?status=finished")) == [second.pk]
    assert ids(script.get(f"/runs?before={second.pk}")) == [first.pk]
    assert script.get("/runs?project=none") == {"runs": [], "next": None}


@pytest.mark.parametrize(
    "query",
    [
        f"/runs?sweep={2**63}",
        f"/runs?sweep=-{2**64}",
        f"/runs?before={2**63}",
        "/runs?project=%00",
        "/runs?status=a%00",
    ],
)
def test_what_no_database_can_compare_is_refused(script: Api, query: str) -> None:
    assert "detail" in script.get(query, status=422)


def test_listing_runs_costs_the_same_for_any_number(
    script: Api, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for number, queries in ((1, 4), (8, 3)):  # the token, its use once a minute, the page, its runs
        for _ in range(number):
            build_run()
        with django_assert_num_queries(queries):
            script.get("/runs")


@pytest.mark.django_db(transaction=True)  # each statement stands for itself, as in the service
def test_a_database_that_cannot_be_written_to_can_be_read(script: Api) -> None:
    def refuse_writes(execute: Any, sql: str, *arguments: Any) -> Any:
        if sql.startswith("UPDATE"):
            raise OperationalError("database or disk is full")
        return execute(sql, *arguments)

    run = build_run()
    with connection.execute_wrapper(refuse_writes):
        assert script.get(f"/runs/{run.pk}")["id"] == run.pk


def test_a_series_with_values_that_are_not_finite_is_json(script: Api) -> None:
    run = build_running_run()
    build_series(run, "train_loss", [0.5, math.nan, math.inf, -math.inf, 0.1 + 0.2])
    (series,) = script.get(f"/runs/{run.pk}/series?metric=train_loss")
    assert series == {
        "metric": "train_loss",
        "layer": None,
        "steps": [1, 2, 3, 4, 5],
        "values": [0.5, "NaN", "Infinity", "-Infinity", 0.1 + 0.2],
    }


def test_a_series_is_read_from_a_step_on(script: Api) -> None:
    run = build_running_run()
    build_series(run, "train_loss", [0.0, 1.0, 2.0, 3.0])
    (series,) = script.get(f"/runs/{run.pk}/series?metric=train_loss&after=2")
    assert (series["steps"], series["values"]) == ([3, 4], [2.0, 3.0])


def test_more_points_than_an_answer_holds_are_refused_with_the_way_to_them(
    script: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(windows, "MAX_POINTS", 5)
    run = build_running_run()
    for layer in range(2):
        extend_series(build_series(run, "norm", [0.0] * 4, layer=layer, chunk_sizes=[1, 1, 1]), [1.0])
    path = f"/runs/{run.pk}/series?metric=norm"
    assert script.get(path, 422)["detail"] == (
        "expected at most 5 points of 'norm' at a time, got more; ask for those after a later step, for a "
        f"window with GET /api/series, or for all of them with GET /r/{run.pk}/points.csv"
    )
    script.get(f"{path}&after=2", 422)
    found = script.get(f"{path}&after=3")
    assert [(series["layer"], series["steps"]) for series in found] == [(0, [4, 5]), (1, [4, 5])]
    assert [series["steps"] for series in script.get(f"{path}&after=5")] == [[], []]


def test_a_series_that_is_asked_for_whole_begins_before_the_first_update(script: Api) -> None:
    run = build_running_run()
    build_series(run, "val_loss", [3.0, 2.0], steps=[0, 1])
    (series,) = script.get(f"/runs/{run.pk}/series?metric=val_loss")
    assert (series["steps"], series["values"]) == ([0, 1], [3.0, 2.0])


def test_a_metric_of_layers_has_a_series_for_each(script: Api) -> None:
    run = build_running_run()
    for layer in range(3):
        build_series(run, "gradient_rms", [float(layer)], layer=layer)
    found = script.get(f"/runs/{run.pk}/series?metric=gradient_rms")
    assert [(series["layer"], series["values"]) for series in found] == [(0, [0.0]), (1, [1.0]), (2, [2.0])]
    assert script.get(f"/runs/{run.pk}/series?metric=none") == []


def test_the_alerts_of_a_run_are_told(script: Api) -> None:
    run = build_running_run()
    build_alert(run)
    (alert,) = script.get(f"/runs/{run.pk}/alerts")
    assert (alert["check"], alert["severity"], alert["layers"]) == ("vanishing", "warning", ["hidden 1"])
    assert alert["advice"][0]["code"] == "A1"


def test_a_waiting_run_is_stopped_at_once_and_a_running_one_is_asked(script: Api) -> None:
    assert script.post(f"/runs/{build_run().pk}/stop")["status"] == "cancelled"
    running = build_running_run()
    assert script.post(f"/runs/{running.pk}/stop")["status"] == "running"
    running.refresh_from_db()
    assert running.cancel_requested


def test_a_run_that_is_over_stays_as_it_is(script: Api) -> None:
    assert script.post(f"/runs/{build_finished_run().pk}/stop")["status"] == "finished"


def test_a_clone_is_a_new_run(script: Api) -> None:
    run = build_finished_run()
    answer = script.post(f"/runs/{run.pk}/clone", status=201)
    assert answer["id"] != run.pk
    assert (answer["config"], answer["status"]) == (run.config, "queued")


def test_a_clone_that_is_no_longer_possible_answers_422(script: Api) -> None:
    run = build_run(data={"dataset": "gone.csv"})
    answer = script.post(f"/runs/{run.pk}/clone", status=422)
    assert "no file 'gone.csv'" in answer["errors"]["dataset"][0]


def test_the_document_names_the_keys_of_a_submission(client: Client) -> None:
    assert client.get("/api/openapi.json").status_code == 302  # the document is for people who are signed in
    client.force_login(build_user())
    document = client.get("/api/openapi.json").json()
    schema = document["paths"]["/api/sweeps"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    assert set(schema["properties"]) == {
        "project",
        "name",
        "data",
        "training",
        "grid",
        "search",
        "seeds",
        "job",
    }
    assert client.get("/api/docs").status_code == 404  # its scripts would come from elsewhere


def test_a_permission_is_believed_for_a_moment_only(script: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    script.post("/sweeps", build_submission(), status=201)
    User.objects.get().user_permissions.clear()
    monkeypatch.setattr(access, "_granted", dict.fromkeys(access._granted, 0.0))  # the moment is over
    script.post("/sweeps", build_submission(), status=403)


def test_few_permissions_are_remembered(script: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(access, "_granted", {})
    monkeypatch.setattr(access, "MAX_REMEMBERED", 1)
    for _ in range(2):
        Api(User.objects.get()).post("/sweeps", build_submission(), status=201)
    assert len(access._granted) == 1
