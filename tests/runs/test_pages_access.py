"""Who may see and do what: every page needs a login, and what changes something needs a right."""

from __future__ import annotations

from http import HTTPStatus

import pytest
from django.test import Client
from django.urls import reverse

from runs.models import Run, Status
from tests.runs import builders

pytestmark = pytest.mark.django_db


@pytest.fixture
def run() -> Run:
    return builders.build_running_run()


def addresses(run: Run) -> dict[str, str]:
    slug = run.project.slug
    return {
        "home": reverse("home"),
        "project": reverse("project", args=[slug]),
        "project-sweeps": reverse("project-sweeps", args=[slug]),
        "project-rows": reverse("project-rows", args=[slug]),
        "compare": reverse("compare", args=[slug]),
        "run": reverse("run", args=[run.pk]),
        "run-live": reverse("run-live", args=[run.pk]),
        "sweep-new": reverse("sweep-new"),
        "alerts": reverse("alerts"),
        "datasets": reverse("datasets"),
        "trash": reverse("trash"),
        "workers": reverse("workers"),
        "workers-now": reverse("workers-now"),
        "queue": reverse("queue"),
        "queue-now": reverse("queue-now"),
    }


def test_every_page_sends_strangers_to_the_login(client: Client, run: Run) -> None:
    for name, address in addresses(run).items():
        answer = client.get(address)
        assert (name, answer.status_code) == (name, HTTPStatus.FOUND)
        assert answer["Location"].startswith(reverse("login"))


def test_every_page_opens_for_somebody_with_all_rights(client: Client, run: Run) -> None:
    client.force_login(builders.build_user("submit_sweep", "stop_run"))
    for name, address in addresses(run).items():
        assert (name, client.get(address).status_code) == (name, HTTPStatus.OK)


def test_pages_have_no_inline_style_and_no_inline_handler(client: Client, run: Run) -> None:
    builders.build_alert(run)
    client.force_login(builders.build_user("submit_sweep", "stop_run"))
    for name, address in addresses(run).items():
        text = client.get(address).content.decode()
        for forbidden in (" style=", " onclick=", " onchange=", "<style", "javascript:"):
            assert forbidden not in text, name


def test_pages_hide_what_somebody_may_not_do(client: Client, run: Run) -> None:
    builders.build_alert(run)
    client.force_login(builders.build_user())
    text = "".join(client.get(address).content.decode() for address in addresses(run).values())
    for forbidden in (
        "run-stop",
        "/stop/",
        "/clone/",
        "Clone and edit",
        "Stop selected",
        "Pause",
        "Retry",
        "Clone with this change",
    ):
        assert forbidden not in text


def test_the_form_of_a_sweep_needs_a_right_and_says_so(client: Client) -> None:
    client.force_login(builders.build_user())
    answer = client.get(reverse("sweep-new"))
    assert answer.status_code == HTTPStatus.FORBIDDEN
    text = answer.content.decode()
    assert "runs.submit_sweep" in text
    assert "dministrator" in text


@pytest.mark.parametrize("name", ["run-stop", "run-pause", "run-resume", "run-retry", "run-clone"])
def test_actions_need_a_right(client: Client, run: Run, name: str) -> None:
    client.force_login(builders.build_user())
    assert client.post(reverse(name, args=[run.pk])).status_code == HTTPStatus.FORBIDDEN
    run.refresh_from_db()
    assert not run.cancel_requested
    assert Run.objects.count() == 1


def test_stopping_a_sweep_or_a_selection_needs_a_right(client: Client, run: Run) -> None:
    client.force_login(builders.build_user("submit_sweep"))
    assert client.post(reverse("sweep-stop", args=[run.sweep.pk])).status_code == HTTPStatus.FORBIDDEN
    chosen = {"runs": [run.pk], "action": "stop"}
    answer = client.post(reverse("runs-selected", args=[run.project.slug]), chosen)
    assert answer.status_code == HTTPStatus.FORBIDDEN
    run.refresh_from_db()
    assert not run.cancel_requested


@pytest.mark.parametrize("name", ["run-stop", "run-pause", "run-resume", "run-retry", "run-clone"])
def test_actions_are_not_done_by_following_a_link(client: Client, run: Run, name: str) -> None:
    client.force_login(builders.build_user("submit_sweep", "stop_run"))
    assert client.get(reverse(name, args=[run.pk])).status_code == HTTPStatus.METHOD_NOT_ALLOWED


def test_actions_need_the_page_s_own_token(run: Run) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(builders.build_user("stop_run"))
    assert client.post(reverse("run-stop", args=[run.pk])).status_code == HTTPStatus.FORBIDDEN


def test_a_running_run_is_asked_to_stop(client: Client, run: Run) -> None:
    client.force_login(builders.build_user("stop_run"))
    answer = client.post(reverse("run-stop", args=[run.pk]), follow=True)
    assert "is being stopped" in answer.content.decode()
    run.refresh_from_db()
    assert run.cancel_requested


def test_a_run_that_is_over_stays_as_it_is(client: Client) -> None:
    run = builders.build_finished_run()
    client.force_login(builders.build_user("stop_run"))
    answer = client.post(reverse("run-stop", args=[run.pk]), follow=True)
    assert "already over" in answer.content.decode()
    run.refresh_from_db()
    assert run.status == Status.FINISHED


def test_a_sweep_is_stopped_as_a_whole(client: Client) -> None:
    sweep = builders.build_sweep()
    waiting = [builders.build_run(sweep) for _ in range(3)]
    over = builders.build_finished_run(sweep)
    other = builders.build_run()
    client.force_login(builders.build_user("stop_run"))
    answer = client.post(reverse("sweep-stop", args=[sweep.pk]), follow=True)
    assert "3 runs are being stopped" in answer.content.decode()
    assert {Run.objects.get(pk=run.pk).status for run in waiting} == {Status.CANCELLED}
    assert Run.objects.get(pk=over.pk).status == Status.FINISHED
    assert Run.objects.get(pk=other.pk).status == Status.QUEUED


def test_ticked_runs_of_this_project_only_are_stopped(client: Client) -> None:
    project = builders.build_project()
    mine = [builders.build_run(project=project) for _ in range(3)]
    other = builders.build_run()
    client.force_login(builders.build_user("stop_run"))
    numbers = [mine[0].pk, mine[2].pk, other.pk, "x", "99999999999999999999999"]
    client.post(reverse("runs-selected", args=[project.slug]), {"runs": numbers, "action": "stop"})
    stopped = Run.objects.filter(status=Status.CANCELLED).order_by("pk")
    assert list(stopped) == [mine[0], mine[2]]


def test_ticked_runs_lead_to_their_comparison(client: Client) -> None:
    project = builders.build_project()
    runs = [builders.build_run(project=project) for _ in range(2)]
    client.force_login(builders.build_user())
    where = reverse("runs-selected", args=[project.slug])
    answer = client.post(where, {"runs": [run.pk for run in runs], "action": "compare"})
    assert answer["Location"] == f"{reverse('compare', args=[project.slug])}?runs={runs[0].pk},{runs[1].pk}"
    assert client.post(where)["Location"] == project.get_absolute_url()


def test_a_run_that_never_trained_is_not_called_healthy(client: Client) -> None:
    client.force_login(builders.build_user())
    failed = builders.build_finished_run(status=Status.FAILED, stop_reason="error", steps_run=0)
    healthy = builders.build_finished_run(steps_run=10)
    assert "the health checks saw nothing" in client.get(failed.get_absolute_url()).content.decode()
    assert "nothing to object to" in client.get(healthy.get_absolute_url()).content.decode()
