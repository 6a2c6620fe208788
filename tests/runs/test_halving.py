"""Losing trials stop at their rungs: as the definition says, in every order, and once."""

from __future__ import annotations

import math
import random
import uuid
from typing import Any

import numpy as np
import pytest

from nnlab.engine.records import Ending, Evaluation, Records, RunInfo
from runs import queue, submission
from runs.models import Mark, Run, Rung, Search, Status
from runs.tasks import train_next
from runs.training import rungs
from runs.training.judging import Judge
from tests.runs.builders import build_running_run, build_series
from tests.runs.submissions import build_submission

pytestmark = pytest.mark.django_db

RATES = {"learning_rate": [0.1, 0.05, 0.02, 0.01, 1e-3, 1e-4, 1e-5, 1e-6, 1e-7]}


@pytest.fixture(autouse=True)
def one_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queue, "live_workers", lambda _: 1)


def build_search(seeds: int = 1, trials: int = 9, **search: Any) -> Search:
    """Submit a grid of trials whose runs a worker holds, compared by their validation loss."""
    search = {"goal": "val_loss", "halving": {"first_steps": 10}, **search}
    grid = {"learning_rate": [0.001 * (1 + number) for number in range(trials)]}
    mapping = build_submission(training={"steps": 100}, grid=grid, search=search, seeds=seeds)
    found = submission.submit(submission.parse(mapping), None).search
    held = {name: getattr(build_running_run(), name) for name in ("status", "lease_until", "started_at")}
    for run in found.sweep.runs.all():
        Run.objects.filter(pk=run.pk).update(token=uuid.uuid4(), **held)
    return found


def runs_of(search: Search) -> list[Run]:
    return list(search.sweep.runs.order_by("pk"))


def pass_rung(run: Run, value: float | None, level: int = 0) -> None:
    Mark.objects.create(run=run, rule=Mark.Rule.HALVING, level=level, step=10, value=value)


def judged(search: Search, *runs: Run) -> dict[int, str]:
    return rungs.judge(search, 3, [run.trial_id for run in runs])


def info(run: Run) -> RunInfo:
    return RunInfo(
        task="classes", inputs=4, widths=(4, 3), activations=("relu", "linear"), parameters=35,
        train_rows=120, validation_rows=30, batch_size=32, steps=100, steps_per_epoch=3, baseline_loss=1.1,
        headline="val_accuracy", baseline_metric=0.3,
    )  # fmt: skip


def heard(step: int, loss: float, *, ended: Ending | None = None, first: int = 1) -> Records:
    nothing = np.empty(0)
    shown = Evaluation(step, 1, {"val_loss": loss, "val_accuracy": 0.5}, nothing, nothing, 30)
    return Records(first, np.zeros(step - first + 1), nothing, (), (shown,), ended=ended)


def judge_of(search: Search) -> Judge:
    return Judge([(run, info(run)) for run in runs_of(search)])


def claims(search: Search) -> dict[int, uuid.UUID]:
    return {run.pk: run.token for run in runs_of(search) if run.token is not None}


