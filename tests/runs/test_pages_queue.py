"""The page of the queue: who trains, who waits in which order, and what people do about it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.messages import get_messages
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from runs import lifecycle
from runs.models import Run, Status, Sweep
from runs.reading.queue import training
from runs.reading.waiting import LINES, Choice, Mark, waiting
from tests.runs import builders
from tests.runs.test_workers import build_worker

pytestmark = pytest.mark.django_db


@pytest.fixture
def reader(client: Client) -> Client:
    client.force_login(builders.build_user("submit_sweep", "stop_run"))
    return client


def text_of(client: Client, **parameters: Any) -> str:
    answer = client.get(reverse("queue"), parameters)
    assert answer.status_code == 200
    return " ".join(answer.content.decode().split())


def build_waiting(count: int, sweep: Sweep | None = None, **fields: Any) -> list[Run]:
    """Make runs of one sweep that wait in their order."""
    sweep = sweep or builders.build_sweep()
    runs = [builders.build_run(sweep, **fields) for _ in range(count)]
    for run in runs:
        run.place = float(run.pk)
    Run.objects.bulk_update(runs, ["place"])
    return runs


def order() -> list[int]:
    return list(Run.objects.awaiting_worker().values_list("pk", flat=True))


def post(client: Client, **data: Any) -> str:
    answer = client.post(reverse("queue-selected"), data)
    assert answer.status_code == 302, answer.content.decode()
    return " ".join(str(message) for message in get_messages(answer.wsgi_request))


# Reading


def test_neighbours_of_one_sweep_are_one_line_and_others_are_not() -> None:
    first, second = builders.build_sweep(), builders.build_sweep()
    build_waiting(3, first)
    build_waiting(1, second)
    build_waiting(2, first)
    lines = waiting(Choice()).lines
    assert [(line.run.sweep_id, line.count, line.position) for line in lines] == [
        (first.pk, 3, 1),
        (second.pk, 1, 4),
        (first.pk, 2, 5),
    ]
    assert [line.last_position for line in lines] == [3, 4, 6]


def test_a_higher_priority_waits_further_in_front_and_makes_a_line_of_its_own() -> None:
    sweep = builders.build_sweep()
    usual = build_waiting(2, sweep)
    urgent = build_waiting(1, sweep, priority=5)
    assert [(line.run.pk, line.position) for line in waiting(Choice()).lines] == [
        (urgent[0].pk, 1),
        (usual[0].pk, 2),
    ]


def test_each_queue_counts_its_positions_for_itself() -> None:
    build_waiting(2)
    build_waiting(1, queue="gpu")
    build_waiting(1)
    assert [(line.run.queue, line.position) for line in waiting(Choice()).lines] == [
        ("cpu", 1),
        ("gpu", 1),
        ("cpu", 3),
    ]


def test_a_filter_leaves_others_out_and_keeps_the_positions() -> None:
    build_waiting(4)
    mine = build_waiting(2)
    choice = Choice(project=mine[0].project.slug)
    assert [(line.run.pk, line.position) for line in waiting(choice).lines] == [(mine[0].pk, 5)]


def test_an_opened_sweep_has_a_line_for_each_run() -> None:
    runs = build_waiting(3)
    build_waiting(2)
    lines = waiting(Choice(opened=runs[0].sweep_id)).lines
    assert [line.count for line in lines] == [1, 1, 1, 2]


def test_opening_a_sweep_keeps_the_filters(reader: Client) -> None:
    run = build_waiting(2)[0]
    opening = f"/queue/?project={run.project.slug}&amp;queue=cpu&amp;open={run.sweep_id}"
    assert opening in text_of(reader, project=run.project.slug, queue="cpu")


def test_pages_go_forwards_and_back_although_the_front_is_taken_meanwhile() -> None:
    runs = [build_waiting(1)[0] for _ in range(7)]
    first = waiting(Choice(), size=3)
    Run.objects.filter(pk__in=[run.pk for run in runs[:2]]).update(status=Status.PAUSED)
    second = waiting(Choice(), size=3, after=first.next)
    assert [line.run.pk for line in second.lines] == [run.pk for run in runs[3:6]]
    assert [line.position for line in second.lines] == [2, 3, 4]
    back = waiting(Choice(), size=3, before=second.previous)
    assert [line.run.pk for line in back.lines] == [runs[2].pk, runs[3].pk, runs[4].pk]
    last = waiting(Choice(), size=3, after=second.next)
    assert ([line.run.pk for line in last.lines], last.next) == ([runs[6].pk], None)


@pytest.mark.parametrize("text", ["", "1", "1~2", "1~x~3", "1~2~3~4", "~~"])
def test_a_mark_that_is_none_begins_at_the_front(text: str) -> None:
    assert Mark.parse(text) is None


def test_a_mark_survives_being_written_and_read() -> None:
    mark = Mark(-5, 0.1 + 0.2, 12)
    assert Mark.parse(mark.text) == mark


def test_runs_that_train_together_are_one_line_with_a_guess_of_their_end() -> None:
    sweep, began = builders.build_sweep(), timezone.now() - timedelta(seconds=60)
    for steps in (20, 40):
        builders.build_running_run(sweep, steps_run=steps, started_at=began)
    builders.build_running_run(sweep, worker="host-2:7", steps_run=0)
    together, fresh = sorted(training(Choice()), key=lambda group: group.run.worker)
    assert (together.count, together.progress) == (2, 0.3)
    assert together.left is not None
    assert together.left.total_seconds() == pytest.approx(140, abs=5)
    assert fresh.left is None


# Page


def test_the_page_shows_what_trains_waits_is_paused_and_ended(reader: Client) -> None:
    builders.build_running_run(name="the training one")
    build_waiting(12, Sweep.objects.create(project=builders.build_project(), name="many", specification={}))
    builders.build_run(name="the paused one", status=Status.PAUSED)
    builders.build_finished_run(name="the finished one")
    text = text_of(reader)
    for words in ("1 training", "12 waiting", "1 to 12", "1 paused", "‖</span> paused", "the training one"):
        assert words in text
    assert text.index("the paused one") < text.index("the finished one")


def test_an_empty_queue_says_what_to_do(reader: Client) -> None:
    assert "Nothing trains and nothing waits" in text_of(reader)
    assert "Nothing of this trains or waits" in text_of(reader, queue="gpu")


def test_a_queue_without_workers_says_that_nothing_will_start(reader: Client) -> None:
    build_waiting(1)
    assert "No worker is running, so nothing can start." in text_of(reader)


def test_a_waiting_run_says_when_it_will_start(reader: Client) -> None:
    taken, first, second = build_waiting(3, expected_seconds=60.0)
    lifecycle.claim(taken.pk, "host-1:1")
    assert "Position 2 in the <a" in " ".join(reader.get(second.get_absolute_url()).content.decode().split())
    build_worker(1, concurrency=1)
    assert "It starts by itself as soon as a worker is free, in about" in " ".join(
        reader.get(first.get_absolute_url()).content.decode().split()
    )
    assert reader.get(reverse("queue")).context["expected"][first.pk].starts_in > 0


def test_the_fragment_is_a_part_of_the_page(reader: Client) -> None:
    build_waiting(3)
    answer = reader.get(reverse("queue-now"), {"queue": "cpu"})
    assert " ".join(answer.content.decode().split()) in text_of(reader, queue="cpu")


def test_who_may_not_steer_sees_no_button(client: Client) -> None:
    client.force_login(builders.build_user())
    build_waiting(3)
    text = text_of(client)
    for forbidden in ("queue-form", 'name="move"', 'type="checkbox"'):
        assert forbidden not in text


def test_the_navigation_counts_what_waits(reader: Client) -> None:
    build_waiting(3)
    assert '3<span class="hidden"> waiting' in text_of(reader)


def test_the_page_costs_the_same_for_one_line_and_for_a_page_of_them(
    reader: Client, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    queries = []
    for count in (1, LINES + 5):
        for _ in range(count):
            build_waiting(2)
            builders.build_running_run()
            builders.build_run(status=Status.PAUSED)
            builders.build_finished_run()
        # Session, user, 2 for rights; training 2, waiting 2, paused 2, ended; starts; filters 2; badges.
        with django_assert_max_num_queries(24) as done:
            reader.get(reverse("queue"))
        queries.append(len(done))
    assert queries[0] == queries[1]


@pytest.mark.parametrize(
    "parameters",
    [
        {"after": "x", "before": "y"},
        {"after": "0~1e400~3"},
        {"after": "0~nan~3"},
        {"project": "none", "user": "nobody\x00", "queue": "tpu"},
        {"open": "9" * 30},
        {"open": "-1"},
    ],
)
def test_odd_addresses_are_no_error(reader: Client, parameters: dict[str, str]) -> None:
    build_waiting(3)
    text_of(reader, **parameters)


def test_home_and_every_page_lead_to_the_queue(reader: Client) -> None:
    assert reader.get(reverse("home")).content.decode().count('href="/queue/"') == 2


def test_a_run_that_starts_while_the_page_is_made_has_no_expected_start(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    client.force_login(builders.build_user())
    build_waiting(1)
    monkeypatch.setattr("runs.pages.queue.expected_starts", lambda _: {})
    assert client.get("/queue/").status_code == 200
