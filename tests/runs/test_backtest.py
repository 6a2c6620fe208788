"""Backtest: a replay of what is stored says what was said live, and under other thresholds otherwise."""

from __future__ import annotations

import json
import tracemalloc
from typing import Any

import pytest

from nnlab.health.events import AlertEvent
from nnlab.health.thresholds import THRESHOLDS, Thresholds
from nnlab.health.tuning import tuned
from runs.backtest import comparing
from runs.backtest.comparing import Raised, Report, backtest, candidates
from runs.backtest.outcomes import Outcome, outcomes
from runs.backtest.replaying import OF_DATA, Replay, Replayer
from runs.models import Ledger, Run, Series, Trace
from runs.tasks import train_next
from runs.training.rebuilding import OF_TRACE, NotRebuiltError, rebuilt
from runs.training.recording import Recorder
from tests.runs import builders
from tests.runs.builders import extend_series

pytestmark = pytest.mark.django_db

SICK = {
    "hidden_units": (128, 64, 32, 16, 8),
    "activation": "sigmoid",
    "optimizer": "sgd",
    "learning_rate": 0.05,
    "steps": 400,
}
CASES: dict[str, dict[str, Any]] = {
    "vanishing": SICK,
    "healthy": {"hidden_units": (16,), "steps": 300},
    "no hidden layer": {"hidden_units": (), "steps": 60, "batch_size": 8},
    "dead": {"hidden_units": (8, 8), "learning_rate": 30.0, "optimizer": "sgd", "steps": None, "epochs": 20},
    "diverged": {"hidden_units": (8,), "activation": "linear", "learning_rate": 1e9, "optimizer": "sgd"},
    "tiny batches": {"hidden_units": (4, 4), "batch_size": 3, "steps": 300, "activation": "tanh"},
    "early stop": {"steps": None, "epochs": 40, "early_stopping_epochs": 2, "learning_rate": 0.03},
    "evaluated at every step": {"hidden_units": (6,), "steps": 90, "validate_every": 1, "schedule": "cosine"},
}


def trained(monkeypatch: pytest.MonkeyPatch, **training: Any) -> tuple[Run, list[AlertEvent]]:
    """Train a run as a worker does; with it, what the monitor said meanwhile."""
    live: list[AlertEvent] = []
    real = Recorder.record_events

    def noted(self: Recorder, events: Any) -> None:
        new = list(events)
        live.extend(new)
        real(self, new)

    monkeypatch.setattr(Recorder, "record_events", noted)
    run = builders.build_run(training=training)
    train_next("cpu")
    run.refresh_from_db()
    return run, live


def replayed(run: Run, thresholds: Thresholds = THRESHOLDS) -> Replay:
    return Replayer(thresholds).replay(run)


@pytest.mark.parametrize("case", CASES)
def test_a_replay_under_the_same_thresholds_says_what_was_said_live(
    monkeypatch: pytest.MonkeyPatch, case: str
) -> None:
    run, live = trained(monkeypatch, **CASES[case])
    replay = replayed(run)
    assert replay.unjudged == frozenset()
    assert [repr(event) for event in replay.events] == [repr(event) for event in live]


def test_the_cases_are_worth_replaying(monkeypatch: pytest.MonkeyPatch) -> None:
    said = {case: {event.check for event in trained(monkeypatch, **CASES[case])[1]} for case in CASES}
    assert {"vanishing", "nonfinite"} <= set().union(*said.values())
    assert said["dead"] & {"dead_layer", "dying_units", "born_dead"}


def test_without_its_trace_a_run_is_judged_by_what_its_series_tell(monkeypatch: pytest.MonkeyPatch) -> None:
    run, live = trained(monkeypatch, **SICK)
    Trace.objects.all().delete()
    replay = replayed(run)
    assert replay.unjudged == OF_TRACE
    assert "vanishing" in {event.check for event in replay.events}
    assert not OF_TRACE & {event.check for event in replay.events}
    opened = {event.check: event.step for event in reversed(live)}
    assert next(event.step for event in replay.events if event.check == "vanishing") == opened["vanishing"]


