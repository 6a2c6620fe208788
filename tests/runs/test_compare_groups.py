"""The list of a comparison's groups: its pages, its order, and what stands about test rows."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries

from nnlab.stats.intervals import mean_interval
from runs.models import Project, Run, Sweep
from runs.pages.comparing import groups
from runs.store.metrics import MetricState, write_metrics
from tests.runs import builders

pytestmark = pytest.mark.django_db


@pytest.fixture
def reader(client: Client) -> Client:
    client.force_login(builders.build_user())
    return client


def build_scored(sweep: Sweep, seed: int = 0, *, depth: int = 1, **fields: Any) -> Run:
    summary: dict[str, Any] = fields.pop("summary")
    training = {"hidden_units": (8,) * depth, "seed": seed}
    run = builders.build_finished_run(sweep, training=training, summary=summary, **fields)
    numbers = {name: value if isinstance(value, float) else None for name, value in summary.items()}
    states = {name: MetricState(value, value, value) for name, value in numbers.items()}
    write_metrics(run.pk, run.project_id, states)
    return run


def context_of(client: Client, project: Project, **parameters: Any) -> Any:
    answer = client.get(reverse("compare", args=[project.slug]), parameters)
    assert answer.status_code == 200
    return answer.context


def test_a_group_is_the_same_on_whichever_page_it_stands(
    reader: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    sweep = builders.build_sweep()
    for depth in range(1, 6):
        for seed in (0, 1):
            build_scored(sweep, seed, depth=depth, summary={"val_accuracy": 0.9 - depth / 100 + seed / 1000})
    whole = {row.group.key: row.group.interval for row in context_of(reader, sweep.project)["groups"].rows}
    monkeypatch.setattr(groups, "PAGE", 2)
    pages = [context_of(reader, sweep.project, page=page)["groups"] for page in (1, 2, 3)]
    assert {row.group.key: row.group.interval for page in pages for row in page.rows} == whole
    assert [(page.first, page.last, page.total) for page in pages] == [(1, 2, 5), (3, 4, 5), (5, 5, 5)]
    assert (pages[0].previous, pages[2].next) == ("", "")
    assert pages[0].next == "?page=2#groups"
    beyond = context_of(reader, sweep.project, page=9)
    assert beyond["groups"].first == 1
    assert "page=9" in beyond["warnings"][0]


def test_a_group_of_which_most_runs_diverged_comes_after_the_others(reader: Client) -> None:
    sweep = builders.build_sweep()
    build_scored(sweep, 0, depth=1, summary={"val_accuracy": 0.99})
    for seed in (1, 2):
        build_scored(sweep, seed, depth=1, summary={"val_accuracy": "NaN"}, stop_reason="diverged")
    build_scored(sweep, 0, depth=2, summary={"val_accuracy": 0.5})
    rows = context_of(reader, sweep.project)["groups"].rows
    assert [row.group.label for row in rows] == ["depth 2", "depth 1"]
    assert rows[1].group.diverged == 2


def test_a_test_metric_has_a_column_of_its_own_and_chooses_nothing(reader: Client) -> None:
    sweep = builders.build_sweep()
    for seed, (val, test) in enumerate([(0.9, 0.6), (0.8, 0.7)]):
        build_scored(sweep, seed, depth=1, summary={"val_accuracy": val, "test_accuracy": test})
    build_scored(sweep, 0, depth=2, summary={"val_accuracy": 0.7, "test_accuracy": 0.99})
    context = context_of(reader, sweep.project)
    first = context["groups"].rows[0]
    assert (first.group.label, first.test) == ("depth 1", mean_interval([0.6, 0.7]))
    assert context["groups"].rows[1].test is None  # the best of many tests would be too good
    text = reader.get(reverse("compare", args=[sweep.project.slug])).content.decode()
    assert "Test accuracy is for one last look at what was chosen, never for choosing." in text
    assert context["warnings"] == []


def test_tests_of_all_groups_are_shown_to_who_asks_and_warned_of(reader: Client) -> None:
    sweep = builders.build_sweep()
    for depth, test in ((1, 0.6), (2, 0.7)):
        build_scored(sweep, 0, depth=depth, summary={"val_accuracy": depth / 10, "test_accuracy": test})
    page = context_of(reader, sweep.project)["groups"]
    assert "tests=all" in page.tests
    context = context_of(reader, sweep.project, tests="all")
    assert [row.test.mean for row in context["groups"].rows] == [0.7, 0.6]
    [warning] = context["warnings"]
    assert warning.startswith("Tests of all groups are shown")
    assert "tests" not in context["groups"].tests
    [warning] = context_of(reader, sweep.project, tests="many")["warnings"]
    assert warning == "tests=many: expected “all”; the test of the best group is shown."


@pytest.mark.parametrize(
    "address", ["?sort=-metric.test_accuracy", "?group=config&sort=metric.test_accuracy.max"]
)
def test_sorting_the_runs_table_by_a_test_metric_is_warned_of(reader: Client, address: str) -> None:
    run = build_scored(builders.build_sweep(), 0, summary={"val_accuracy": 0.9, "test_accuracy": 0.8})
    write_metrics(run.pk, run.project_id, {"test_accuracy": MetricState(0.8, 0.8, 0.8)})
    text = reader.get(f"{run.project.get_absolute_url()}{address}").content.decode()
    assert "by test accuracy, of the test rows: whoever chooses by them has no honest estimate left" in text
    assert "of the test rows" not in reader.get(f"{run.project.get_absolute_url()}").content.decode()


def test_ranking_by_a_test_metric_is_labelled(reader: Client) -> None:
    sweep = builders.build_sweep()
    for depth, test in ((1, 0.6), (2, 0.7)):
        build_scored(sweep, 0, depth=depth, summary={"val_accuracy": 0.9, "test_accuracy": test})
    context = context_of(reader, sweep.project, metric="test_accuracy")
    assert [row.group.label for row in context["groups"].rows] == ["depth 2", "depth 1"]
    [warning] = context["warnings"]
    assert warning.startswith("Groups are ranked by test accuracy, of the test rows")
    assert context["comparison"].test == ""


def test_a_group_is_hidden_and_drawn_again_by_a_link(reader: Client) -> None:
    sweep = builders.build_sweep()
    for depth in (1, 2):
        build_scored(sweep, 0, depth=depth, summary={"val_accuracy": 0.9 - depth / 10})
    first = context_of(reader, sweep.project)["groups"].rows[0]
    answer = reader.get(f"{reverse('compare', args=[sweep.project.slug])}{first.toggle}")
    row = answer.context["groups"].rows[0]
    assert (row.group.key, row.hidden, row.toggle) == (first.group.key, True, "?")
    assert answer.context["comparison"].groups[0].interval == first.group.interval


def test_many_groups_take_as_many_queries_as_few(
    reader: Client, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    sweep = builders.build_sweep()
    for depth in range(1, 31):
        build_scored(sweep, 0, depth=depth, summary={"val_accuracy": depth / 100, "test_accuracy": 0.5})
    for tab, queries in {"curves": 15, "factors": 14, "grid": 13}.items():
        with django_assert_max_num_queries(queries):
            context_of(reader, sweep.project, tab=tab)


@pytest.mark.parametrize("tab", ["curves", "factors", "grid"])
def test_a_comparison_of_little_is_a_useful_page(reader: Client, tab: str) -> None:
    project = builders.build_project()
    sweep = builders.build_sweep(project)
    assert "No run to compare" in page_text(reader, project, tab)
    run = build_scored(sweep, 0, summary={"val_accuracy": 0.9})
    builders.build_series(run, "val_accuracy", [0.9])  # one point
    assert "1 run in 1 group" in page_text(reader, project, tab)
    other = build_scored(sweep, 0, depth=2, summary={"train_loss": "NaN"})  # no metric in common, only NaN
    builders.build_series(other, "train_loss", [float("nan")] * 3)
    assert "2 runs in 2 groups" in page_text(reader, project, tab)
    assert "None of these runs has the metric" in page_text(reader, project, tab, metric="<script>")
    assert "2 runs in 2 groups" in page_text(reader, project, tab, metric="train_loss")


def test_metrics_of_only_nan_say_so(reader: Client) -> None:
    run = build_scored(builders.build_sweep(), 0, summary={"val_accuracy": "NaN"})
    builders.build_series(run, "val_accuracy", [float("nan")] * 3)
    context = context_of(reader, run.project)
    assert context["curves"][0].empty == "No finite value so far: every point is NaN or infinite."


def page_text(client: Client, project: Project, tab: str, **parameters: str) -> str:
    answer = client.get(reverse("compare", args=[project.slug]), {"tab": tab, **parameters})
    assert answer.status_code == 200
    return " ".join(answer.content.decode().split())


def test_seeds_that_are_all_alike_have_no_interval(reader: Client) -> None:
    sweep = builders.build_sweep()
    for seed in range(3):
        build_scored(sweep, seed, summary={"val_accuracy": 0.1})
    page = reader.get(sweep.get_absolute_url()).content.decode()
    assert "all seeds alike" in page
    assert "all 3 seeds alike: no interval" in page
    assert "10.0 % to 10.0 %" not in page
