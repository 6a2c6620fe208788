"""The runs table in groups: the statistics are of all runs that match, and say what is not in them."""

from __future__ import annotations

from collections.abc import Sequence
from http import HTTPStatus
from statistics import fmean
from typing import Any

import numpy as np
import pytest
from django.http import QueryDict
from django.test import Client
from pytest_django import DjangoAssertNumQueries
from scipy import stats

from nnlab.stats.intervals import Interval, mean_interval
from runs.models import Project, Run, Status
from runs.reading import table
from runs.reading.grouping import SHOWN, groups_of, members_of
from runs.store.metrics import MetricState, write_metrics
from runs.store.params import write_params_of
from tests.runs import builders

pytestmark = pytest.mark.django_db

RELU, TANH = (0.91, 0.93, 0.98), (0.80, 0.84)


@pytest.fixture
def reader(client: Client) -> Client:
    client.force_login(builders.build_user())
    return client


def build(project: Project, activation: str, seed: int, score: float | None, **fields: Any) -> Run:
    training = {"activation": activation, "seed": seed}
    name = f"{activation} seed {seed}"
    return builders.build_finished_run(project=project, training=training, score=score, name=name, **fields)


@pytest.fixture
def project() -> Project:
    project = builders.build_project()
    for seed, score in enumerate(RELU):
        run = build(project, "relu", seed, score)
        write_metrics(run.pk, project.pk, {"loss": MetricState(1 - score, 0.01, 2)})
    for seed, score in enumerate(TANH):
        build(project, "tanh", seed, score)
    build(project, "tanh", 2, 0.5, stop_reason="diverged")
    build(project, "tanh", 3, 0.99, status=Status.FAILED)
    build(project, "tanh", 4, 0.99, stop_reason="halved")
    write_params_of(project.runs.all())
    return project


def get(client: Client, project: Project, query: str) -> Any:
    answer = client.get(f"{project.get_absolute_url()}?{query}")
    assert answer.status_code == HTTPStatus.OK
    return answer


def test_a_group_has_the_mean_of_its_seeds_with_the_t_interval(reader: Client, project: Project) -> None:
    [relu, tanh] = get(reader, project, "group=activation").context["group_rows"]
    low, high = stats.t.interval(0.95, 2, loc=stats.tmean(RELU), scale=stats.sem(RELU))
    assert relu.group.interval.mean == pytest.approx(stats.tmean(RELU))
    assert (relu.group.interval.low, relu.group.interval.high) == pytest.approx((low, high))
    assert relu.mean == "94.0 %"
    assert (tanh.group.diverged, tanh.group.without_result, tanh.group.interval.n) == (1, 2, 2)
    assert tanh.first.name == "tanh seed 1"


@pytest.mark.parametrize("group", ["activation", "config", "param.training.activation", "dataset", "seed"])
def test_the_statistics_do_not_depend_on_paging_or_what_is_open(
    reader: Client, project: Project, monkeypatch: pytest.MonkeyPatch, group: str
) -> None:
    def told(query: str) -> list[Any]:
        rows = get(reader, project, f"group={group}{query}").context["group_rows"]
        return [(row.label, row.mean, row.reach, len(row.group.runs)) for row in rows]

    whole = told("")
    monkeypatch.setattr("runs.reading.table_rows.PAGE_SIZE", 1)
    monkeypatch.setattr("runs.pages.table.groups.SHOWN_RUNS", 1)
    assert told("&open=relu") == told("&after=3~1~1") == whole


def test_an_opened_group_lists_its_runs_and_leads_to_them_as_a_table(
    reader: Client, project: Project
) -> None:
    answer = get(reader, project, "group=activation&open=relu&sort=-metric.loss")
    relu = next(row for row in answer.context["group_rows"] if row.key == "relu")
    assert [member.name for member, _ in relu.opened] == ["relu seed 0", "relu seed 1", "relu seed 2"]
    assert relu.runs == "?activation=relu&sort=-metric.loss"
    assert [row.run.name for row in get(reader, project, relu.runs[1:]).context["rows"]] == [
        *("relu seed 0", "relu seed 1", "relu seed 2")
    ]
    assert 'aria-expanded="true"' in answer.content.decode()


@pytest.mark.parametrize(
    "group", [*table.GROUPS, "param.training.learning_rate", "param.training.hidden_units"]
)
def test_every_grouping_leads_to_just_its_runs(reader: Client, project: Project, group: str) -> None:
    rows = get(reader, project, f"group={group}").context["group_rows"]
    assert sum(len(row.group.runs) for row in rows) == 8
    for row in rows:
        members = {member.name for member in members_of(row.group.runs.tolist()).values()}
        assert {shown.run.name for shown in get(reader, project, row.runs[1:]).context["rows"]} == members


