"""The comparison as JSON: the same groups as on the page, for the same address."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries

from runs.models import Run, Sweep
from runs.reading import comparison as reading
from runs.store.metrics import MetricState, write_metrics
from tests.runs import builders

pytestmark = pytest.mark.django_db


@pytest.fixture
def reader(client: Client) -> Client:
    client.force_login(builders.build_user())
    return client


@pytest.fixture
def sweep() -> Sweep:
    """Two depths of two seeds; one run diverged."""
    sweep = builders.build_sweep(builders.build_project(slug="p"))
    for depth in (1, 2):
        for seed in (0, 1):
            diverged = (depth, seed) == (2, 1)
            build(sweep, depth, seed, "NaN" if diverged else 0.9 - depth / 10 + seed / 100, diverged=diverged)
    return sweep


def build(sweep: Sweep, depth: int, seed: int, value: float | str, *, diverged: bool) -> Run:
    summary: dict[str, Any] = {"val_accuracy": value, "test_accuracy": 0.5 + seed / 10}
    run = builders.build_finished_run(
        sweep, training={"hidden_units": (8,) * depth, "seed": seed}, summary=summary,
        stop_reason="diverged" if diverged else "end",
    )  # fmt: skip
    write_metrics(run.pk, run.project_id, {name: MetricState(0.5, 0.5, 0.5) for name in summary})
    return run


def get(client: Client, query: str = "", status: int = 200) -> Any:
    answer = client.get(f"/api/projects/p/comparison?{query}")
    assert answer.status_code == status, answer.content
    return json.loads(answer.content)


def test_the_groups_are_those_of_the_page(reader: Client, sweep: Sweep) -> None:
    told = get(reader, f"sweep={sweep.pk}&smooth=0.5&tab=grid")
    page = reader.get(f"{reverse('compare', args=['p'])}{told['address']}").context["comparison"]
    assert [group["key"] for group in told["groups"]] == [group.key for group in page.groups]
    best, worst = told["groups"]
    interval = page.groups[0].interval
    assert best["value"] == {name: pytest.approx(value) for name, value in vars(interval).items()}
    assert best["levels"]["depth"] == 1
    assert best["best"]["value"] == pytest.approx(0.81)
    assert best["test"]["mean"] == pytest.approx(0.55)
    assert (worst["diverged"], worst["value"]["low"], len(worst["runs"])) == (1, None, 2)
    assert (told["metric"], told["test_metric"], told["higher_is_better"]) == (
        "val_accuracy",
        "test_accuracy",
        True,
    )
    assert (told["runs_total"], told["groups_total"]) == (4, 2)


def test_effects_come_where_they_are_asked_for(reader: Client, sweep: Sweep) -> None:
    plain = {factor["name"]: factor for factor in get(reader)["factors"]}
    assert (plain["depth"]["levels"], plain["depth"]["effects"]) == ([1, 2], None)
    factors = {factor["name"]: factor for factor in get(reader, "effects=true")["factors"]}
    first, second = factors["depth"]["effects"]
    assert (first["mean"], first["n"]) == (pytest.approx(0.8), 1)
    assert (second["mean"], second["diverged"]) == (pytest.approx(0.7), 1)
    assert factors["width"]["effects"] is None
    assert first["plain"] is not None
    assert factors["depth"]["confounded"] == ""


def test_a_part_of_the_groups_can_be_asked_for(reader: Client, sweep: Sweep) -> None:
    whole = get(reader)["groups"]
    assert [group["test"] is None for group in whole] == [False, True]  # the test of what was chosen
    assert all(group["test"] for group in get(reader, "tests=all")["groups"])
    assert get(reader, "skip=1&limit=1")["groups"] == whole[1:]


def test_what_the_page_would_warn_of_is_refused(reader: Client, sweep: Sweep) -> None:
    assert "is not a field of runs" in str(get(reader, "colour=red", 422))
    assert "None of these runs has the metric" in str(get(reader, "metric=loss", 422))
    assert reader.get("/api/projects/nowhere/comparison").status_code == 404


def test_no_runs_are_an_empty_answer_and_too_many_are_refused(
    reader: Client, sweep: Sweep, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert get(reader, "q=nothing")["groups"] == []
    monkeypatch.setattr(reading, "MAX_RUNS", 3)
    assert "4 runs match" in str(get(reader, status=422))


def test_the_answer_takes_as_many_queries_for_many_groups(
    reader: Client, sweep: Sweep, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    for depth in range(3, 20):
        build(sweep, depth, 0, 0.5, diverged=False)
    with django_assert_max_num_queries(11):
        get(reader, "effects=true")


def test_the_document_tells_it(reader: Client) -> None:
    paths = reader.get("/api/openapi.json").json()["paths"]
    assert "/api/projects/{slug}/comparison" in paths
