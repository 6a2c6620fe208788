"""A run that was cut off goes on from its checkpoint, and nothing of it tells that it ever stopped."""

from __future__ import annotations

import math
import os
import signal
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings
from django.utils import timezone

from nnlab.engine import checkpoints as engine
from nnlab.engine import population
from nnlab.engine.errors import CheckpointError
from runs import lifecycle
from runs.models import Alert, Attempt, Checkpoint, CheckpointPart, Ledger, Outcome, Run, Status
from runs.store import checkpoints
from runs.store.checkpoints import Keeper, State
from runs.tasks import train_next
from runs.training import company
from runs.training.populations import KeptPopulation
from runs.training.recording import RunTakenError
from tests.engine.native import TIERS
from tests.runs.builders import build_run
from tests.runs.watching import interfere, write_at_once
from tests.runs.whole_runs import assert_same

pytestmark = pytest.mark.django_db

SICK = {
    "hidden_units": (64, 32, 16, 8, 8),
    "activation": "sigmoid",
    "optimizer": "sgd",
    "learning_rate": 0.05,
    "steps": 400,
}
CASES: dict[str, dict[str, Any]] = {
    "adam": {"hidden_units": (32, 16), "steps": 400},
    "momentum and dropout": {
        "hidden_units": (32, 16),
        "optimizer": "sgd",
        "momentum": 0.9,
        "dropout": 0.3,
        "steps": 400,
    },
    "batch norm": {"hidden_units": (32, 16), "batch_norm": True, "steps": 400},
    "early stopping": {"steps": None, "epochs": 60, "early_stopping_epochs": 3, "learning_rate": 0.02},
    "plateau": {"steps": None, "epochs": 20, "schedule": "reduce_on_plateau", "plateau_epochs": 2},
    "sick": SICK,
    "diverging": {
        "hidden_units": (16, 16),
        "activation": "linear",
        "learning_rate": 0.5,
        "optimizer": "sgd",
        "momentum": 0.9,
    },
    "float64": {"hidden_units": (16,), "dtype": "float64", "steps": 200},
    "evaluated at every step": {"hidden_units": (6,), "steps": 90, "validate_every": 1, "schedule": "cosine"},
}


