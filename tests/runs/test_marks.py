"""Tags, the archive and the pinned baseline: what they change, what they hide, and how they are undone."""

from __future__ import annotations

import csv
import re
from http import HTTPStatus
from io import StringIO
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from runs.models import Project, Run, RunTag, SavedView, Status
from runs.store import marks
from runs.store.metrics import MetricState, write_metrics
from tests.runs import builders

pytestmark = pytest.mark.django_db


@pytest.fixture
def reader(client: Client) -> Client:
    client.force_login(builders.build_user("submit_sweep", "stop_run"))
    return client


@pytest.fixture
def project() -> Project:
    project = builders.build_project()
    for number in range(4):
        run = builders.build_finished_run(project=project, name=f"r{number}", score=0.9 + number / 100)
        write_metrics(run.pk, project.pk, {"loss": MetricState(1.0 - number / 10, 0.1, 2)})
    return project


def run_of(project: Project, name: str) -> Run:
    return project.runs.get(name=name)


def names(client: Client, project: Project, query: str = "") -> list[str]:
    answer = client.get(f"{project.get_absolute_url()}?{query}")
    assert answer.status_code == HTTPStatus.OK
    return [row.run.name for row in answer.context["rows"]]


def act(client: Client, project: Project, action: str, *runs: str, **values: Any) -> Any:
    values = {"action": action, "runs": [run_of(project, name).pk for name in runs], **values}
    address = reverse("runs-selected", args=[project.slug])
    return client.post(address, values, follow=True)


def undo(client: Client, project: Project, answer: Any) -> Any:
    """Send the form of the message just as the page has it."""
    form = re.search(
        r'<li class="message message--success">\s*<form.*?</form>', answer.content.decode(), re.DOTALL
    )
    assert form is not None
    fields = dict(re.findall(r'name="(\w+)" value="([^"]*)"', form[0]))
    address = reverse("runs-selected", args=[project.slug])
    return client.post(address, fields, follow=True)


def test_tags_are_shown_and_filter(reader: Client, project: Project) -> None:
    answer = act(reader, project, "tag", "r0", "r1", tags=" old, first try,old")
    assert "2 runs tagged old, first try." in answer.content.decode()
    act(reader, project, "tag", "r2", tags="new")
    assert names(reader, project, "tag=old,new&sort=run") == ["r0", "r1", "r2"]
    assert names(reader, project, "tag=!old&sort=run") == ["r2", "r3"]
    assert names(reader, project, "tag=old,!new&metric.loss=..0.95") == ["r1"]
    assert '<span class="badge">first try</span>' in answer.content.decode()
    assert names(reader, project, "tag=nothing") == []


def test_a_tag_can_be_undone_and_only_where_it_was_put(reader: Client, project: Project) -> None:
    act(reader, project, "tag", "r0", tags="old")
    answer = act(reader, project, "tag", "r0", "r1", tags="old")
    assert "1 run tagged old." in answer.content.decode()
    undo(reader, project, answer)
    assert names(reader, project, "tag=old") == ["r0"]
    undo(reader, project, act(reader, project, "untag", "r0", tags="old"))
    assert names(reader, project, "tag=old") == ["r0"]


@pytest.mark.parametrize(
    "tags", ["", " , ", "!x", "a..b", '"a"', "x" * 41, "a\x00b", ",".join("abcdefghijklmnopqrstu")]
)
def test_what_cannot_be_a_tag_is_refused(reader: Client, project: Project, tags: str) -> None:
    assert "Nothing was changed: expected" in act(reader, project, "tag", "r0", tags=tags).content.decode()
    assert not RunTag.objects.exists()


def test_a_run_has_at_most_twenty_tags(project: Project) -> None:
    runs = project.runs.filter(name="r0")
    marks.tag(runs, [f"t{number}" for number in range(20)])
    assert marks.tag(runs, ["one more"]) == []
    assert RunTag.objects.count() == marks.MAX_TAGS


def test_archived_runs_are_out_of_the_way_but_not_gone(reader: Client, project: Project) -> None:
    answer = act(reader, project, "archive", "r0", "r1")
    assert "2 runs archived" in answer.content.decode()
    assert names(reader, project, "sort=run") == ["r2", "r3"]
    assert names(reader, project, "sort=metric.loss") == ["r3", "r2"]
    assert "1 to 2 of 2 runs" in reader.get(project.get_absolute_url()).content.decode()
    assert names(reader, project, "archived=1&sort=metric.loss") == ["r1", "r0"]
    assert names(reader, project, "archived=0,1&sort=run") == ["r0", "r1", "r2", "r3"]
    compared = reader.get(reverse("compare", args=[project.slug]))
    assert compared.context["selection"].matching == 2
    named = {"runs": f"{run_of(project, 'r0').pk},{run_of(project, 'r2').pk}"}
    compared = reader.get(reverse("compare", args=[project.slug]), named)
    assert compared.context["selection"].matching == 2, "who names a run means it, archived or not"
    assert reader.get(run_of(project, "r0").get_absolute_url()).status_code == HTTPStatus.OK
    undo(reader, project, answer)
    assert len(names(reader, project)) == 4