@pytest.mark.parametrize("seed", range(6))
def test_in_any_order_of_arrival_the_rungs_are_those_of_the_definition(seed: int) -> None:
    random_ = random.Random(seed)
    search = build_search(trials=8)
    runs = runs_of(search)
    random_.shuffle(runs)
    came: list[float] = []
    while runs:
        together, runs = runs[: (size := random_.randint(1, 3))], runs[size:]
        scores = [random_.choice([0.1, 0.2, 0.3, 0.4, math.inf]) for _ in together]
        for run, score in zip(together, scores, strict=True):
            pass_rung(run, score if math.isfinite(score) else None)
        came += scores
        stopped = judged(search, *together)
        for run, score in zip(together, scores, strict=True):
            cut = sorted(came)[max(1, len(came) // 3) - 1]
            assert (run.trial_id in stopped) == (score > cut or math.isinf(score))


def test_a_trial_is_judged_once_and_the_judgement_stays() -> None:
    search = build_search(trials=3)
    first, second, third = runs_of(search)
    pass_rung(first, 0.5)
    assert judged(search, first) == {}
    pass_rung(second, 0.4)
    assert judged(search, first, second) == {}  # who arrived as the best goes on, whoever comes later
    pass_rung(third, 0.6)
    assert judged(search, first, second, third).keys() == {third.trial_id}
    assert judged(search, third) == judged(search, third)
    assert Rung.objects.count() == 3


def test_the_words_name_the_rung_and_the_score() -> None:
    search = build_search(trials=2)
    for run, value in zip(runs_of(search), (0.25, 0.5), strict=True):
        pass_rung(run, value)
    (words,) = judged(search, *runs_of(search)).values()
    assert words == (
        "Halved at rung 1: 0.5 val_loss was not among the best of the 2 trials that had come there."
    )


def test_a_trial_is_judged_by_the_mean_of_its_seeds_when_the_last_has_come() -> None:
    search = build_search(trials=2, seeds=2)
    one, one_more, other, other_more = runs_of(search)
    pass_rung(one, 0.1)
    assert judged(search, one) == {}
    assert not Rung.objects.exists()
    pass_rung(other, 0.2)
    pass_rung(other_more, 0.2)
    pass_rung(one_more, 0.9)
    stopped = judged(search, one, other)
    assert stopped.keys() == {one.trial_id}
    assert Rung.objects.get(trial=one.trial_id).score == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("ending", "score", "stops"),
    [
        ({"status": Status.FAILED, "stop_reason": "diverged"}, None, True),
        ({"status": Status.FAILED, "stop_reason": "error"}, 0.1, False),
        ({"status": Status.FINISHED, "stop_reason": "early stop", "summary": {"val_loss": 0.7}}, 0.4, True),
    ],
)
def test_a_seed_that_is_over_counts_as_it_ended(
    ending: dict[str, Any], score: float | None, stops: bool
) -> None:
    search = build_search(trials=2, seeds=2)
    one, one_more, other, other_more = runs_of(search)
    over = {
        "token": None,
        "lease_until": None,
        "ended_at": one_more.queued_at,
        "started_at": one_more.queued_at,
    }
    Run.objects.filter(pk=one_more.pk).update(**over, **ending)
    for run, value in ((one, 0.1), (other, 0.2), (other_more, 0.2)):
        pass_rung(run, value)
    assert (one.trial_id in judged(search, one, other)) == stops
    assert Rung.objects.get(trial=one.trial_id).score == (None if score is None else pytest.approx(score))


def test_trials_of_another_search_do_not_count() -> None:
    search, other = build_search(trials=2), build_search(trials=2)
    pass_rung(runs_of(other)[0], 0.1)
    judged(other, runs_of(other)[0])
    pass_rung(runs_of(search)[0], 0.9)
    assert judged(search, runs_of(search)[0]) == {}


def test_those_that_pass_a_rung_in_the_same_round_are_judged_together() -> None:
    search = build_search(trials=6)
    judge, losses = judge_of(search), [0.6, 0.5, 0.4, 0.3, 0.2, 0.1]
    for run, loss in zip(runs_of(search), losses, strict=True):
        judge.hear(run.pk, heard(12, loss))
        assert not judge.is_due
    judge.hear(runs_of(search)[0].pk, heard(14, 0.6, first=13))
    assert judge.is_due
    stopped = judge.verdicts(claims(search))
    assert [run.pk in stopped for run in runs_of(search)] == [True] * 4 + [False] * 2
    assert {verdict.reason for verdict in stopped.values()} == {"halved"}
    assert not judge.is_due


def test_a_run_that_was_taken_from_its_worker_passes_no_mark() -> None:
    search = build_search(trials=2)
    one, other = runs_of(search)
    judge, held = judge_of(search), claims(search)
    for run in (one, other):
        judge.hear(run.pk, heard(12, 0.5, ended=Ending.END))
    Run.objects.filter(pk=one.pk).update(token=uuid.uuid4())
    judge.verdicts(held)
    assert list(Mark.objects.values_list("run", flat=True)) == [other.pk]


def test_a_run_that_is_trained_again_passes_its_marks_once() -> None:
    search = build_search(trials=1)
    for loss in (0.5, 0.7):
        judge = judge_of(search)
        judge.hear(runs_of(search)[0].pk, heard(40, loss, ended=Ending.END))
        judge.verdicts(claims(search))
    assert list(Mark.objects.values_list("level", "value")) == [(0, 0.5), (1, 0.5)]


def test_a_threshold_stops_a_run_and_says_which_rule_it_was() -> None:
    rules = [{"metric": "val_loss", "above": 5, "after_step": 10}, {"below": 0.01}]
    search = build_search(trials=2, stop_rules=rules, halving=None)
    one, other = runs_of(search)
    judge = judge_of(search)
    judge.hear(one.pk, heard(10, 9.0))
    judge.hear(other.pk, heard(12, 9.0))
    assert judge.is_due
    (found,) = judge.verdicts(claims(search)).items()
    assert found[0] == other.pk
    assert found[1].words == "Stop rule: val_loss was 9 at step 12, above the rule's 5."


def test_the_median_rule_stops_who_is_worse_than_the_others_were() -> None:
    search = build_search(trials=6, stop_rules=[{"median": True, "after_step": 20}], halving=None)
    judge = judge_of(search)
    for run, loss in zip(runs_of(search), [0.1, 0.2, 0.3, 0.4, 0.5, 0.9], strict=True):
        judge.hear(run.pk, heard(10, loss + 1))
        judge.hear(run.pk, heard(20, loss, first=11))
    judge.hear(runs_of(search)[0].pk, heard(21, 0.1, first=21))
    stopped = judge.verdicts(claims(search))
    assert [run.pk in stopped for run in runs_of(search)] == [False] * 5 + [True]
    (verdict,) = stopped.values()
    assert verdict.reason == "stop rule"
    assert "the best val_loss up to step 20, 0.9, was worse than the median" in verdict.words


def test_a_run_that_goes_on_from_a_checkpoint_is_judged_by_all_that_it_has_shown() -> None:
    rules = [{"median": True, "after_step": 20}]
    search = build_search(trials=2, stop_rules=rules, halving=None)
    first, second = runs_of(search)
    build_series(second, "val_loss", [9.0, 0.2, 0.4], steps=[0, 10, 15])
    judge = judge_of(search)
    judge.hear(first.pk, heard(20, 0.3))
    judge.hear(second.pk, heard(20, 0.6, first=16))
    judge.hear(second.pk, heard(25, 0.9, first=21))
    judge.verdicts(claims(search))
    mark = Mark.objects.get(run=second)
    assert mark.value == 0.2
    assert mark.average == pytest.approx(0.4)  # the untrained network does not count


def test_a_sweep_without_rules_is_not_judged() -> None:
    mapping = build_submission(
        search={"method": "random", "trials": 2, "space": {"l2": {"low": 0, "high": 1}}}
    )
    search = submission.submit(submission.parse(mapping), None).search
    assert not judge_of(search).is_needed


def test_a_halved_sweep_trains_less_and_keeps_the_best() -> None:
    mapping = build_submission(
        data={"dataset": "digits"},
        training={"steps": 3000, "width": 16, "validate_every": 50},
        grid=RATES,
        search={"halving": {"first_steps": 100}, "goal": "val_loss"},
    )
    sweep = submission.submit(submission.parse(mapping), None)
    while sweep.runs.filter(status=Status.QUEUED).exists():
        train_next("cpu")
    runs = list(sweep.runs.order_by("pk"))
    assert {run.status for run in runs} == {Status.FINISHED}
    halved = [run for run in runs if run.stop_reason == "halved"]
    assert len(halved) >= 4
    assert sum(run.steps_run for run in runs) < 0.7 * 9 * 3000
    assert all(run.score is not None and "Halved at rung" in run.error for run in halved)
    whole = [run.learning_rate or 0.0 for run in runs if run.stop_reason == "end"]
    assert whole
    assert min(whole) >= 1e-3
