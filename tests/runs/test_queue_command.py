"""``nnlab queue``: what it prints, what it changes, and what it leaves alone when it refuses."""

from __future__ import annotations

import json

import pytest
from django.core.management import CommandError, call_command

from runs.models import Run, Status
from runs.steering import MANY
from tests.runs import builders
from tests.runs.test_pages_queue import build_waiting

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def wide(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")


def queue(capsys: pytest.CaptureFixture[str], *words: object) -> str:
    call_command("queue", *(str(word) for word in words))
    return capsys.readouterr().out


def order() -> list[int]:
    return list(Run.objects.awaiting_worker().values_list("pk", flat=True))


def statuses(*runs: Run) -> set[str]:
    return set(Run.objects.filter(pk__in=[run.pk for run in runs]).values_list("status", flat=True))


def test_the_queue_is_shown_line_by_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert "Nothing trains and nothing waits." in queue(capsys)
    runs = build_waiting(3)
    (single,) = build_waiting(1, name="the single one")
    builders.build_running_run(name="the training one")
    builders.build_run(name="the paused one", status=Status.PAUSED)
    told = queue(capsys, "list")
    for words in (
        f"sweep {runs[0].sweep_id}: {runs[0].sweep.name}, 3 runs",
        "1-3",
        f"{single.pk}: the single one",
        "the training one",
        "Paused: 1 run",
        "No worker is running, so nothing can start.",
    ):
        assert words in told


def test_the_queue_is_told_as_json_run_by_run(capsys: pytest.CaptureFixture[str]) -> None:
    runs = build_waiting(3)
    build_waiting(2)
    told = json.loads(queue(capsys, "list", "--json", "--project", runs[0].project.slug))
    assert [run["id"] for run in told["waiting"]] == [run.pk for run in runs]
    assert told["waiting_count"] == 3


def test_runs_are_paused_resumed_stopped_and_tried_again(capsys: pytest.CaptureFixture[str]) -> None:
    runs = build_waiting(2)
    numbers = [run.pk for run in runs]
    assert "2 runs are paused" in queue(capsys, "pause", *numbers)
    assert statuses(*runs) == {"paused"}
    assert "2 runs go on" in queue(capsys, "resume", "--sweep", runs[0].sweep_id)
    assert "2 runs are being stopped" in queue(capsys, "stop", "--project", runs[0].project.slug)
    assert json.loads(queue(capsys, "retry", *numbers, "--json")) == {"changed": 2}
    assert order() == numbers


def test_runs_are_moved_and_prioritised(capsys: pytest.CaptureFixture[str]) -> None:
    a, b, c = (run.pk for run in build_waiting(3))
    assert "1 run moved." in queue(capsys, "move", "first", c)
    assert order() == [c, a, b]
    queue(capsys, "move", b, c)
    assert order() == [a, c, b]
    queue(capsys, "move", "last", a)
    assert order() == [c, b, a]
    assert "1 run of priority 7 now." in queue(capsys, "prioritise", 7, a)
    queue(capsys, "prioritise", "--", -5, c)
    assert order() == [a, b, c]


def test_runs_of_a_user_are_meant_by_name(capsys: pytest.CaptureFixture[str]) -> None:
    mine, other = build_waiting(1), build_waiting(1)
    mine[0].sweep.created_by = builders.build_user(name="ada")
    mine[0].sweep.save()
    queue(capsys, "pause", "--user", "ada")
    assert (statuses(*mine), statuses(*other)) == ({"paused"}, {"queued"})


def test_very_many_runs_are_stopped_only_on_demand(capsys: pytest.CaptureFixture[str]) -> None:
    sweep = build_waiting(MANY + 1)[0].sweep_id
    with pytest.raises(CommandError, match=f"this would stop {MANY + 1} runs; add --yes"):
        queue(capsys, "stop", "--sweep", sweep)
    assert len(order()) == MANY + 1
    queue(capsys, "stop", "--sweep", sweep, "--yes")
    assert order() == []


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("stop",), "expected the numbers of runs, --sweep, --project or --user, got none of them"),
        (("pause", 999), "there is no run 999; nothing was changed"),
        (("pause", "--sweep", 999), "there is no sweep 999"),
        (("prioritise", "high", "{run}"), "expected a priority from -100 to 100, got 'high'"),
        (("prioritise", 101, "{run}"), "expected -100 to 100, got 101"),
        (("move", "middle", "{run}"), "expected last, first or the number of a run, got 'middle'"),
        (("resume", "{run}"), "only paused runs can go on"),
        (("move", "first", "{run}"), "nothing was moved"),
    ],
)
def test_what_cannot_be_done_says_why_and_changes_nothing(
    capsys: pytest.CaptureFixture[str], words: tuple[object, ...], told: str
) -> None:
    (run,) = build_waiting(1)
    before = list(Run.objects.values())
    with pytest.raises(CommandError, match=told):
        queue(capsys, *(str(word).format(run=run.pk) for word in words))
    assert list(Run.objects.values()) == before
