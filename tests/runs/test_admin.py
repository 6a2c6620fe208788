"""The admin: who may do what, submission, control, and lists that cost the same for any number of rows."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from runs.models import ApiToken, Run, Status, Sweep
from tests.runs.builders import (
    build_alert,
    build_finished_run,
    build_run,
    build_running_run,
    build_sweep,
    build_user,
)
from tests.runs.submissions import as_typed, build_submission

pytestmark = pytest.mark.django_db

VIEWS = ("view_run", "view_sweep", "view_project", "view_alert", "view_apitoken")
ADD = "/admin/runs/sweep/add/"
RUNS = "/admin/runs/run/"
SWEEPS = "/admin/runs/sweep/"
QUEUE = "/admin/runs/queuedrun/"
PAGES = [RUNS, SWEEPS, QUEUE, "/admin/runs/project/", "/admin/runs/alert/", "/admin/runs/apitoken/"]


def signed_in(*rights: str, staff: bool = True) -> Client:
    client = Client()
    client.force_login(build_user(*rights, staff=staff))
    return client


def administrator() -> Client:
    client = Client()
    client.force_login(User.objects.create_superuser("root", "", "a long passphrase"))
    return client


def act(client: Client, page: str, action: str, *rows: Any) -> Any:
    data = {"action": action, "_selected_action": [row.pk for row in rows]}
    return client.post(page, data, follow=True)


def told(answer: Any) -> list[str]:
    return [str(message) for message in answer.context["messages"]]


@pytest.mark.parametrize("page", [*PAGES, ADD])
def test_who_is_no_staff_sees_nothing_of_the_admin(page: str) -> None:
    for client in (Client(), signed_in(*VIEWS, "submit_sweep", "stop_run", staff=False)):
        answer = client.get(page)
        assert answer.status_code == 302
        assert "login" in answer["Location"]


@pytest.mark.parametrize("page", PAGES)
def test_staff_see_what_they_may_see(page: str) -> None:
    assert signed_in().get(page).status_code == 403
    assert signed_in(*VIEWS).get(page).status_code == 200


MATRIX = [
    ((), set()),
    (("submit_sweep",), {"clone", "retry"}),
    (("stop_run",), {"stop", "pause", "resume"}),
    (("submit_sweep", "stop_run"), {"clone", "retry", "stop", "pause", "resume"}),
    (("add_sweep", "change_run", "change_sweep", "add_run"), set()),  # Django's own rights give none of ours
]


@pytest.mark.parametrize(("rights", "allowed"), MATRIX)
def test_the_actions_on_offer_follow_the_rights(rights: tuple[str, ...], allowed: set[str]) -> None:
    build_run()
    client = signed_in(*VIEWS, *rights)
    form = client.get(RUNS).context["action_form"]
    offered = {value for value, _ in form.fields["action"].choices} - {""} if form else set()
    assert offered == allowed


@pytest.mark.parametrize(("rights", "allowed"), MATRIX)
def test_an_action_that_was_not_offered_does_nothing(rights: tuple[str, ...], allowed: set[str]) -> None:
    client = signed_in(*VIEWS, *rights)
    failed = build_finished_run(status=Status.FAILED)
    for action in {"stop", "pause", "resume", "clone", "retry"} - allowed:
        waiting = build_run()
        before = list(Run.objects.order_by("pk").values())
        act(client, RUNS, action, waiting, failed)
        assert list(Run.objects.order_by("pk").values()) == before


@pytest.mark.parametrize(
    ("rights", "status"), [((), 403), (("add_sweep",), 403), (("stop_run",), 403), (("submit_sweep",), 200)]
)
def test_only_who_may_submit_gets_the_form(rights: tuple[str, ...], status: int) -> None:
    client = signed_in(*VIEWS, *rights)
    assert client.get(ADD).status_code == status
    if status == 403:
        assert client.post(ADD, as_typed(build_submission())).status_code == 403
        assert not Sweep.objects.exists()


def test_a_submission_is_stored_logged_and_can_be_watched() -> None:
    client = signed_in(*VIEWS, "submit_sweep")
    typed = as_typed(build_submission(grid={"depth": [1, 2]}, seeds=3))
    answer = client.post(ADD, typed, follow=True)
    assert answer.status_code == 200
    sweep = Sweep.objects.get()
    assert sweep.runs.count() == 6
    assert sweep.created_by == User.objects.get()
    assert f'6 run(s) queued. <a href="{sweep.get_absolute_url()}">Watch them</a>' in told(answer)
    assert LogEntry.objects.get().object_id == str(sweep.pk)


def test_a_refused_submission_shows_each_fault_beside_its_field() -> None:
    client = signed_in(*VIEWS, "submit_sweep")
    answer = client.post(ADD, as_typed(build_submission(training={"width": 0, "learning_rate": "fast"})))
    assert answer.status_code == 200
    errors = answer.context["adminform"].form.errors
    assert errors.keys() == {"width", "learning_rate"}
    page = answer.content.decode()
    assert "expected a whole number from 1 to 65,536, got 0" in page
    assert "got &#x27;fast&#x27;" in page
    assert not Sweep.objects.exists()


def test_the_form_escapes_what_was_typed() -> None:
    client = signed_in(*VIEWS, "submit_sweep")
    typed = {**as_typed(build_submission()), "width": "<script>x</script>", "name": "<b>n</b>"}
    page = client.post(ADD, typed).content.decode()
    assert "<script>x" not in page
    assert "<b>n</b>" not in page


def test_stored_rows_are_read_only() -> None:
    sweep, run = build_sweep(), build_run()
    client = administrator()
    for page in (f"{SWEEPS}{sweep.pk}/change/", f"{RUNS}{run.pk}/change/"):
        assert client.get(page).status_code == 200
        assert client.post(page, {"name": "changed", "status": "finished"}).status_code == 403
    assert client.get(f"{RUNS}add/").status_code == 403
    run.refresh_from_db()
    assert (run.name != "changed", run.status) == (True, Status.QUEUED)


def test_stopping_runs_asks_each_that_is_not_over() -> None:
    client = signed_in(*VIEWS, "stop_run")
    runs = [build_run(), build_running_run(), build_finished_run()]
    answer = act(client, RUNS, "stop", *runs)
    assert told(answer) == ["2 runs are being stopped."]
    waiting, running, finished = Run.objects.order_by("pk")
    assert waiting.status == Status.CANCELLED
    assert running.cancel_requested
    assert finished.status == Status.FINISHED


def test_stopping_a_sweep_stops_its_runs_and_no_others() -> None:
    client = signed_in(*VIEWS, "stop_run")
    sweep = build_sweep()
    build_run(sweep)
    build_running_run(sweep)
    build_finished_run(sweep)
    other = build_run()
    assert told(act(client, SWEEPS, "stop", sweep)) == ["2 runs are being stopped."]
    other.refresh_from_db()
    assert other.status == Status.QUEUED


def test_who_may_not_stop_runs_may_not_stop_sweeps() -> None:
    client = signed_in(*VIEWS, "submit_sweep")
    run = build_run()
    act(client, SWEEPS, "stop", run.sweep)
    run.refresh_from_db()
    assert run.status == Status.QUEUED


def test_cloning_queues_the_same_configuration_and_links_to_it() -> None:
    client = signed_in(*VIEWS, "submit_sweep")
    run = build_finished_run()
    answer = act(client, RUNS, "clone", run)
    copy = Run.objects.exclude(pk=run.pk).get()
    assert (copy.parent, copy.config, copy.status) == (run, run.config, Status.QUEUED)
    assert told(answer) == [f'{run.name} was queued again as <a href="/r/{copy.pk}/">run {copy.pk}</a>.']


def test_a_clone_that_is_impossible_is_told_and_the_others_are_made() -> None:
    client = signed_in(*VIEWS, "submit_sweep")
    answer = act(client, RUNS, "clone", build_run(data={"dataset": "gone.csv"}), build_run())
    assert Run.objects.count() == 3
    assert any("no file 'gone.csv'" in message for message in told(answer))


def test_failed_and_stopped_runs_can_be_queued_again() -> None:
    client = signed_in(*VIEWS, "submit_sweep")
    runs = [
        build_finished_run(status=status) for status in (Status.FAILED, Status.CANCELLED, Status.FINISHED)
    ]
    answer = act(client, RUNS, "retry", *runs)
    assert told(answer) == ["2 runs wait again, at the end of the queue."]
    assert list(Run.objects.order_by("pk").values_list("status", flat=True)) == [
        "queued",
        "queued",
        "finished",
    ]


def test_a_sweep_counts_its_runs_by_status() -> None:
    sweep = build_sweep()
    build_run(sweep)
    build_finished_run(sweep)
    build_finished_run(sweep)
    build_sweep()
    page = signed_in(*VIEWS).get(SWEEPS).content.decode()
    assert "1 queued, 2 finished" in page
    assert "none" in page


def queries_of(client: Client, page: str) -> int:
    client.get(page)  # content types are looked up once
    with CaptureQueriesContext(connection) as queries:
        assert client.get(page).status_code == 200
    return len(queries)


@pytest.mark.parametrize("page", PAGES)
def test_a_list_costs_the_same_for_any_number_of_rows(page: str) -> None:
    client = administrator()

    def add(number: int) -> None:
        for _ in range(number):
            run = build_run(build_sweep())
            build_alert(run)
            build_alert(run, "dead_layer")
            Sweep.objects.filter(pk=run.sweep_id).update(created_by=build_user())
            build_token()

    add(2)
    few = queries_of(client, page)
    add(9)
    assert queries_of(client, page) == few


def build_token() -> None:
    ApiToken.issue(build_user().pk, "test")


@pytest.mark.parametrize(
    "page", [f"{RUNS}?q=relu&status__exact=queued&depth__exact=2", f"{SWEEPS}?q=sweep", f"{RUNS}?status=x"]
)
def test_lists_can_be_searched_and_filtered(page: str) -> None:
    build_run()
    assert administrator().get(page, follow=True).status_code == 200


def test_a_token_can_be_revoked_but_not_made_or_changed() -> None:
    client = administrator()
    build_token()
    assert client.get("/admin/runs/apitoken/add/").status_code == 403
    page = client.get("/admin/runs/apitoken/").content.decode()
    token = ApiToken.objects.get()
    assert token.digest not in page
    assert client.post(f"/admin/runs/apitoken/{token.pk}/delete/", {"post": "yes"}).status_code == 302
    assert not ApiToken.objects.exists()
