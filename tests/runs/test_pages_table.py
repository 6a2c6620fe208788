"""The page of the runs table: its pages, columns, filters of metrics, and saved filters."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

import pytest
from django.http import HttpResponse
from django.test import Client
from django.urls import reverse

from runs.models import Project, Run, SavedFilter
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


def post(client: Client, address: str, project: Project, /, **values: Any) -> HttpResponse:
    return client.post(reverse(address, args=[project.slug]), values, follow=True)  # type: ignore[return-value]


def test_a_column_of_a_metric_is_shown_and_sorts(reader: Client, project: Project) -> None:
    text = text_of(reader, project, "columns=metric.spread,param.training.batch_size&sort=-metric.spread")
    assert 'aria-sort="descending"><a href="?sort=metric.spread&amp;columns=' in text
    assert "training.batch_size</th>" in text
    assert '<td class="number">0.5</td>' in text
    assert text.index("run 2</a>") < text.index("run 1</a>") < text.index("run 0</a>")
    assert 'value="metric.spread" checked>' in text
    assert "{#" not in text


def test_a_metric_with_a_comma_in_its_name_can_be_ticked(reader: Client, project: Project) -> None:
    assert 'value="&quot;metric.a,b&quot;">metric.a,b</label>' in text_of(reader, project)
    assert '<td class="number">7</td>' in text_of(reader, project, "columns=%22metric.a,b%22")


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


def test_a_view_is_saved_in_canonical_form_listed_and_deleted(reader: Client, project: Project) -> None:
    query = "columns=metric.spread&sort=-metric.spread&metric.spread=0.2..&after=1~2~0.5&odd=1"
    answer = post(reader, "filter-save", project, name=" Spread ", query=query)
    assert "This view is saved as “Spread”." in answer.content.decode()
    saved = SavedFilter.objects.get()
    assert saved.query == "metric.spread=0.2..&sort=-metric.spread&columns=metric.spread"
    assert saved.get_absolute_url().replace("&", "&amp;") in text_of(reader, project)
    assert 'aria-current="page">Spread</a>' in text_of(reader, project, saved.query)
    post(reader, "filter-delete", project, filter=saved.pk)
    assert not SavedFilter.objects.exists()
    assert Run.objects.count() == 3


def test_a_name_that_is_taken_is_replaced_only_on_request(reader: Client, project: Project) -> None:
    post(reader, "filter-save", project, name="mine", query="sort=score")
    answer = post(reader, "filter-save", project, name="mine", query="sort=run")
    assert "There is a view named “mine” already" in answer.content.decode()
    assert SavedFilter.objects.get().query == "sort=score"
    post(reader, "filter-save", project, name="mine", query="sort=run", replace="on")
    assert SavedFilter.objects.get().query == "sort=run"


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"name": "x", "query": ""}, "filter or sort it first"),
        ({"name": "x", "query": "odd=1"}, "filter or sort it first"),
        ({"name": "", "query": "sort=run"}, "Expected a name of 1 to 60 printable characters"),
        ({"name": "x" * 61, "query": "sort=run"}, "Expected a name of 1 to 60 printable characters"),
        ({"name": "a\x00b", "query": "sort=run"}, "Expected a name of 1 to 60 printable characters"),
    ],
)
def test_what_cannot_be_saved_says_why(
    reader: Client, project: Project, values: dict[str, str], message: str
) -> None:
    assert message in post(reader, "filter-save", project, **values).content.decode()
    assert not SavedFilter.objects.exists()


def test_who_may_not_submit_may_look_but_not_save(client: Client, project: Project) -> None:
    SavedFilter.objects.create(project=project, name="ours", query="sort=run")
    client.force_login(builders.build_user())
    text = text_of(client, project, "sort=run")
    assert ">ours</a>" in text
    assert "Save this view" not in text
    for address in ("filter-save", "filter-delete"):
        assert (
            post(client, address, project, name="x", query="sort=run", filter=1).status_code
            == HTTPStatus.FORBIDDEN
        )


def test_a_filter_of_another_project_is_not_deleted(reader: Client, project: Project) -> None:
    other = SavedFilter.objects.create(project=builders.build_project(), name="theirs", query="sort=run")
    post(reader, "filter-delete", project, filter=other.pk)
    assert SavedFilter.objects.get() == other


def test_a_saved_filter_that_is_no_longer_understood_warns(reader: Client, project: Project) -> None:
    saved = SavedFilter.objects.create(project=project, name="old", query="metric.gone=1&sort=run")
    text = text_of(reader, project, saved.query)
    assert "“metric.gone” is not a metric of this project&#x27;s runs" in text
    assert "1 to 3 of 3 runs" in text
