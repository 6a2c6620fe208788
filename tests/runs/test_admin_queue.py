"""The queue in the admin: its order, its actions, and priorities that are typed into the list."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from runs.models import Run, Status
from runs.steering import MANY
from tests.runs import builders
from tests.runs.test_admin import QUEUE, RUNS, SWEEPS, VIEWS, act, signed_in, told
from tests.runs.test_pages_queue import build_waiting

pytestmark = pytest.mark.django_db


def listed(client: Client, page: str = QUEUE) -> list[int]:
    return [run.pk for run in client.get(page).context["cl"].result_list]


def edit(client: Client, priorities: dict[int, object]) -> Any:
    """Type priorities into the list, as a browser posts it."""
    data: dict[str, Any] = {"form-TOTAL_FORMS": len(priorities), "form-INITIAL_FORMS": len(priorities)}
    for place, (run_id, priority) in enumerate(priorities.items()):
        data |= {f"form-{place}-id": run_id, f"form-{place}-priority": priority}
    return client.post(QUEUE, {**data, "_save": "Save"}, follow=True)


def statuses() -> list[str]:
    return list(Run.objects.order_by("pk").values_list("status", flat=True))


def test_the_queue_is_listed_in_its_order_with_what_trains_and_what_is_paused() -> None:
    usual, urgent = build_waiting(1), build_waiting(1, priority=5)
    builders.build_finished_run()
    held = builders.build_run(status=Status.PAUSED, priority=-3)
    assert listed(signed_in(*VIEWS)) == [urgent[0].pk, usual[0].pk, held.pk]
    assert listed(signed_in(*VIEWS), f"{QUEUE}?status__exact=paused") == [held.pk]


def test_a_priority_is_typed_into_the_list() -> None:
    first, second = build_waiting(2)
    client = signed_in(*VIEWS, "stop_run")
    answer = edit(client, {first.pk: 0, second.pk: 9})
    assert "1 run in the queue was changed successfully." in told(answer)
    assert listed(client) == [second.pk, first.pk]


@pytest.mark.parametrize("priority", [101, -101, "high", ""])
def test_a_priority_that_is_none_is_refused(priority: object) -> None:
    (run,) = build_waiting(1)
    answer = edit(signed_in(*VIEWS, "stop_run"), {run.pk: priority})
    assert "errorlist" in answer.content.decode()
    assert Run.objects.get(pk=run.pk).priority == 0


def test_typing_a_priority_changes_nothing_else_of_a_run() -> None:
    (run,) = build_waiting(1)
    client = signed_in(*VIEWS, "stop_run")
    before = Run.objects.values().get(pk=run.pk)
    edit(client, {run.pk: 4})
    assert Run.objects.values().get(pk=run.pk) == {**before, "priority": 4}


def test_who_may_only_look_changes_nothing() -> None:
    (run,) = build_waiting(1)
    client = signed_in(*VIEWS, "submit_sweep")
    assert "_save" not in client.get(QUEUE).content.decode()
    edit(client, {run.pk: 4})
    act(client, QUEUE, "to_front", run)
    act(client, QUEUE, "pause", run)
    run.refresh_from_db()
    assert (run.priority, run.status) == (0, "queued")
    for address in (f"{QUEUE}{run.pk}/change/", f"{QUEUE}{run.pk}/delete/", f"{QUEUE}add/"):
        assert client.post(address, {"priority": 5}).status_code == 403


def test_runs_are_paused_resumed_and_moved() -> None:
    first, second = build_waiting(2)
    client = signed_in(*VIEWS, "stop_run")
    assert "1 run is paused" in told(act(client, QUEUE, "pause", second))[0]
    assert told(act(client, QUEUE, "resume", second))[0].startswith("1 run goes on")
    assert told(act(client, QUEUE, "to_front", second)) == ["1 run moved."]
    assert listed(client) == [second.pk, first.pk]
    act(client, QUEUE, "to_end", second)
    assert listed(client) == [first.pk, second.pk]


@pytest.mark.parametrize("page", [RUNS, SWEEPS])
def test_runs_and_sweeps_are_paused_resumed_and_tried_again(page: str) -> None:
    run = builders.build_run()
    row = run if page == RUNS else run.sweep
    client = signed_in(*VIEWS, "stop_run", "submit_sweep")
    for action, status in (
        ("pause", "paused"),
        ("resume", "queued"),
        ("stop", "cancelled"),
        ("retry", "queued"),
    ):
        act(client, page, action, row)
        assert statuses() == [status]


def test_very_many_runs_are_stopped_only_after_a_question() -> None:
    runs = build_waiting(MANY + 1)
    client = signed_in(*VIEWS, "stop_run")
    question = act(client, SWEEPS, "stop", runs[0].sweep)
    assert f"Stop {MANY + 1} runs" in question.content.decode()
    assert set(statuses()) == {"queued"}
    data = {"action": "stop", "_selected_action": [runs[0].sweep_id], "confirmed": "yes"}
    client.post(SWEEPS, data)
    assert set(statuses()) == {"cancelled"}