@pytest.fixture(autouse=True)
def _keep_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a member write after each chunk, and keep it after each."""
    write_at_once(monkeypatch)
    monkeypatch.setattr(settings, "CHECKPOINT_SECONDS", 0.0)
    monkeypatch.setattr(company, "KEEP_SHARE", math.inf)


def train(run: Run) -> Run:
    train_next("cpu")
    run.refresh_from_db()
    return run


def lose() -> None:
    """Let the worker fall silent in mid-run."""
    Run.objects.filter(status=Status.RUNNING).update(lease_until=timezone.now() - timedelta(seconds=1))
    lifecycle.mark_lost()
    lifecycle.settle_lost()


def disturb(monkeypatch: pytest.MonkeyPatch, run: Run, act: Callable[[], object], at: int) -> None:
    """Train a run, and do something after a number of steps."""
    with monkeypatch.context() as attempt:
        attempt.setattr(population, "CHUNK_SECONDS", 1e-9)  # chunks of a step
        interfere(attempt, act, at=at)
        train(run)


def cut_off(monkeypatch: pytest.MonkeyPatch, run: Run, *, at: int = 40) -> Run:
    disturb(monkeypatch, run, lose, at)
    assert run.status == Status.QUEUED
    return run


def of(run: Run, number: int) -> Attempt:
    return Attempt.objects.get(run=run, number=number)


@pytest.mark.parametrize("tier", TIERS)
@pytest.mark.parametrize("case", CASES)
def test_a_run_that_was_cut_off_ends_like_one_that_was_not(
    monkeypatch: pytest.MonkeyPatch, case: str, tier: str
) -> None:
    monkeypatch.setenv("NNLAB_TIER", tier if case != "float64" else "auto")
    undisturbed = train(build_run(training=CASES[case]))
    assert undisturbed.diverged == (case == "diverging")
    cut = cut_off(monkeypatch, build_run(training=CASES[case]), at=6 if undisturbed.diverged else 40)
    run = train(cut)
    assert of(run, 2).began_after > 0
    assert of(run, 2).note == ""
    assert_same(run.pk, undisturbed.pk)


def test_the_sick_run_has_alerts_to_compare() -> None:
    run = train(build_run(training=SICK))
    assert run.alerts.filter(count__gt=1).exists()


def test_what_people_did_about_an_alert_survives(monkeypatch: pytest.MonkeyPatch) -> None:
    undisturbed, run = train(build_run(training=SICK)), build_run(training=SICK)

    def handle_and_lose() -> None:
        Alert.objects.filter(run=run).update(muted_at=timezone.now(), mute_reason="known")
        lose()

    disturb(monkeypatch, run, handle_and_lose, at=150)
    before = dict(run.alerts.filter(mute_reason="known").values_list("check_id", "muted_at"))
    assert before
    train(run)
    after = run.alerts.filter(mute_reason="known").values_list("check_id", "muted_at")
    assert dict(after) == before
    told = {alert.check_id: (alert.opened_step, alert.count) for alert in undisturbed.alerts.all()}
    assert {alert.check_id: (alert.opened_step, alert.count) for alert in run.alerts.all()} == told


def checkpoint(run: Run) -> Checkpoint:
    return Checkpoint.objects.get(run=run)


def test_a_run_that_loses_its_worker_again_goes_on_further_up(monkeypatch: pytest.MonkeyPatch) -> None:
    undisturbed = train(build_run(training=SICK))
    run = cut_off(monkeypatch, build_run(training=SICK))
    train(cut_off(monkeypatch, run))
    assert 0 < of(run, 2).began_after < of(run, 3).began_after
    assert_same(run.pk, undisturbed.pk)


def damage() -> None:
    part = CheckpointPart.objects.get()
    data = bytearray(part.data)
    data[-1] ^= 1
    part.data = bytes(data)
    part.save()


SPOILED: dict[str, tuple[Callable[[], object], str]] = {
    "another engine": (lambda: spoil("engine", "0123456789ab"), "is of engine 0123456789ab instead of "),
    "another tier": (lambda: spoil("tier", "cupy"), "is of tier cupy instead of "),
    "another processor": (lambda: spoil("isa", "sse9"), "is of instruction set sse9 instead of "),
    "other data": (lambda: spoil("data", "older"), "is of version of the data older instead of "),
    "damaged bytes": (damage, "cannot be read: expected bytes that fit their checksum"),
    "missing bytes": (lambda: CheckpointPart.objects.all().delete(), "cannot be read: expected a checkpoint"),
    "points left out": (lambda: Ledger.objects.update(thinned=1), "its alerts could not go on: points were"),
}


def spoil(name: str, value: str) -> None:
    kept = Checkpoint.objects.get()
    kept.origin[name] = value
    kept.save()


@pytest.mark.parametrize("fault", SPOILED)
def test_a_checkpoint_that_would_change_the_numbers_is_left_and_the_attempt_says_why(
    monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    run = cut_off(monkeypatch, build_run(training=CASES["adam"]))
    act, why = SPOILED[fault]
    act()
    train(run)
    assert (run.status, of(run, 2).began_after) == (Status.FINISHED, 0)
    assert of(run, 2).note.startswith("It began anew, for its ")
    assert why in of(run, 2).note
    Ledger.objects.update(thinned=0)
    assert_same(run.pk, train(build_run(training=CASES["adam"])).pk)


def test_rules_that_have_changed_judge_the_run_from_its_start(monkeypatch: pytest.MonkeyPatch) -> None:
    undisturbed = train(build_run(training=SICK))
    run = cut_off(monkeypatch, build_run(training=SICK), at=150)
    Checkpoint.objects.filter(run=run).update(health="0123456789ab")
    Alert.objects.filter(run=run).update(count=7)
    train(run)
    assert of(run, 2).began_after > 0
    assert_same(run.pk, undisturbed.pk)


def test_the_checkpoint_of_an_earlier_attempt_is_never_the_one_that_counts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(checkpoints, "PART", 1000)
    run = cut_off(monkeypatch, build_run(training=CASES["adam"]))
    stale = Keeper(run.pk)
    stale.begin(anew=False)
    state = State(10**6, b"x" * 3000, {}, {}, "")
    train(run)
    kept = checkpoint(run)

    def guard() -> None:
        raise RunTakenError

    stale.take(state)
    with pytest.raises(RunTakenError):
        stale.write_ahead(guard)
    assert checkpoint(run).step == kept.step == run.steps_run
    assert set(CheckpointPart.objects.values_list("number", flat=True)) == {kept.number}


def test_a_checkpoint_in_many_parts_is_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoints, "PART", 1000)
    undisturbed = train(build_run(training=CASES["adam"]))
    kept = checkpoint(undisturbed)
    assert kept.size == len(checkpoints.data_of(kept))
    assert CheckpointPart.objects.filter(run=undisturbed).count() == -(-kept.size // 1000) > 10
    run = train(cut_off(monkeypatch, build_run(training=CASES["adam"])))
    assert of(run, 2).began_after > 0
    assert_same(run.pk, undisturbed.pk)


def test_a_network_that_is_too_large_is_not_kept_and_the_attempt_says_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(settings, "CHECKPOINT_LIMIT", 2**10)
    run = train(cut_off(monkeypatch, build_run(training=CASES["adam"])))
    assert not Checkpoint.objects.exists()
    assert [of(run, number).began_after for number in (1, 2)] == [0, 0]
    assert "No checkpoints are kept" in of(run, 2).note


def test_a_paused_run_goes_on_where_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "CHECKPOINT_SECONDS", math.inf)
    undisturbed = train(build_run(training=CASES["early stopping"]))
    run = build_run(training=CASES["early stopping"])
    disturb(monkeypatch, run, lambda: lifecycle.pause(run.pk), at=40)
    assert (run.status, run.attempt) == (Status.PAUSED, 0)
    assert of(run, 1).outcome == Outcome.PAUSED
    assert checkpoint(run).step == run.steps_run > 0
    assert lifecycle.resume(run.pk)
    train(run)
    assert of(run, 2).began_after == of(run, 1).last_step
    assert_same(run.pk, undisturbed.pk)


def test_a_worker_that_is_stopped_keeps_its_run_and_hands_it_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "CHECKPOINT_SECONDS", math.inf)
    undisturbed = train(build_run(training=CASES["adam"]))
    run = build_run(training=CASES["adam"])

    def stop(number: int, _: object) -> None:
        raise SystemExit(number)

    before = signal.signal(signal.SIGTERM, stop)
    try:
        with pytest.raises(SystemExit):
            disturb(monkeypatch, run, lambda: os.kill(os.getpid(), signal.SIGTERM), at=40)
    finally:
        signal.signal(signal.SIGTERM, before)
    run.refresh_from_db()
    assert (run.status, run.attempt) == (Status.QUEUED, 0)
    assert of(run, 1).outcome == Outcome.GIVEN_BACK
    train(run)
    assert of(run, 2).began_after == of(run, 1).last_step > 0
    assert_same(run.pk, undisturbed.pk)


def test_checkpoints_cost_a_hundredth_of_the_time_at_most(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(company, "KEEP_SHARE", 1e-9)
    run = cut_off(monkeypatch, build_run(training=CASES["adam"]), at=150)
    assert checkpoint(run).number == 1  # nothing was spent when it was due


def test_a_run_that_has_finished_keeps_its_last_state() -> None:
    run = train(build_run(training=CASES["early stopping"]))
    assert checkpoint(run).step == run.steps_run
    kept = checkpoints.data_of(checkpoint(run))
    assert engine.Checkpoint.from_bytes(kept).counters["ended"] == "early stop"


def test_a_member_that_has_more_to_tell_first_is_kept_later(monkeypatch: pytest.MonkeyPatch) -> None:
    refused: list[int] = []
    keep = KeptPopulation.checkpoint

    def refuse_at_first(self: KeptPopulation, index: int) -> bytes:
        refused.append(index)
        if len(refused) % 2:
            raise CheckpointError("expected a member whose records are all told")
        return keep(self, index)

    undisturbed = train(build_run(training=CASES["adam"]))
    run = build_run(training=CASES["adam"])
    with monkeypatch.context() as stubborn:
        stubborn.setattr(settings, "CHECKPOINT_SECONDS", math.inf)
        stubborn.setattr(KeptPopulation, "checkpoint", refuse_at_first)
        disturb(stubborn, run, lambda: lifecycle.pause(run.pk), at=40)
    assert refused == [0, 0]
    assert lifecycle.resume(run.pk)
    train(run)
    assert of(run, 2).began_after == of(run, 1).last_step == 42
    assert_same(run.pk, undisturbed.pk)


def test_a_cancelled_run_that_is_tried_again_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    undisturbed = train(build_run(training=CASES["adam"]))
    run = build_run(training=CASES["adam"])
    disturb(monkeypatch, run, lambda: lifecycle.cancel(run.pk), at=40)
    assert run.status == Status.CANCELLED
    assert lifecycle.requeue(run.pk)
    train(run)
    assert of(run, 2).began_after > 30
    assert_same(run.pk, undisturbed.pk)


def test_a_run_whose_worker_dies_before_it_says_that_it_has_ended_is_not_trained_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    undisturbed = train(build_run(training=CASES["early stopping"]))
    run = build_run(training=CASES["early stopping"])
    with monkeypatch.context() as attempt:
        attempt.setattr(lifecycle, "finish", lambda *_: lose())
        train(run)
    assert run.status == Status.QUEUED
    train(run)
    assert of(run, 2).began_after == undisturbed.steps_run
    assert_same(run.pk, undisturbed.pk)