def test_a_seed_that_was_run_twice_counts_once(project: Project) -> None:
    build(project, "relu", 0, 0.95)
    query = table.parse_table_query(project, QueryDict("group=config&activation=relu"))
    [relu] = groups_of(project, query).groups
    assert relu.interval is not None
    assert (relu.interval.n, len(relu.runs)) == (3, 4)
    assert relu.interval.mean == pytest.approx((0.93 + 0.93 + 0.98) / 3)


def test_seeds_with_other_configurations_are_said_to_be_uneven(reader: Client, project: Project) -> None:
    text = get(reader, project, "group=dataset").content.decode()
    assert "uneven" in text
    assert "uneven" not in get(reader, project, "group=activation").content.decode()


def test_a_group_of_one_seed_has_no_interval(reader: Client, project: Project) -> None:
    assert "one seed: no interval" in get(reader, project, "group=config&seed=0").content.decode()


def test_archived_and_filtered_runs_are_in_no_group(reader: Client, project: Project) -> None:
    Run.objects.filter(name="relu seed 0").update(archived_at=Run.objects.first().ended_at)  # type: ignore[union-attr]
    [row] = get(reader, project, "group=activation&activation=relu").context["group_rows"]
    assert len(row.group.runs) == 2


def test_very_many_groups_are_counted_and_the_best_shown(reader: Client, project: Project) -> None:
    for number in range(SHOWN):
        build(project, "relu", 100 + number, 0.5)
    answer = get(reader, project, "group=seed")
    assert len(answer.context["group_rows"]) == SHOWN
    assert answer.context["groups"].number == SHOWN + 5


@pytest.mark.parametrize("group", ["odd", "metric.loss", "param.no", "%00", "x" * 999])
def test_what_runs_cannot_be_grouped_by_is_told(reader: Client, project: Project, group: str) -> None:
    answer = get(reader, project, f"group={group}")
    assert "is not a column or parameter to group by" in answer.content.decode()
    assert len(answer.context["rows"]) == 8


def test_a_project_without_runs_can_be_grouped(reader: Client) -> None:
    assert "No runs" in get(reader, builders.build_project(), "group=config").content.decode()


def test_groups_cost_a_fixed_number_of_queries(
    reader: Client, project: Project, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    with django_assert_max_num_queries(13):
        get(reader, project, "group=config")


def one_by_one(runs: Sequence[Run]) -> Interval | None:
    """Average as the guide says it: the runs of a configuration, the configurations of a seed, the seeds."""
    seeds: dict[object, dict[str, list[float]]] = {}
    for run in runs:
        whole = run.status == Status.FINISHED and run.stop_reason == "end"
        if whole and run.headline == "val_accuracy" and run.score is not None:
            seed = ("run", run.pk) if run.seed is None else run.seed
            seeds.setdefault(seed, {}).setdefault(run.group, []).append(run.score)
    means = [fmean(fmean(same) for same in configs.values()) for configs in seeds.values()]
    return mean_interval(means) if means else None


@pytest.mark.parametrize("group", ["activation", "config", "depth", "param.training.activation", "status"])
def test_groups_are_those_of_their_definition(group: str) -> None:
    rng, project = np.random.default_rng(5), builders.build_project()
    for _ in range(60):
        activation, depth, seed = (
            str(rng.choice(["relu", "tanh"])),
            int(rng.integers(1, 3)),
            int(rng.integers(3)),
        )
        run = build(project, activation, seed, float(rng.normal()))
        reason = str(rng.choice(["end", "end", "end", "diverged", "halved"]))
        other = {"seed": None} if rng.random() < 0.2 else {}
        Run.objects.filter(pk=run.pk).update(
            depth=depth,
            stop_reason=reason,
            headline="val_loss" if rng.random() < 0.1 else "val_accuracy",
            **other,
        )
    Run.objects.filter(pk=run.pk).update(score=1e308)  # no number to reckon with, and no error either
    write_params_of(project.runs.all())
    found = groups_of(project, table.parse_table_query(project, QueryDict(f"group={group}")))
    column = {"config": "group", "param.training.activation": "activation"}.get(group, group)
    for one in found.groups:
        runs = list(project.runs.filter(**{column: one.value}).exclude(pk=run.pk))
        expected = one_by_one(runs)
        assert set(one.runs.tolist()) - {run.pk} == {same.pk for same in runs}
        assert (one.interval is None) == (expected is None)
        if one.interval is not None and expected is not None:
            assert one.interval.n == expected.n
            for end in ("mean", "sd", "low", "high"):
                assert getattr(one.interval, end) == pytest.approx(getattr(expected, end), rel=1e-12)
    ranks = [-one.interval.mean if one.interval else np.inf for one in found.groups]
    assert ranks == sorted(ranks)