def test_what_waited_for_an_alert_that_cannot_be_judged_again_is_not_called_new(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run, live = trained(monkeypatch, **CASES["dead"])
    Trace.objects.all().delete()
    assert "vanishing" in {event.check for event in replayed(run).events} - {event.check for event in live}
    report = backtest(candidates(), THRESHOLDS)
    (one,) = report.runs
    assert report.different == []
    assert {"dead_layer", "vanishing", "not_learning"} <= one.unjudged
    assert not {"unscaled_data", "overfitting", "leak"} & one.unjudged


def test_without_its_data_a_run_is_judged_by_what_needs_none(monkeypatch: pytest.MonkeyPatch) -> None:
    run, _ = trained(monkeypatch, **SICK)
    run.config["data"] |= {"dataset": "gone.csv", "target": "y"}
    assert replayed(run).unjudged == OF_DATA


def test_of_data_that_are_others_by_now_nothing_is_judged(monkeypatch: pytest.MonkeyPatch) -> None:
    run, _ = trained(monkeypatch, **SICK)
    assert replayed(run).unjudged == frozenset()
    run.info["data_version"] = "0123456789ab"
    assert replayed(run).unjudged == OF_DATA


@pytest.mark.parametrize("fault", ["thinned", "gap", "never began"])
def test_a_run_of_which_points_are_missing_is_not_judged(monkeypatch: pytest.MonkeyPatch, fault: str) -> None:
    run, _ = trained(monkeypatch, steps=5)
    if fault == "never began":
        run.info = {}
    if fault == "gap":
        extend_series(Series.objects.get(run=run, metric="train_loss"), [1.0], steps=[9])
    if fault == "thinned":
        Ledger.objects.filter(run=run).update(thinned=1)
    with pytest.raises(NotRebuiltError, match=r"points were left out|every step|never began"):
        replayed(run)


def test_a_long_run_is_rebuilt_without_an_object_for_each_step(monkeypatch: pytest.MonkeyPatch) -> None:
    steps = 20_000
    run, _ = trained(monkeypatch, hidden_units=(2,), batch_size=2, steps=steps, schedule="cosine")
    rebuilt(run)  # what is loaded once is not counted
    tracemalloc.start()
    found = rebuilt(run)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(found.records.losses) == len(found.records.learning_rates) == steps
    assert peak < 120 * steps


def test_a_report_names_what_stricter_and_laxer_thresholds_change(monkeypatch: pytest.MonkeyPatch) -> None:
    run, _ = trained(monkeypatch, **SICK)
    same = backtest(candidates(), THRESHOLDS)
    assert (same.different, same.failed) == ([], 1)
    assert [row.check for row in same.rows] == [row.check for row in same.rows if row.stored == row.replayed]
    lax = json.dumps({"checks": {"vanishing": {"open": 0, "clear": 0}, "forward_collapse": {"open": 0}}})
    (other,) = backtest(candidates(), tuned(lax)).different
    assert other.run == run
    assert "vanishing" in other.gone
    late = json.dumps({"checks": {"vanishing": {"n_open": 5}}})
    (moved,) = backtest(candidates(), tuned(late)).different
    assert (moved.gone, "vanishing" in moved.moved) == ([], True)
    assert moved.replayed["vanishing"].step > moved.stored["vanishing"].step


def test_only_finished_runs_of_the_engine_that_are_kept_are_candidates_the_newest_first() -> None:
    project = builders.build_project(slug="digits")
    sweep = builders.build_sweep(project)
    old, new = builders.build_finished_run(sweep), builders.build_finished_run(sweep)
    builders.build_running_run(sweep)
    builders.build_finished_run(sweep, source="outside")
    builders.build_finished_run(sweep, deleted_at=new.ended_at)
    elsewhere = builders.build_finished_run()
    assert list(candidates("digits")) == [new, old]
    assert list(candidates()) == [elsewhere, new, old]


def test_when_the_time_is_over_the_report_says_how_many_runs_are_left(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = iter(range(100))
    monkeypatch.setattr(comparing, "monotonic", lambda: next(clock))
    for _ in range(4):
        builders.build_finished_run()
    report = backtest(candidates(), THRESHOLDS, seconds=2.5)
    assert (len(report.skipped), report.left) == (2, 2)


def build_report(*runs: tuple[bool | None, dict[str, Raised], dict[str, Raised]]) -> Report:
    compared = [
        comparing.Compared(
            Run(name=f"run {place}", steps_requested=100), Outcome(failed, ""), before, after, frozenset()
        )
        for place, (failed, before, after) in enumerate(runs)
    ]
    return Report("0123456789ab", compared)


def test_a_precision_counts_alerts_of_warning_and_above_on_runs_whose_outcome_is_known() -> None:
    alarm, shown = {"plateau": Raised("warning", 20)}, {"plateau": Raised("info", 20)}
    report = build_report((True, alarm, alarm), (False, alarm, shown), (None, alarm, {}), (True, {}, {}))
    (row,) = report.rows
    assert (row.check, row.stored.runs, row.stored.precision) == ("plateau", 3, 0.5)
    assert (row.replayed.runs, row.replayed.precision, row.replayed.share) == (1, 1.0, 0.2)
    assert (report.failed, report.undecided, report.total.stored.failed) == (2, 1, 1)
    assert [(one.new, one.gone, one.moved) for one in report.runs[:3]] == [
        ([], [], []),
        ([], ["plateau"], []),
        ([], ["plateau"], []),
    ]
    assert build_report((True, shown, shown)).rows == []


def build_ended(sweep: Any, score: float | None, **fields: Any) -> Run:
    return builders.build_finished_run(sweep, score=score, **fields)


def test_a_run_fails_by_its_end_alone() -> None:
    sweep = builders.build_sweep()
    good = [build_ended(sweep, score) for score in (0.9, 0.92, 0.94)]
    runs = {
        "diverged": build_ended(sweep, 0.5, status="failed", stop_reason="diverged"),
        "ended without a score": build_ended(sweep, None),
        "no better than a constant answer": build_ended(sweep, 0.119),
        "far below the project's median": build_ended(sweep, 0.4),
        "fine": build_ended(sweep, 0.6),
        "cancelled": build_ended(sweep, 0.1, status="cancelled", stop_reason="cancelled"),
    }
    found = outcomes([*good, *runs.values()])
    assert {found[run.pk].reason for run in good} == {"fine"}
    assert {name: found[run.pk].reason for name, run in runs.items()} == {name: name for name in runs}
    assert [found[run.pk].failed for run in runs.values()] == [True, True, True, True, False, None]


def test_errors_are_compared_the_other_way_round_and_few_runs_have_no_median() -> None:
    sweep = builders.build_sweep()
    info = {**builders.INFO, "baseline_metric": 2.0, "headline": "val_rmse"}

    def ended(score: float) -> Run:
        return build_ended(sweep, score, headline="val_rmse", info=info)

    low, high = ended(0.5), ended(1.6)
    assert [outcomes([run])[run.pk].failed for run in (low, high)] == [False, False]
    stuck = ended(1.99)
    ended(0.5)
    found = outcomes([low, high, stuck])
    assert [found[run.pk].failed for run in (low, high, stuck)] == [False, True, True]
