"""Saved views: kept in canonical form, under a name or behind a short link, for every page."""

from __future__ import annotations

from datetime import timedelta
from http import HTTPStatus
from typing import Any

import pytest
from django.http import HttpResponse
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from runs import keeping
from runs.models import Project, Run, SavedView
from runs.store.metrics import MetricState, write_metrics
from tests.runs import builders

pytestmark = pytest.mark.django_db


@pytest.fixture
def reader(client: Client) -> Client:
    client.force_login(builders.build_user("submit_sweep"))
    return client


@pytest.fixture
def project() -> Project:
    project = builders.build_project()
    for number in range(3):
        run = builders.build_finished_run(project=project, name=f"run {number}")
        write_metrics(run.pk, project.pk, {"spread": MetricState(number / 4, 0, 1)})
    return project


def build_link(days: int, **fields: Any) -> SavedView:
    """A short link that was used last so many days ago."""
    return SavedView.objects.create(
        path="/queue/", query=f"days={days}", opened_at=timezone.now() - timedelta(days=days), **fields
    )


def test_a_short_link_goes_when_nobody_has_used_it_for_a_year() -> None:
    named, fresh, _ = build_link(366, name="mine"), build_link(364), build_link(366)
    keeping.sweep(1.0)
    assert set(SavedView.objects.all()) == {named, fresh}


def test_a_short_link_that_is_asked_for_again_is_in_use(reader: Client) -> None:
    link = build_link(366)
    reader.post(reverse("view-save"), {"path": link.path, "query": link.query})
    keeping.sweep(1.0)
    assert SavedView.objects.get() == link


def text_of(client: Client, project: Project, query: str = "") -> str:
    answer = client.get(f"{project.get_absolute_url()}?{query}")
    assert answer.status_code == HTTPStatus.OK
    return answer.content.decode()


def save(client: Client, path: str, query: str = "", **values: Any) -> HttpResponse:
    values = {"path": path, "query": query, **values}
    return client.post(reverse("view-save"), values, follow=True)  # type: ignore[return-value]


def delete(client: Client, project: Project, view: SavedView) -> HttpResponse:
    address = reverse("view-delete", args=[project.slug])
    return client.post(address, {"view": view.pk}, follow=True)  # type: ignore[return-value]


def test_a_table_is_saved_in_canonical_form_listed_and_deleted(reader: Client, project: Project) -> None:
    query = "columns=metric.spread&sort=-metric.spread&metric.spread=0.2..&after=1~2~0.5&odd=1"
    answer = save(reader, project.get_absolute_url(), query, name=" Spread ")
    assert "This view is saved as “Spread”." in answer.content.decode()
    saved = SavedView.objects.get()
    assert saved.query == "metric.spread=0.2..&sort=-metric.spread&columns=metric.spread"
    assert saved.get_absolute_url().replace("&", "&amp;") in text_of(reader, project)
    assert 'aria-current="page">Spread</a>' in text_of(reader, project, saved.query)
    delete(reader, project, saved)
    assert not SavedView.objects.exists()
    assert Run.objects.count() == 3


def test_a_name_that_is_taken_is_replaced_only_on_request(reader: Client, project: Project) -> None:
    path = project.get_absolute_url()
    save(reader, path, "sort=score", name="mine")
    answer = save(reader, path, "sort=run", name="mine")
    assert "There is a view named “mine” already" in answer.content.decode()
    first = SavedView.objects.get(name="mine")
    save(reader, path, "sort=run", name="mine", replace="on")
    assert SavedView.objects.get(name="mine").query == "sort=run"
    followed = reader.get(reverse("view", args=[first.short]))
    assert followed["Location"] == f"{path}?sort=score", "a link leads on to what it meant"


