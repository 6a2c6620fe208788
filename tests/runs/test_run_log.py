"""The log of a run: written behind the fencing token, bounded, and read with its attempts."""

from __future__ import annotations

import uuid

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from runs import lifecycle, submission
from runs.models import Attempt, Level, LogLine, Run
from runs.reading.run_log import read_log
from runs.store import log
from runs.store.log import KEPT, MAX_TEXT, Line, Log
from runs.tasks import train_next
from runs.training import attempt
from tests.runs import builders
from tests.runs.submissions import build_submission

pytestmark = pytest.mark.django_db


def trained(**changes: object) -> Run:
    submission.submit(submission.parse(build_submission(**changes)), None)
    train_next("cpu")
    return Run.objects.get()


def texts(run: Run, level: str = "info") -> str:
    return "\n".join(str(entry) for entry in read_log(run, level))


def test_a_run_says_who_trained_it_on_what_and_how_it_went() -> None:
    run = trained(training={"epochs": 4, "steps": None, "width": 16})
    lines = [entry.text for entry in read_log(run)]
    assert lines[0].startswith("attempt 1: taken by ")
    assert lines[-1] == "attempt 1: finished"
    said = "\n".join(lines)
    for expected in (
        "layers 16-3, 131 parameters",
        "rows to train",
        "before training: val_loss",
        "epoch 4: ",
    ):
        assert expected in said
    assert "checkpoint of step" in said


def test_alerts_and_the_ending_of_a_run_that_diverged_are_in_its_log() -> None:
    settings = {"steps": 200, "optimizer": "sgd", "learning_rate": 1e6, "width": 8}
    run = trained(data={"dataset": "california_housing"}, training=settings)
    said = texts(run)
    assert "alert (critical)" in said
    assert "attempt 1: failed (diverged): Diverged" in said
    assert "before training" not in texts(run, "error")
    assert "failed (diverged)" in texts(run, "error")


def test_a_run_that_breaks_keeps_the_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("the cat sat on the cable")

    monkeypatch.setattr(attempt, "train_claimed", broken)
    with pytest.raises(RuntimeError):
        trained()
    [line] = LogLine.objects.all()
    assert (line.level, "in broken" in line.text, "the cat sat" in line.text) == (Level.ERROR, True, True)


def test_lines_of_an_earlier_attempt_stay_and_later_ones_come_after_them() -> None:
    run = builders.build_running_run()
    for number in range(2):
        lines = Log(run.pk)
        lines.begin()
        lines.say(f"attempt {number}")
        lines.write()
        lines.write()  # whose commit was not heard of
        lines.written()
        lines.say(f"more of {number}")
        lines.write()
    said = LogLine.objects.order_by("number").values_list("number", "text")
    assert [text for _, text in said] == ["attempt 0", "more of 0", "attempt 1", "more of 1"]


def test_only_the_last_lines_are_kept() -> None:
    run = builders.build_running_run()
    lines = Log(run.pk)
    lines.begin()
    for number in range(KEPT + 250):
        lines.say(str(number))
        if number % 50 == 49:
            lines.write()
            lines.written()
    assert KEPT <= LogLine.objects.count() < KEPT + 100
    assert read_log(run)[-1].text == str(KEPT + 249)


def test_a_long_text_loses_its_middle_and_what_no_database_takes() -> None:
    run = builders.build_running_run()
    assert run.token is not None
    log.say(run.pk, run.token, Line(f"first\x00{'x' * 3 * MAX_TEXT}last", Level.ERROR))
    [line] = LogLine.objects.all()
    assert len(line.text) < MAX_TEXT + 100
    assert line.text.startswith("first\ufffd")
    assert line.text.endswith("last")


def test_who_lost_the_run_says_nothing_of_it_any_more() -> None:
    run = builders.build_running_run()
    assert not log.say(run.pk, uuid.uuid4(), Line("late"))
    assert not LogLine.objects.exists()
    assert run.token is not None
    assert log.say(run.pk, run.token, Line("in time"))


def test_attempts_stand_between_the_lines() -> None:
    run = builders.build_running_run()
    now = timezone.now()
    Attempt.objects.create(run=run, number=1, process="host-1:4", started_at=now)
    assert run.token is not None
    log.say(run.pk, run.token, Line("in the middle"))
    lifecycle.fail(run.pk, run.token, "error", "it broke")
    found = [entry.text for entry in read_log(run)]
    assert found == ["attempt 1: taken by host-1:4", "in the middle", "attempt 1: failed (error): it broke"]


# Pages


@pytest.fixture
def reader(client: Client) -> Client:
    client.force_login(builders.build_user("stop_run"))
    return client


def test_the_page_shows_the_last_lines_and_the_file_has_all(reader: Client) -> None:
    run = builders.build_running_run()
    lines = Log(run.pk)
    for number in range(700):
        lines.say(f"line <{number}>", Level.WARNING if number == 3 else Level.INFO, step=number)
    lines.write()
    address = reverse("run-logs", args=[run.pk])
    shown = reader.get(address)
    assert len(shown.context["entries"]) == 500
    text = shown.content.decode()
    assert "200 earlier ones in the file" in text
    assert "line &lt;699&gt;" in text
    only = reader.get(address, {"level": "warning"}).context["entries"]
    assert [entry.text for entry in only] == ["line <3>"]
    file = reader.get(reverse("run-log", args=[run.pk]))
    assert file.headers["Content-Disposition"] == f'attachment; filename="run-{run.pk}.log"'
    assert len(file.content.decode().splitlines()) == 700


def test_new_lines_come_by_themselves(reader: Client) -> None:
    run = builders.build_running_run()
    assert run.token is not None
    log.say(run.pk, run.token, Line("a word"))
    news = reader.get(reverse("run-live", args=[run.pk]), {"tab": "logs"}).json()
    assert "a word" in news["fragments"]["log-lines"]
    assert "1 line" in news["fragments"]["log-count"]