def test_a_run_that_trains_is_not_archived(reader: Client, project: Project) -> None:
    builders.build_running_run(project=project, name="busy")
    assert "only runs that are over" in act(reader, project, "archive", "busy").content.decode()
    assert Run.objects.archived().count() == 0


def test_a_run_that_is_tried_again_comes_out_of_the_archive(reader: Client, project: Project) -> None:
    failed = builders.build_finished_run(project=project, name="failed", status=Status.FAILED)
    act(reader, project, "archive", "failed")
    act(reader, project, "retry", "failed")
    failed.refresh_from_db()
    assert (failed.status, failed.archived_at) == (Status.QUEUED, None)


def test_home_counts_no_archived_runs(reader: Client, project: Project) -> None:
    act(reader, project, "archive", "r3")
    [(card, [highlight])] = reader.get(reverse("home")).context["cards"]
    assert card.runs == 3
    assert highlight.best.high == pytest.approx(0.92)


def test_the_pinned_run_stays_on_top_and_the_others_say_how_they_differ(
    reader: Client, project: Project
) -> None:
    pinned = run_of(project, "r1")
    answer = act(reader, project, "", pin=pinned.pk)
    text = answer.content.decode()
    assert "★ r1 is pinned" in text
    assert "vs ★ validation accuracy" in text
    differences = {row.run.name: row.difference for row in answer.context["rows"] + answer.context["pinned"]}
    assert differences["r1"] == "baseline"
    assert differences["r3"] == "+2.0 points better"
    assert differences["r0"] == "−1.0 points worse"
    assert text.index(">r1</a>") < text.index(">r3</a>")
    assert "r1" not in names(reader, project)
    loss = reader.get(project.get_absolute_url(), {"sort": "metric.loss"}).context["rows"]
    assert [row.difference for row in loss] == ["−0.2 better", "−0.1 better", "+0.1 worse"]
    undo(reader, project, answer)
    project.refresh_from_db()
    assert project.baseline is None


def test_pinning_the_pinned_run_again_unpins_it(reader: Client, project: Project) -> None:
    for expected in (True, False):
        answer = act(reader, project, "", pin=run_of(project, "r1").pk)
        assert bool(answer.context["pinned"]) is expected


@pytest.mark.parametrize("pin", ["999", "x", "9" * 40, "\x00"])
def test_what_is_no_run_is_not_pinned(reader: Client, project: Project, pin: str) -> None:
    assert act(reader, project, "", pin=pin).status_code == HTTPStatus.OK
    project.refresh_from_db()
    assert project.baseline is None


def test_all_that_match_means_the_filter_and_not_the_page(
    reader: Client, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("runs.reading.table_rows.PAGE_SIZE", 1)
    act(reader, project, "tag", all="1", query="score=0.91..", tags="good")
    assert RunTag.objects.count() == 3
    answer = act(reader, project, "compare", all="1", query="tag=good")
    assert answer.context["selection"].matching == 3


def test_marking_needs_the_right_to_submit(client: Client, project: Project) -> None:
    client.force_login(builders.build_user("stop_run"))
    for action, values in (("tag", {"tags": "a"}), ("archive", {}), ("", {"pin": run_of(project, "r0").pk})):
        assert act(client, project, action, "r0", **values).status_code == HTTPStatus.FORBIDDEN


def test_very_many_ticked_runs_are_answered_in_words(reader: Client, project: Project) -> None:
    many = ",".join(map(str, range(1, 12_000)))
    answer = act(reader, project, "archive", runs=many)
    assert "expected at most 10,000 ticked runs, got 11,999" in answer.content.decode()
    some = ",".join(map(str, range(1, 10_000)))
    assert "archived" in act(reader, project, "archive", runs=some).content.decode()


def test_a_comparison_that_is_too_long_for_an_address_goes_by_a_short_link(
    reader: Client, project: Project
) -> None:
    many = ",".join(map(str, range(100_000, 100_500)))
    answer = act(reader, project, "compare", runs=many)
    assert answer.status_code == HTTPStatus.OK
    assert len(SavedView.objects.get().query) > 1500


def test_the_file_of_the_table_has_every_match_and_no_formulas(
    reader: Client, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("runs.reading.table_rows.PAGE_SIZE", 1)
    monkeypatch.setattr("runs.pages.table.runs_file._AT_A_TIME", 3)
    Run.objects.filter(name="r2").update(name="=1+1")
    marks.tag(project.runs.filter(name="r3"), ["b", "a"])
    address = reverse("project-runs-file", args=[project.slug])
    answer: Any = reader.get(address, {"columns": "metric.loss"})
    rows = list(csv.DictReader(StringIO(b"".join(answer.streaming_content).decode())))
    assert [row["name"] for row in rows] == ["r3", "'=1+1", "r1", "r0"]
    assert rows[0]["tags"] == "a, b"
    assert float(rows[0]["metric.loss"]) == pytest.approx(0.7)
    ticked = act(reader, project, "export", "r0")
    assert b"r0" in b"".join(ticked.streaming_content)


def test_purging_the_pinned_run_leaves_none_pinned(project: Project) -> None:
    run = run_of(project, "r0")
    marks.pin(project, run.pk)
    marks.tag(project.runs.all(), ["a"])
    run.delete()
    project.refresh_from_db()
    assert project.baseline is None
    assert RunTag.objects.count() == 3
