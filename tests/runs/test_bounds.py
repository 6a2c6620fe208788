"""How many runs a project and a person may have: at submission, and when workers take runs."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client, override_settings
from django.urls import reverse

from runs import bounds, lifecycle, submission
from runs.models import Allowance, Project, Run, Status, Sweep
from runs.submitted.specification import SubmissionError
from runs.training import buckets
from tests.runs.builders import build_project, build_run, build_sweep, build_user
from tests.runs.submissions import build_submission

pytestmark = pytest.mark.django_db


def submit(user: User | None = None, **changes: Any) -> Sweep:
    return submission.submit(submission.parse(build_submission(**changes)), user)


def taken() -> list[int]:
    return list(buckets.claim_next("cpu", "host-1:1"))


def bounded_project(**columns: Any) -> Project:
    project = build_project()
    Project.objects.filter(pk=project.pk).update(**columns)
    return project


def test_a_project_at_its_bound_does_not_hold_up_the_others() -> None:
    project = bounded_project(max_running=1)
    first, second = (build_run(project=project) for _ in range(2))
    other = build_run()
    assert [taken(), taken(), taken()] == [[first.pk], [other.pk], []]
    assert bounds.why_held_back(Run.objects.get(pk=second.pk)).endswith("as many runs at once as allowed: 1.")


def test_what_was_held_back_is_taken_once_a_run_has_ended() -> None:
    project = bounded_project(max_running=1)
    first, second = (build_run(project=project) for _ in range(2))
    claims = buckets.claim_next("cpu", "host-1:1")
    lifecycle.finish(first.pk, claims[first.pk])
    assert taken() == [second.pk]


def test_a_person_at_their_bound_does_not_hold_up_the_others() -> None:
    user = build_user()
    Allowance.objects.create(user=user, max_running=2)
    mine = [build_run(sweep) for sweep in (build_sweep() for _ in range(3))]
    Sweep.objects.update(created_by=user)
    other = build_run()
    assert [taken() for _ in range(4)] == [[mine[0].pk], [mine[1].pk], [other.pk], []]


def test_no_more_are_trained_together_than_their_owner_may_have() -> None:
    project = bounded_project(max_running=3)
    sweep = build_sweep(project)
    for _ in range(8):
        build_run(sweep)
    assert len(taken()) == 3
    assert taken() == []


@override_settings(PROJECT_MAX_RUNNING=1)
def test_the_installations_bound_holds_where_a_project_has_none() -> None:
    one, other = build_project(), bounded_project(max_running=2)
    for project in (one, one, other, other, other):
        build_run(project=project)
    assert sum(len(taken()) for _ in range(5)) == 3


def test_runs_of_programs_outside_do_not_count() -> None:
    project = bounded_project(max_running=1)
    build_run(project=project, source="outside", **lifecycle.held_outside(), started_at="2026-01-01T00:00Z")
    run = build_run(project=project)
    assert taken() == [run.pk]


def test_a_submission_beyond_the_bound_of_its_project_is_refused_whole() -> None:
    submit(seeds=2)
    Project.objects.update(max_queued=4)
    with pytest.raises(SubmissionError) as refused:
        submit(seeds=3)
    message = (
        "project: expected at most 4 waiting runs of the project Iris, got 3 beside the 2 that wait;"
        " submit fewer, or wait until some have been trained"
    )
    assert refused.value.errors == {"project": [message]}
    assert Run.objects.count() == 2
    submit(seeds=2)


@override_settings(USER_MAX_QUEUED=1)
def test_a_submission_beyond_the_bound_of_a_person_is_refused() -> None:
    user = build_user()
    submit(user)
    with pytest.raises(SubmissionError, match="at most 1 waiting runs of their submitter"):
        submit(user)
    Allowance.objects.create(user=user, max_queued=2)
    submit(user)
    submit(build_user())


def test_paused_runs_wait_too_and_those_that_are_over_do_not() -> None:
    submit(seeds=2)
    first, second = Run.objects.order_by("pk")
    lifecycle.pause(first.pk)
    lifecycle.cancel(second.pk)
    Project.objects.update(max_queued=1)
    with pytest.raises(SubmissionError, match="beside the 1 that wait"):
        submit()


@pytest.mark.parametrize("way", ["page", "admin", "api"])
def test_every_way_in_says_so(client: Client, way: str) -> None:
    user = User.objects.create_superuser("root", password="a long passphrase")
    client.force_login(user)
    submit()
    Project.objects.update(max_queued=1)
    typed: dict[str, Any] = {"project": "Iris", "name": "more", "dataset": "iris", "depth": "1", "width": "4"}
    typed |= {"activation": ["relu"], "optimizer": ["adam"], "learning_rate": "0.01", "batch_size": "8"}
    typed |= {"steps": "5", "seeds": "1"}
    if way == "api":
        answer = client.post("/api/sweeps", build_submission(), content_type="application/json")
    else:
        address = reverse("sweep-new" if way == "page" else "admin:runs_sweep_add")
        answer = client.post(address, typed, follow=True)
    said = answer.content.decode()
    assert "expected at most 1 waiting runs of the project Iris, got 1 beside the 1" in said
    assert Run.objects.filter(status=Status.QUEUED).count() == 1
