"""Searches as rows: trials with their points, runs that belong to them, and what a plain sweep has of it."""

from __future__ import annotations

from typing import Any

import pytest

from runs import submission
from runs.models import Run, Search, Sweep, Trial
from tests.runs.submissions import build_submission

pytestmark = pytest.mark.django_db

SPACE = {"learning_rate": {"low": 1e-4, "high": 0.1, "log": True}}


def submitted(**changes: Any) -> Sweep:
    return submission.submit(submission.parse(build_submission(**changes)), None)


def test_a_search_is_stored_with_its_trials_and_their_runs() -> None:
    sweep = submitted(search={"method": "latin_hypercube", "trials": 5, "space": SPACE}, seeds=2)
    search = Search.objects.get(sweep=sweep)
    assert (search.metric, search.trials_wanted) == ("val_accuracy", 5)
    assert search.closed_at is not None  # all of its trials are made
    trials = list(Trial.objects.filter(search=sweep.search).prefetch_related("runs"))
    assert [trial.number for trial in trials] == [0, 1, 2, 3, 4]
    for trial in trials:
        assert {run.learning_rate for run in trial.runs.all()} == {trial.point["learning_rate"]}
        assert {run.seed for run in trial.runs.all()} == {0, 1}


def test_runs_of_a_search_are_named_by_what_was_searched() -> None:
    sweep = submitted(search={"method": "random", "trials": 2, "space": SPACE})
    for run in sweep.runs.all():
        assert f"learning rate {run.learning_rate}" in run.name


def test_a_grid_that_is_halved_has_a_trial_for_each_point() -> None:
    sweep = submitted(grid={"width": [2, 4]}, search={"halving": {"first_steps": 2}, "goal": "val_loss"})
    assert (sweep.search.metric, sweep.search.trials_wanted) == ("val_loss", 2)
    assert [trial.point for trial in sweep.search.trials.all()] == [{"width": 2}, {"width": 4}]


def test_a_bayesian_search_begins_with_its_opening() -> None:
    sweep = submitted(search={"method": "bayesian", "trials": 20, "space": SPACE})
    assert (sweep.search.trials_wanted, sweep.search.closed_at) == (20, None)
    assert sweep.search.trials.count() == sweep.runs.count() == 8


def test_a_plain_sweep_has_neither_search_nor_trials() -> None:
    submitted(grid={"width": [2, 4]})
    assert not Search.objects.exists()
    assert not Run.objects.exclude(trial=None).exists()