@pytest.mark.parametrize(
    ("name", "query", "message"),
    [
        ("x", "", "filter or sort it first"),
        ("x", "odd=1", "filter or sort it first"),
        ("", "sort=run", "Expected a name of 1 to 60 printable characters"),
        ("x" * 61, "sort=run", "Expected a name of 1 to 60 printable characters"),
        ("a\x00b", "sort=run", "Expected a name of 1 to 60 printable characters"),
    ],
)
def test_what_cannot_be_saved_says_why(
    reader: Client, project: Project, name: str, query: str, message: str
) -> None:
    assert message in save(reader, project.get_absolute_url(), query, name=name).content.decode()
    assert not SavedView.objects.exists()


def test_who_may_not_submit_may_share_but_not_name(client: Client, project: Project) -> None:
    view = SavedView.objects.create(project=project, name="ours", path=project.get_absolute_url())
    client.force_login(builders.build_user())
    text = text_of(client, project, "sort=run")
    assert ">ours</a>" in text
    assert "Delete the saved view" not in text
    answer = save(client, project.get_absolute_url(), "sort=run", name="x")
    assert answer.status_code == delete(client, project, view).status_code == HTTPStatus.FORBIDDEN
    assert "A link to this view" in save(client, project.get_absolute_url(), "sort=run").content.decode()


def test_a_view_of_another_project_is_not_deleted(reader: Client, project: Project) -> None:
    other = SavedView.objects.create(project=builders.build_project(), name="theirs", path="/p/x/")
    delete(reader, project, other)
    assert SavedView.objects.get() == other


def test_a_saved_view_that_is_no_longer_understood_warns(reader: Client, project: Project) -> None:
    text = text_of(reader, project, "metric.gone=1&sort=run")
    assert "“metric.gone” is not a metric of this project&#x27;s runs" in text
    assert "1 to 3 of 3 runs" in text


def test_equal_views_of_a_page_have_one_short_link_that_leads_back(reader: Client, project: Project) -> None:
    path = reverse("compare", args=[project.slug])
    answer = save(reader, path, "?y=val_loss&runs=1,2&empty=")
    save(reader, path, "runs=1,2&y=val_loss")
    view = SavedView.objects.get()
    assert f"http://testserver/v/{view.short}/" in answer.content.decode()
    assert reader.get(reverse("view", args=[view.short]))["Location"] == f"{path}?runs=1,2&y=val_loss"


def test_runs_and_alerts_can_be_saved_too(reader: Client, project: Project) -> None:
    run = project.runs.first()
    assert run is not None
    save(reader, run.get_absolute_url(), "measure=dead_share", name="dead")
    save(reader, reverse("alerts"), "state=open", name="to do")
    assert {view.name: view.project for view in SavedView.objects.all()} == {"dead": project, "to do": None}
    assert f'{run.get_absolute_url()}?measure=dead_share">dead' in text_of(reader, project)


def test_following_a_link_notes_when(reader: Client, project: Project) -> None:
    long_ago = timezone.now() - timedelta(days=9)
    view = SavedView.objects.create(path=project.get_absolute_url(), opened_at=long_ago)
    reader.get(reverse("view", args=[view.short]))
    view.refresh_from_db()
    assert view.opened_at > long_ago


@pytest.mark.parametrize(
    "path", ["//evil.example/", "https://evil.example/", "/admin/", "/api/runs", "/nowhere/", "", "/p/\x00/"]
)
def test_only_pages_of_ours_can_be_saved(reader: Client, path: str) -> None:
    assert save(reader, path, "a=1").status_code in {HTTPStatus.BAD_REQUEST, HTTPStatus.NOT_FOUND}
    assert not SavedView.objects.exists()


def test_an_address_beyond_all_bounds_is_refused(reader: Client, project: Project) -> None:
    answer = save(reader, project.get_absolute_url(), f"q={'x' * 20_000}")
    assert answer.status_code == HTTPStatus.BAD_REQUEST


def test_a_link_that_leads_nowhere_is_not_found(reader: Client) -> None:
    assert reader.get(reverse("view", args=["x" * 300])).status_code == HTTPStatus.NOT_FOUND
