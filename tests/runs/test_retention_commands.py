"""``nnlab trash`` and ``nnlab purge``, and the scheduler that empties the trash."""

from __future__ import annotations

from datetime import timedelta
from io import StringIO
from typing import Any

import numpy as np
import pytest
from django.conf import LazySettings
from django.core.management import CommandError, call_command
from django.utils import timezone

from runs import console, queue, retention
from runs.models import Chunk, Ledger, Run
from runs.retention import file_size
from tests.runs.builders import build_finished_run, build_run, build_series

pytestmark = pytest.mark.django_db


def command(*words: str, **options: Any) -> str:
    """Run a command; what it prints for people."""
    with console.console.capture() as output:
        call_command(*words, stdout=StringIO(), **options)
    return " ".join(output.get().split())


def build_deleted_run(days: float = 0, *, kilobytes: int = 0) -> Run:
    run = build_finished_run(deleted_at=timezone.now() - timedelta(days=days))
    Ledger.objects.create(run=run, stored_bytes=1000 * kilobytes)
    return run


def test_runs_go_to_the_trash_and_come_back() -> None:
    run = build_finished_run(name="my run")
    assert command("trash", str(run.pk)) == "1 run moved to the trash."
    shown = command("trash")
    assert "my run" in shown
    assert "just now" in shown
    assert command("trash", "--restore", str(run.pk)) == "1 run restored, of 1 named."
    assert command("trash") == "The trash is empty."
    assert Run.objects.kept().get() == run


def test_a_run_that_waits_is_left_unless_it_is_to_be_stopped() -> None:
    run = str(build_run().pk)
    with pytest.raises(CommandError, match="1 run left, for they wait or train; add --stop"):
        command("trash", run)
    assert command("trash", "--stop", run) == "1 run moved to the trash."


@pytest.mark.parametrize("name", ["trash", "purge"])
def test_a_run_that_does_not_exist_is_named(name: str) -> None:
    run = build_finished_run()
    with pytest.raises(CommandError, match=f"there is no run {run.pk + 1}; nothing was changed"):
        command(name, str(run.pk), str(run.pk + 1))
    assert Run.objects.kept().get() == run


def test_a_purge_says_what_it_freed() -> None:
    run, other = build_deleted_run(), build_deleted_run()
    build_series(run, "train_loss", np.random.default_rng(3).standard_normal(4000))
    Ledger.objects.all().delete()  # of a run that was written before there were any
    size = sum(len(chunk.steps or b"") + len(chunk.data) for chunk in Chunk.objects.all())
    said = command("purge", str(run.pk))
    assert f"{size / 1000:.1f} kB in 1 run freed." in said
    assert "--vacuum makes the database's file smaller" in said
    assert Run.objects.get() == other


def test_a_purge_by_age_takes_what_is_older() -> None:
    build_deleted_run(31, kilobytes=700)
    build_deleted_run(40, kilobytes=500)
    young = build_deleted_run(29, kilobytes=900)
    kept = build_finished_run()
    assert command("purge", "--older-than", "30d", "--dry-run") == "1.2 MB in 2 runs would be freed."
    assert Run.objects.count() == 4
    command("purge", "--older-than", "30d")
    assert set(Run.objects.all()) == {young, kept}
    assert command("purge", "--all") == "0 B in 1 run freed."
    assert Run.objects.get() == kept


def test_a_purge_goes_on_with_one_that_was_cut_off() -> None:
    run = build_deleted_run()
    retention.begin_purge(Run.objects.filter(pk=run.pk))
    other = build_deleted_run()
    assert "in 2 runs freed" in command("purge", str(other.pk))


def test_a_run_has_to_be_deleted_before_it_is_purged() -> None:
    run = build_finished_run()
    with pytest.raises(CommandError, match=f"not in the trash: {run.pk}; delete first, with: nnlab trash"):
        command("purge", str(run.pk))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["purge"], "expected runs to purge, got none"),
        (["purge", "--older-than", "30"], "expected an age such as 30d, 12h or 2w, got '30'"),
        (["purge", "--all", "12"], "not allowed with"),
        (["trash", "--restore"], "expected the numbers of runs, got none"),
    ],
)
def test_a_command_that_is_not_clear_is_refused(words: list[str], message: str) -> None:
    with pytest.raises(CommandError, match=message):
        command(*words)


def test_the_scheduler_empties_the_trash(monkeypatch: pytest.MonkeyPatch, settings: LazySettings) -> None:
    handlers: dict[int, Any] = {}
    monkeypatch.setattr("signal.signal", lambda number, handler: handlers.update({number: handler}))
    monkeypatch.setattr(queue, "reconcile", lambda **_: next(iter(handlers.values()))(15, None))
    settings.TRASH_DAYS = 7
    build_deleted_run(8)
    begun = build_deleted_run(1)
    retention.begin_purge(Run.objects.filter(pk=begun.pk))
    young = build_deleted_run(6)
    command("scheduler", every=0.001)
    assert Run.objects.get() == young


def test_a_size_is_written_in_words() -> None:
    sizes = [0, 999, 1000, 999_949, 999_990, 1.2e9, 3.4e12]
    assert [file_size(size) for size in sizes] == [
        "0 B",
        "999 B",
        "1.0 kB",
        "999.9 kB",
        "1.0 MB",
        "1.2 GB",
        "3.4 TB",
    ]
