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
