"""Lists of sweeps: how far each is, how it ended, and where it leads."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from runs.models import Project, Status
from runs.reading.sweeps import PAGE_SIZE, recent_sweeps, sweeps_of
from tests.runs import builders

pytestmark = pytest.mark.django_db


@pytest.fixture
def reader(client: Client) -> Client:
    client.force_login(builders.build_user("submit_sweep", "stop_run"))
    return client


def sweeps_page(client: Client, project: Project) -> str:
    answer = client.get(reverse("project-sweeps", args=[project.slug]))
    assert answer.status_code == 200
    return answer.content.decode()


def test_a_sweep_counts_its_runs_by_where_they_stand() -> None:
    sweep = builders.build_sweep()
    builders.build_finished_run(sweep, score=0.7)
    builders.build_finished_run(sweep, score=0.9)
    run = builders.build_running_run(sweep, steps_run=50, steps_requested=100)
    builders.build_alert(run)
    builders.build_alert(run, "dead_layer", state="resolved", resolved_step=9)
    [summary] = recent_sweeps()
    assert summary.counts == [("running", 1), ("finished", 2)]
    assert (summary.runs, summary.open_alerts, summary.only_run) == (3, 1, None)
    assert summary.progress == pytest.approx(2.5 / 3)
    assert not summary.is_over
    assert summary.best is not None
    assert (summary.best.low, summary.best.high) == (0.7, 0.9)


def test_a_run_that_is_over_counts_as_whole_however_early_it_ended() -> None:
    run = builders.build_finished_run(score=0.9, stop_reason="diverged", steps_run=3)
    [summary] = recent_sweeps()
    assert (summary.progress, summary.is_over, summary.only_run, summary.best) == (1.0, True, run.pk, None)


def test_a_diverged_run_is_nobody_s_best(reader: Client) -> None:
    sweep = builders.build_sweep()
    best = builders.build_finished_run(sweep, score=0.5)
    diverged = builders.build_finished_run(sweep, score=0.9, stop_reason="diverged")
    [summary] = recent_sweeps()
    assert summary.best is not None
    assert summary.best.high == 0.5
    text = reader.get(reverse("home")).content.decode()
    assert "50.0 %" in text
    assert "90.0 %" not in text
    for order in ("score", "-score"):
        page = reader.get(sweep.project.get_absolute_url(), {"sort": order}).context["page"]
        assert list(page.runs) == [best, diverged]


def test_a_sweep_whose_runs_are_all_in_the_trash_is_not_listed(reader: Client) -> None:
    sweep = builders.build_sweep()
    deleted = builders.build_finished_run(sweep, deleted_at=timezone.now())
    assert sweep.name not in sweeps_page(reader, sweep.project)
    kept = builders.build_finished_run(sweep)
    assert sweep.name in sweeps_page(reader, sweep.project)
    assert reverse("run", args=[kept.pk]) in sweeps_page(reader, sweep.project)  # as the only run
    assert reverse("run", args=[deleted.pk]) not in sweeps_page(reader, sweep.project)


def test_a_list_of_sweeps_costs_the_same_for_one_and_for_a_page_of_them(
    reader: Client, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    project = builders.build_project()
    for _ in range(PAGE_SIZE + 1):
        builders.build_alert(builders.build_running_run(project=project))
    # Session, user, 2 rights; project, count, sweeps, runs, alerts; badge.
    with django_assert_max_num_queries(10):
        text = reader.get(reverse("project-sweeps", args=[project.slug])).content.decode()
    assert "page 1 of 2" in text
    page, summaries = sweeps_of(project, "2")
    assert (page.number, len(summaries)) == (2, 1)


def test_a_sweep_that_is_under_way_can_be_stopped_from_the_list(reader: Client) -> None:
    running = builders.build_running_run().sweep
    stop = reverse("sweep-stop", args=[running.pk])
    assert stop in sweeps_page(reader, running.project)
    over = builders.build_finished_run().sweep
    assert reverse("sweep-stop", args=[over.pk]) not in sweeps_page(reader, over.project)


def test_one_run_is_opened_and_several_are_compared(reader: Client) -> None:
    project = builders.build_project()
    alone = builders.build_run(project=project)
    several = builders.build_sweep(project)
    for seed in (0, 1):
        builders.build_run(several, training={"seed": seed})
    text = sweeps_page(reader, project)
    assert f'href="{alone.get_absolute_url()}" title="{alone.sweep.name}">' in text
    assert f'href="{several.get_absolute_url()}" title="{several.name}">' in text


def test_a_project_without_sweeps_says_what_one_is(reader: Client) -> None:
    assert "No sweep in this project yet" in sweeps_page(reader, builders.build_project())


def test_home_lists_the_newest_sweeps_with_their_state(reader: Client) -> None:
    sweep = builders.build_sweep(name="does depth help")
    builders.build_run(sweep, status=Status.FAILED, started_at=None, ended_at="2026-01-01T00:00:00Z")
    text = reader.get(reverse("home")).content.decode()
    assert "Newest sweeps" in text
    assert "does depth help" in text
    assert "✗</span> 1 failed</span>" in text
