"""The API's list of runs: the language of the runs table, page by page."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

import pytest
from django.test import Client

from runs.models import ApiToken, Project, Run
from runs.store.metrics import MetricState, write_metrics
from runs.store.params import write_params_of
from tests.runs import builders

pytestmark = pytest.mark.django_db


@pytest.fixture
def project() -> Project:
    project = builders.build_project(slug="p")
    sweep = builders.build_sweep(project, "all")
    runs = [builders.build_finished_run(sweep, name=str(number)) for number in range(5)]
    write_params_of(runs)
    for number, run in enumerate(runs[:4]):
        write_metrics(run.pk, project.pk, {"spread": MetricState(number / 4, -number, 1)})
    builders.build_run(name="elsewhere")
    builders.build_run(project=project, name="deleted", deleted_at=runs[0].ended_at)
    return project


def get(query: str, status: int = 200) -> Any:
    token = ApiToken.issue(builders.build_user().pk, "test")
    answer = Client(headers={"Authorization": f"Bearer {token}"}).get(f"/api/runs?{query}")
    assert answer.status_code == status, answer.content
    return json.loads(answer.content)


def names(query: str) -> str:
    return "".join(run["name"] for run in get(query)["runs"])


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("project=p", "43210"),
        ("project=p&sort=-metric.spread", "32104"),
        ("project=p&sort=metric.spread.min", "32104"),
        ("project=p&metric.spread=0.5..&sort=metric.spread", "23"),
        ("project=p&param.training.activation=relu&metric.spread.min=!-2..&sort=run", "34"),
        ("project=p&q=3", "3"),
        ("project=p&status=finished&limit=2", "43"),
        ("project=p&columns=metric.spread&limit=1", "4"),
        ("status=queued", "elsewhere"),
        ("sort=run&limit=1", "0"),
    ],
)
def test_the_list_speaks_the_language_of_the_table(project: Project, query: str, expected: str) -> None:
    assert names(query) == expected


@pytest.mark.parametrize("sort", ["-metric.spread", "metric.spread", "run", "-time", "newest"])
def test_pages_follow_each_other_to_the_end(project: Project, sort: str) -> None:
    found, after = "", ""
    for _ in range(3):
        answer = get(f"project=p&sort={sort}&limit=2&after={quote(after)}")
        found += "".join(run["name"] for run in answer["runs"])
        after = answer["next"] or ""
    assert sorted(found) == list("01234")
    assert not after


def test_before_is_the_smallest_id_of_the_page_before(project: Project) -> None:
    run = Run.objects.get(name="2")
    assert names(f"project=p&before={run.pk}") == "10"
    assert "use after instead" in get(f"project=p&before={run.pk}&sort=run", 422)["detail"]


def test_a_run_is_listed_as_it_is_told_alone(project: Project) -> None:
    run = Run.objects.get(name="3")
    listed = next(one for one in get("project=p")["runs"] if one["id"] == run.pk)
    token = ApiToken.issue(builders.build_user().pk, "test")
    alone = Client(headers={"Authorization": f"Bearer {token}"}).get(f"/api/runs/{run.pk}").json()
    moments = ("started_at", "ended_at")
    assert {**listed, **dict.fromkeys(moments)} == {**alone, **dict.fromkeys(moments)}
    assert all(listed[name][:19] == alone[name][:19] for name in moments)


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("project=p&colour=red", "“colour” is not a field of runs"),
        ("project=p&metric.nothing=1", "“metric.nothing” is not a metric of this project's runs"),
        ("project=p&metric.spread=low", "expected a number"),
        ("project=p&sort=colour", "“colour” is not a column to sort by"),
        ("project=p&after=x", "is not a place in this order"),
        ("metric.spread=1", "Metrics and parameters need a project."),
        ("sort=metric.spread", "Metrics and parameters need a project."),
        ("limit=0", ""),
        ("limit=1001", ""),
    ],
)
def test_what_is_not_understood_is_refused(project: Project, query: str, message: str) -> None:
    assert message in str(get(query, 422)["detail"])


def test_a_seed_below_zero_can_be_asked_for(project: Project) -> None:
    Run.objects.filter(name="3").update(seed=-5)
    assert names("project=p&seed=-5") == names("project=p&seed=..-1") == "3"
    assert names("project=p&seed=!-5") == "4210"
    assert "got '--5'" in get("project=p&seed=--5", 422)["detail"]


def post(address: str, status: int = 200, **body: Any) -> Any:
    token = ApiToken.issue(builders.build_user("submit_sweep").pk, "test")
    client = Client(headers={"Authorization": f"Bearer {token}"})
    answer = client.post(f"/api/{address}", body, content_type="application/json")
    assert answer.status_code == status, answer.content
    return json.loads(answer.content)


def test_tags_are_put_on_taken_and_filtered_by(project: Project) -> None:
    runs = {run.name: run.pk for run in project.runs.all()}
    assert post(f"runs/{runs['1']}/tags", add=["old", "first"])["tags"] == ["first", "old"]
    assert post(f"runs/{runs['2']}/tags", add=["old"])["tags"] == ["old"]
    assert names("project=p&tag=old") == "21"
    assert names("project=p&tag=!first,old") == "2"
    assert post(f"runs/{runs['1']}/tags", remove=["old"])["tags"] == ["first"]
    assert get("project=p&tag=first")["runs"][0]["tags"] == ["first"]
    assert "expected tags of at most 40" in post(f"runs/{runs['1']}/tags", 422, add=["!no"])["detail"]


def test_archived_runs_are_listed_only_where_they_are_asked_for(project: Project) -> None:
    run = project.runs.get(name="3")
    assert post(f"runs/{run.pk}/archive")["archived_at"]
    assert names("project=p") == "4210"
    assert names("project=p&archived=1") == names("archived=1") == "3"
    assert names("project=p&archived=0,1&sort=-metric.spread") == "32104"
    assert post(f"runs/{run.pk}/unarchive")["archived_at"] is None
    queued = Run.objects.get(name="elsewhere")
    assert "stop it first" in post(f"runs/{queued.pk}/archive", 409)["detail"]


def test_groups_are_those_of_the_page(project: Project) -> None:
    token = ApiToken.issue(builders.build_user().pk, "test")
    client = Client(headers={"Authorization": f"Bearer {token}"})
    Run.objects.filter(name="4").update(seed=1, score=0.8)
    told = client.get("/api/groups?project=p&group=activation&q=").json()
    [group] = told["groups"]
    assert (told["metric"], told["runs"], group["value"], group["seeds"]) == ("val_accuracy", 5, "relu", 2)
    assert group["mean"] == pytest.approx(0.85)
    assert group["low"] < group["mean"] < group["high"]
    assert client.get("/api/groups?project=p&sort=metric.spread").json()["metric"] == "spread"
    assert client.get("/api/groups?project=p&group=odd").status_code == 422
    assert client.get("/api/groups?project=none").status_code == 404
