"""Runs are stopped, paused, resumed, tried again and put in order, from every page that can do so."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.messages import get_messages
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries

from runs.models import Run, Status
from runs.reading.waiting import Choice, Line, waiting
from runs.steering import ACTIONS, MANY
from tests.runs import builders
from tests.runs.test_pages_queue import build_waiting

pytestmark = pytest.mark.django_db


@pytest.fixture
def steerer(client: Client) -> Client:
    client.force_login(builders.build_user("submit_sweep", "stop_run"))
    return client


def post(client: Client, address: str, **data: Any) -> str:
    answer = client.post(address, data)
    assert answer.status_code == 302, answer.content.decode()
    return " ".join(str(message) for message in get_messages(answer.wsgi_request))


def select(client: Client, *values: object, **data: Any) -> str:
    return post(client, reverse("queue-selected"), runs=[str(value) for value in values], **data)


def order() -> list[int]:
    return list(Run.objects.awaiting_worker().values_list("pk", flat=True))


def statuses(*runs: Run) -> list[str]:
    found = Run.objects.in_bulk([run.pk for run in runs])
    return [found[run.pk].status for run in runs]


def line_of(run: Run) -> Line:
    (line,) = [line for line in waiting(Choice()).lines if line.run.pk == run.pk]
    return line


def test_a_run_is_paused_and_goes_on_from_its_place(steerer: Client) -> None:
    first, _ = build_waiting(2)
    assert "is paused" in post(steerer, reverse("run-pause", args=[first.pk]))
    assert statuses(first) == ["paused"]
    assert "goes on" in post(steerer, reverse("run-resume", args=[first.pk]))
    assert order()[0] == first.pk


def test_a_running_run_is_asked_to_pause_and_says_so(steerer: Client) -> None:
    run = builders.build_running_run()
    post(steerer, reverse("run-pause", args=[run.pk]))
    assert "running: pausing" in steerer.get(run.get_absolute_url()).content.decode()


def test_a_failed_run_is_tried_again_at_the_end_of_the_queue(steerer: Client) -> None:
    failed = builders.build_finished_run(status=Status.FAILED, stop_reason="error")
    others = build_waiting(2)
    assert "waits again" in post(steerer, reverse("run-retry", args=[failed.pk]))
    assert order() == [*(run.pk for run in others), failed.pk]


@pytest.mark.parametrize(
    ("word", "words"),
    [
        ("pause", "only runs that wait or train can be paused"),
        ("resume", "only paused runs can go on"),
        ("stop", "already over"),
        ("retry", "only runs that failed or were stopped"),
    ],
)
def test_what_cannot_be_done_says_why(steerer: Client, word: str, words: str) -> None:
    run = builders.build_finished_run()
    assert words in post(steerer, reverse(f"run-{word}", args=[run.pk]))
    assert statuses(run) == ["finished"]


def test_all_failed_runs_of_a_sweep_are_tried_again_and_no_others(steerer: Client) -> None:
    sweep = builders.build_sweep()
    failed = [builders.build_finished_run(sweep, status=Status.FAILED) for _ in range(2)]
    fine, other = builders.build_finished_run(sweep), builders.build_finished_run(status=Status.FAILED)
    assert "2 runs wait again" in post(steerer, reverse("sweep-retry", args=[sweep.pk]))
    assert statuses(*failed, fine, other) == ["queued", "queued", "finished", "failed"]


@pytest.mark.parametrize("word", ACTIONS)
def test_each_word_needs_its_right(client: Client, word: str) -> None:
    run = builders.build_run()
    other = {"runs.stop_run": "submit_sweep", "runs.submit_sweep": "stop_run"}[ACTIONS[word].right]
    client.force_login(builders.build_user(other))
    before = list(Run.objects.values())
    for address in (reverse(f"run-{word}", args=[run.pk]), reverse(f"sweep-{word}", args=[run.sweep_id])):
        answer = client.post(address)
        assert answer.status_code == 403
        assert ACTIONS[word].right in answer.content.decode()
    assert client.post(reverse("queue-selected"), {"runs": run.pk, "action": word}).status_code == 403
    assert list(Run.objects.values()) == before


@pytest.mark.parametrize("data", [{"action": "first"}, {"action": "priority", "priority": "3"}])
def test_the_order_is_changed_only_by_who_may_stop_runs(client: Client, data: dict[str, str]) -> None:
    client.force_login(builders.build_user("submit_sweep"))
    run = builders.build_run()
    assert client.post(reverse("queue-selected"), {"runs": run.pk, **data}).status_code == 403
    assert client.post(reverse("queue-selected"), {"move": f"{run.pk} last"}).status_code == 403


def test_a_line_stands_for_its_runs_and_for_no_others(steerer: Client) -> None:
    sweep = builders.build_sweep()
    runs = build_waiting(5, sweep)
    (other,) = build_waiting(1)
    late = build_waiting(2, sweep)
    Run.objects.filter(pk=runs[2].pk).update(status=Status.PAUSED)
    assert "4 runs are being stopped" in select(steerer, line_of(runs[0]).value, action="stop")
    assert statuses(*runs) == ["cancelled", "cancelled", "paused", "cancelled", "cancelled"]
    assert statuses(other, *late) == ["queued", "queued", "queued"]


def test_lines_and_runs_are_ticked_together(steerer: Client) -> None:
    first, second = build_waiting(2)
    third, fourth = build_waiting(1), builders.build_running_run()
    select(steerer, line_of(first).value, third[0].pk, f"{fourth.pk},{second.pk}", action="pause")
    assert statuses(first, second, *third) == ["paused"] * 3
    assert Run.objects.get(pk=fourth.pk).pause_requested


def test_a_line_moves_up_down_to_the_front_and_to_the_end(steerer: Client) -> None:
    sweeps = [[run.pk for run in build_waiting(2)] for _ in range(3)]
    a, b, c = sweeps

    def move(run_id: int, to: str) -> None:
        line = line_of(Run.objects.get(pk=run_id))
        target = {"up": line.up, "down": line.down or "last"}[to]
        assert "2 runs moved" in post(steerer, reverse("queue-selected"), move=f"{line.value} {target}")

    move(c[0], "up")
    assert order() == [*a, *c, *b]
    move(a[0], "down")
    assert order() == [*c, *a, *b]
    move(a[0], "down")
    assert order() == [*c, *b, *a]
    select(steerer, line_of(Run.objects.get(pk=a[0])).value, action="first")
    assert order() == [*a, *c, *b]
    select(steerer, line_of(Run.objects.get(pk=c[0])).value, action="last")
    assert order() == [*a, *b, *c]


def test_the_ends_of_the_queue_go_no_further() -> None:
    first, last = build_waiting(1)[0], build_waiting(1)[0]
    assert (line_of(first).up, line_of(first).down) == (None, 0)
    assert (line_of(last).up, line_of(last).down) == (first.pk, None)


def test_the_front_of_the_queue_is_in_front_of_every_priority(steerer: Client) -> None:
    (urgent,), (usual,) = build_waiting(1, priority=5), build_waiting(1)
    select(steerer, usual.pk, action="first")
    assert order() == [usual.pk, urgent.pk]
    assert "stands there already" in select(steerer, usual.pk, urgent.pk, action="first")


def test_a_priority_is_set_for_what_is_ticked(steerer: Client) -> None:
    runs = build_waiting(3)
    assert "2 runs" in select(steerer, runs[1].pk, runs[2].pk, action="priority", priority="7")
    assert order() == [runs[1].pk, runs[2].pk, runs[0].pk]


@pytest.mark.parametrize("text", ["", "high", "101", "-101", "1.5", "9" * 40, "--3", "²"])
def test_a_priority_that_is_none_changes_nothing(steerer: Client, text: str) -> None:
    (run,) = build_waiting(1)
    assert "expected" in select(steerer, run.pk, action="priority", priority=text)
    assert Run.objects.get(pk=run.pk).priority == 0


@pytest.mark.parametrize("value", ["x", "1-", "queued:1-2", "queued:x-y", "none:1-1", "1;2", "²"])
def test_a_selection_that_is_none_changes_nothing(steerer: Client, value: str) -> None:
    build_waiting(1)
    assert "Nothing was changed" in select(steerer, value, action="stop")
    assert "Nothing was changed" in post(steerer, reverse("queue-selected"), move=f"{value} last")


def test_nothing_ticked_is_told_and_an_unknown_word_is_refused(steerer: Client) -> None:
    (run,) = build_waiting(1)
    assert "Tick one run or more first." in select(steerer, action="stop")
    answer = steerer.post(reverse("queue-selected"), {"runs": run.pk, "action": "explode"})
    assert answer.status_code == 400
    assert "Nothing was moved: expected" in post(steerer, reverse("queue-selected"), move=f"{run.pk} nowhere")
    assert statuses(run) == ["queued"]


def test_very_many_runs_are_stopped_only_after_a_question(
    steerer: Client, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    sweep = builders.build_sweep(name="the large one")
    build_waiting(MANY + 1, sweep)
    address = reverse("sweep-stop", args=[sweep.pk])
    question = steerer.post(address, {"next": "/queue/"}).content.decode()
    assert f"Stop {MANY + 1} runs?" in question
    assert "the large one" in question
    assert 'name="next" value="/queue/"' in question
    assert len(order()) == MANY + 1
    with django_assert_max_num_queries(12):  # however many runs they are
        told = post(steerer, address, confirmed="yes", next="/queue/")
    assert f"{MANY + 1} runs are being stopped" in told
    assert order() == []


@pytest.mark.parametrize(
    ("back", "where"), [("/queue/?user=a", "/queue/?user=a"), ("https://other.example/", "/queue/")]
)
def test_an_action_returns_to_the_page_that_it_came_from(steerer: Client, back: str, where: str) -> None:
    (run,) = build_waiting(1)
    data = {"runs": run.pk, "action": "pause", "next": back}
    assert steerer.post(reverse("queue-selected"), data)["Location"] == where


def test_several_runs_are_cloned_at_once(steerer: Client) -> None:
    runs = [builders.build_finished_run(), builders.build_finished_run(data={"dataset": "gone.csv"})]
    told = select(steerer, *(run.pk for run in runs), action="clone")
    copy = Run.objects.exclude(pk__in=[run.pk for run in runs]).get()
    assert (copy.parent_id, copy.config, copy.status) == (runs[0].pk, runs[0].config, "queued")
    assert "1 run queued again as new ones" in told
    assert "no file 'gone.csv'" in told
    address = reverse("runs-selected", args=[runs[0].project.slug])
    assert "1 run queued again" in post(steerer, address, runs=runs[0].pk, action="clone")


def test_cloning_needs_its_right_and_has_a_bound(client: Client, steerer: Client) -> None:
    runs = build_waiting(MANY + 1)
    assert f"at most {MANY} runs" in select(steerer, line_of(runs[0]).value, action="clone")
    client.force_login(builders.build_user("stop_run"))
    answer = client.post(reverse("queue-selected"), {"runs": runs[0].pk, "action": "clone"})
    assert answer.status_code == 403
    assert Run.objects.count() == MANY + 1
