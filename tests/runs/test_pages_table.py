"""The page of the runs table: its pages, columns and filters of metrics."""

from __future__ import annotations

from http import HTTPStatus

import pytest
from django.test import Client

from runs.models import Project
from runs.store.metrics import MetricState, write_metrics
from runs.store.params import write_params_of
from tests.runs import builders

pytestmark = pytest.mark.django_db


@pytest.fixture
def reader(client: Client) -> Client:
    client.force_login(builders.build_user("submit_sweep"))
    return client


@pytest.fixture
def project() -> Project:
    project = builders.build_project()
    runs = [builders.build_finished_run(project=project, name=f"run {number}") for number in range(3)]
    write_params_of(runs)
    for number, run in enumerate(runs):
        write_metrics(
            run.pk, project.pk, {"spread": MetricState(number / 4, 0, 1), "a,b": MetricState(7, 7, 7)}
        )
    return project


def text_of(client: Client, project: Project, query: str = "") -> str:
    answer = client.get(f"{project.get_absolute_url()}?{query}")
    assert answer.status_code == HTTPStatus.OK
    return answer.content.decode()


def test_a_column_of_a_metric_is_shown_and_sorts(reader: Client, project: Project) -> None:
    text = text_of(reader, project, "columns=metric.spread,param.training.batch_size&sort=-metric.spread")
    assert 'aria-sort="descending"><a href="?sort=metric.spread&amp;columns=' in text
    assert "training.batch_size</th>" in text
    assert '<td class="number">0.5000</td>' in text
    assert text.index("run 2</a>") < text.index("run 1</a>") < text.index("run 0</a>")
    assert '<input type="hidden" name="columns" value="metric.spread">' in text
    assert "{#" not in text


def test_a_metric_with_a_comma_in_its_name_can_be_ticked(reader: Client, project: Project) -> None:
    assert 'value="&quot;metric.a,b&quot;">metric.a,b</label>' in text_of(reader, project)
    assert '<td class="number">7.000</td>' in text_of(reader, project, "columns=%22metric.a,b%22")


def test_a_filter_of_a_metric_is_a_chip_that_can_be_removed(reader: Client, project: Project) -> None:
    text = text_of(reader, project, "where=metric.spread%3D0.2..&status=finished")
    assert "metric.spread: 0.2.." in text
    assert 'href="?status=finished" aria-label="Remove the filter metric.spread"' in text
    assert "1 to 2 of 2 runs" in text


def test_the_pages_are_linked_both_ways(
    reader: Client, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("runs.reading.table_rows.PAGE_SIZE", 1)
    first = reader.get(project.get_absolute_url(), {"sort": "metric.spread"})
    assert not first.context["previous"]
    second = reader.get(project.get_absolute_url() + first.context["next"])
    assert "2 to 2 of 3 runs" in second.content.decode()
    assert (
        reader.get(project.get_absolute_url() + second.context["previous"]).context["rows"]
        == first.context["rows"]
    )


def test_a_place_beyond_the_last_run_leads_back(reader: Client, project: Project) -> None:
    text = text_of(reader, project, "after=99~1~1")
    assert "No runs beyond this place" in text


def test_a_column_of_a_metric_is_written_as_on_other_pages(reader: Client) -> None:
    run = builders.build_finished_run(info={"target_unit": "USD"})
    shares = {"test_accuracy": MetricState(0.97, 0, 1), "test_rmse": MetricState(61_000.0, 0, 1)}
    write_metrics(run.pk, run.project_id, shares)
    text = text_of(reader, run.project, "columns=metric.test_accuracy,metric.test_rmse")
    assert "97.0 %" in text
    assert "61.0k USD" in text


def test_added_columns_can_be_moved_and_removed(reader: Client, project: Project) -> None:
    text = text_of(reader, project, "columns=metric.spread.max,param.training.batch_size,metric.spread")
    for columns, label in {
        "param.training.batch_size,metric.spread.max,metric.spread": "Move metric.spread.max to the right",
        "metric.spread.max,metric.spread,param.training.batch_size": "Move metric.spread to the left",
        "metric.spread.max,metric.spread": "Remove the column param.training.batch_size",
    }.items():
        assert f'href="?columns={columns}" aria-label="{label}"' in text
    assert "Move metric.spread to the right" not in text


def test_a_best_value_is_shown_with_its_step(reader: Client, project: Project) -> None:
    run = builders.build_finished_run(project=project, name="best")
    builders.build_series(run, "val_accuracy", [0.1, 0.8, 0.5], steps=[0, 20, 40])
    builders.build_series(run, "val_loss", [2.0, 0.25, 0.5], steps=[0, 10, 40])
    text = text_of(reader, project, "columns=metric.val_accuracy.best,metric.val_loss.best&q=best")
    assert '80.0 % <span class="muted">@ 20</span>' in text
    assert '0.2500 <span class="muted">@ 10</span>' in text
    best = reader.get(project.get_absolute_url(), {"sort": "-metric.val_loss.best"}).context["rows"]
    assert best[0].run == run
