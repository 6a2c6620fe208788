"""The demonstration: submitted once, counted while it trains, and judged at the end."""

from __future__ import annotations

from io import StringIO

import pytest
from django.contrib.auth.models import User
from rich.console import Console

from runs import console, submission
from runs.demo import report
from runs.demo.progress import FOLDER, ensure_submitted, progress, specifications
from runs.demo.watching import Speed
from runs.models import Run, Status, Sweep
from runs.tasks import train_next
from tests.runs.builders import build_alert, build_finished_run, build_run, build_sweep
from tests.runs.submissions import build_submission

pytestmark = pytest.mark.django_db


def shown(monkeypatch: pytest.MonkeyPatch) -> StringIO:
    text = StringIO()
    monkeypatch.setattr(console, "console", Console(file=text, width=160, highlight=False))
    return text


def test_every_file_of_the_demonstration_can_be_submitted() -> None:
    assert len(specifications()) == len(list(FOLDER.glob("*.toml"))) > 0


def test_the_demonstration_is_submitted_once_by_the_administrator() -> None:
    owner = User.objects.create_superuser("root", "", "a long passphrase")
    first, is_new = ensure_submitted()
    assert is_new
    assert {sweep.created_by for sweep in first} == {owner}
    runs = Run.objects.count()

    again, is_new = ensure_submitted()
    assert not is_new
    assert [sweep.pk for sweep in again] == [sweep.pk for sweep in first]
    assert Run.objects.count() == runs == sum(len(spec.runs) for spec in specifications())


def test_what_is_missing_of_the_demonstration_is_submitted() -> None:
    first, _ = ensure_submitted()
    Sweep.objects.filter(pk=first[1].pk).delete()
    again, is_new = ensure_submitted()
    assert is_new
    assert [sweep.name for sweep in again] == [sweep.name for sweep in first]
    assert Sweep.objects.count() == len(first)


def test_of_a_sweep_that_was_submitted_again_by_hand_the_newest_counts() -> None:
    first, _ = ensure_submitted()
    newest = submission.submit(specifications()[0], None)
    again, is_new = ensure_submitted()
    assert not is_new
    assert again == [newest, *first[1:]]


def test_progress_counts_runs_steps_and_alerts_that_matter() -> None:
    sweep = build_sweep()
    build_run(sweep)
    finished = build_finished_run(sweep)
    build_finished_run(sweep, status=Status.FAILED, stop_reason="diverged")
    build_alert(finished)
    build_alert(finished, "not_learning", severity="info")
    build_alert(finished, "dead_layer", state="resolved", resolved_step=9)
    build_finished_run()
    found = progress([sweep])
    assert (found.total, found.over, found.failed, found.alerts) == (3, 2, 1, 1)
    assert (found.steps_run, found.steps_requested) == (200, 300)
    assert not found.is_over
    assert progress([finished.sweep]).total == 3


def test_progress_of_nothing_is_over() -> None:
    assert progress([]).is_over


def test_the_summary_shows_the_interval_over_seeds_and_open_alerts(monkeypatch: pytest.MonkeyPatch) -> None:
    text = shown(monkeypatch)
    sweep = build_sweep(name="Depth")
    for seed, score in enumerate([0.8, 0.9]):
        run = build_finished_run(sweep, score=score, training={"seed": seed})
    build_alert(run)
    build_finished_run(sweep, score=0.5, training={"activation": "tanh"})
    build_finished_run(sweep, score=None, training={"hidden_units": ()})
    report.print_summary([sweep])
    lines = text.getvalue().splitlines()
    (pair,) = [line for line in lines if "16-16 relu" in line]
    assert "2 of 2" in pair
    assert "0.8500" in pair
    assert "0.2147 to 1.4853" in pair  # 0.85 -+ t(0.975, 1) * sd / sqrt(2), by hand: 12.7062 * 0.05
    assert "warning: vanishing" in pair
    (single,) = [line for line in lines if "16-16 tanh" in line]
    assert "one seed" in single
    (none,) = [line for line in lines if "linear" in line and "0 of 1" in line]
    assert "none" in none


def test_the_demonstration_has_failed_where_a_run_did_not_finish() -> None:
    sweep = build_sweep()
    build_finished_run(sweep)
    assert not report.has_failed([sweep])
    build_finished_run(sweep, status=Status.FAILED, stop_reason="diverged")
    assert report.has_failed([sweep])


def test_the_summary_of_a_real_run_is_in_the_targets_unit(monkeypatch: pytest.MonkeyPatch) -> None:
    text = shown(monkeypatch)
    mapping = build_submission(data={"dataset": "california_housing"}, training={"steps": 50})
    sweep = submission.submit(submission.parse(mapping), None)
    train_next("cpu")
    report.print_summary([sweep])
    assert "USD" in text.getvalue()
    assert "val_rmse" in text.getvalue()


def test_the_speed_is_that_of_the_last_seconds() -> None:
    speed = Speed()
    assert speed.after(0, 100.0) == 0
    assert speed.after(1000, 101.0) == 1000
    assert speed.after(1000, 102.0) == 500  # nothing new this second: it sinks, it does not flicker to 0
    assert speed.after(5000, 105.0) == 1000
    assert speed.after(5000, 111.0) == 0
    assert speed.after(100, 112.0) == 0  # a run began anew: never a negative speed
