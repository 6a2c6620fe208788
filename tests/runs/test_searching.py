"""Bayesian searches go on: from the rows alone, once however many ask, up to their trials and no further."""

from __future__ import annotations

import math
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from nnlab.search.proposing import State, propose
from runs import lifecycle, submission
from runs.models import Run, Rung, Search, Status
from runs.searching import proposing
from runs.searching.outcomes import outcomes
from runs.searching.summary import RungSummary, summarise
from tests.runs.builders import build_sweep, build_user
from tests.runs.submissions import build_submission

pytestmark = pytest.mark.django_db

PAGE_QUERIES = 16  # those of a comparison, and four
SPACE = {"learning_rate": {"low": 1e-4, "high": 1.0, "log": True}}


def build_search(*, seeds: int = 1, **changes: Any) -> Search:
    search = {"method": "bayesian", "trials": 12, "space": SPACE, "goal": "val_loss", **changes}
    mapping = build_submission(search=search, seeds=seeds, training={"steps": 40})
    return submission.submit(submission.parse(mapping), None).search


def end(run: Run, value: float | str | None = None, **changes: Any) -> None:
    """Let a run end as its trial's learning rate deserves, or as told."""
    loss = abs(math.log10(run.learning_rate or 1.0) + 2) if value is None else value
    columns: dict[str, Any] = {
        "status": Status.FINISHED, "stop_reason": "end", "started_at": timezone.now(),
        "ended_at": timezone.now(), "summary": {"val_loss": loss}, "steps_run": 40, **changes,
    }  # fmt: skip
    Run.objects.filter(pk=run.pk).update(**columns)


def end_all(search: Search) -> None:
    for run in Run.objects.filter(trial__search=search).not_over():
        end(run)


def test_nothing_is_proposed_while_enough_trials_train() -> None:
    search = build_search()
    assert proposing.go_on(search) == 0
    for run in search.sweep.runs.order_by("pk")[:5]:
        end(run)
    assert proposing.go_on(search) == 1  # three of four are under way
    assert proposing.go_on(search) == 0


def test_a_search_ends_at_exactly_its_trials() -> None:
    search = build_search(seeds=2)
    for _ in range(8):
        end_all(search)
        proposing.propose_all()
    search.refresh_from_db()
    assert search.closed_at is not None
    assert search.trials.count() == 12
    assert search.sweep.runs.count() == 24
    assert [trial.number for trial in search.trials.all()] == list(range(12))


def test_later_trials_are_better_than_the_opening() -> None:
    search = build_search(trials=24)
    while search.trials.count() < 24:
        end_all(search)
        proposing.propose_all()
    end_all(search)
    losses = [one.value or 0.0 for one in outcomes(search)]
    assert sum(losses[8:]) / 16 < sum(losses[:8]) / 8


def test_a_proposal_that_somebody_else_has_stored_meanwhile_is_dropped(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    search = build_search()
    end_all(search)
    stored: list[int] = []

    def slow(*args: Any) -> Any:
        found = propose(*args)
        if not stored:
            stored.append(0)
            stored[0] = proposing.go_on(search)
        return found

    monkeypatch.setattr(proposing, "propose", slow)
    assert proposing.go_on(search) == 0
    assert stored == [4]
    assert search.trials.count() == 12


def test_the_same_rows_give_the_same_proposals() -> None:
    first, second = build_search(), build_search()
    for search in (first, second):
        end_all(search)
        proposing.go_on(search)
    points = [[trial.point for trial in search.trials.all()] for search in (first, second)]
    assert points[0] == points[1]


def test_a_cancelled_sweep_proposes_nothing_more() -> None:
    search = build_search()
    for run in search.sweep.runs.order_by("pk")[:6]:
        end(run)
    assert lifecycle.cancel_all(search.sweep.runs.all()) == 2
    search.refresh_from_db()
    assert search.closed_at is not None
    assert proposing.propose_all() == 0
    assert search.trials.count() == 8


def test_one_cancelled_run_of_many_ends_no_search() -> None:
    search = build_search()
    lifecycle.cancel(search.sweep.runs.order_by("pk")[0].pk)
    search.refresh_from_db()
    assert search.closed_at is None
    end_all(search)
    assert proposing.propose_all() == 4
    assert outcomes(search)[0].state is State.FAILED


def test_searches_of_given_runs_go_on_and_no_others() -> None:
    mine, other = build_search(), build_search()
    end_all(mine)
    end_all(other)
    assert proposing.propose_for([run.pk for run in mine.sweep.runs.all()[:3]]) == 4
    assert other.trials.count() == 8


def test_what_became_of_a_trial_is_told_from_its_runs() -> None:
    search = build_search(seeds=2)
    failed = {"status": Status.FAILED, "stop_reason": "error"}
    cases: list[tuple[list[dict[str, Any]], State, float | None]] = [
        ([{"value": 0.2}, {"value": 0.4}], State.DONE, 0.3),
        ([{"value": 0.2}, {**failed, "stop_reason": "diverged"}], State.DONE, math.inf),
        ([{"value": 0.2}, failed], State.DONE, 0.2),
        ([failed, {"status": Status.CANCELLED}], State.FAILED, None),
        (
            [{"value": 0.2, "stop_reason": "halved"}, {"value": 0.3, "stop_reason": "halved"}],
            State.STOPPED,
            0.25,
        ),
        ([{"value": "NaN"}, {"value": 0.1}], State.DONE, math.inf),
    ]
    for trial, (ends, _, _) in zip(search.trials.all(), cases, strict=False):
        for run, how in zip(trial.runs.order_by("pk"), ends, strict=True):
            end(run, **how)
    found = outcomes(search)
    for one, (_, state, value) in zip(found, cases, strict=False):
        assert one.state is state
        assert one.value == pytest.approx(value)
    assert {one.state for one in found[len(cases) :]} == {State.RUNNING}


def test_a_higher_accuracy_is_the_better_one() -> None:
    search = build_search(goal="val_accuracy", trials=24)
    while search.trials.count() < 24:
        for run in Run.objects.filter(trial__search=search).not_over():
            end(run, summary={"val_accuracy": 1 - abs(math.log10(run.learning_rate or 1.0) + 2) / 4})
        proposing.propose_all()
    misses = [abs(math.log10(trial.point["learning_rate"]) + 2) for trial in search.trials.all()]
    assert sum(misses[8:]) / 16 < sum(misses[:8]) / 8


def test_a_point_that_cannot_be_trained_is_kept_with_the_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    search = build_search()
    end_all(search)
    points = [{"learning_rate": 0.0}, {"learning_rate": 0.5}]
    monkeypatch.setattr(proposing, "propose", lambda *_: points)
    assert proposing.go_on(search) == 2
    bad, good = search.trials.filter(number__gte=8)
    assert "expected a number above 0" in bad.error
    assert bad.runs.count() == 0
    assert (good.error, good.runs.count()) == ("", 1)


def test_a_search_whose_data_are_gone_ends_with_the_reason() -> None:
    search = build_search()
    end_all(search)
    specification = search.sweep.specification
    specification["data"] = {**specification["data"], "dataset": "gone.csv"}
    search.sweep.save()
    assert proposing.propose_all() == 0
    search.refresh_from_db()
    assert search.closed_at is not None
    last = search.trials.last()
    assert last is not None
    assert "gone.csv" in last.error


def test_a_search_is_summed_up_with_its_best_trial_and_its_rungs() -> None:
    search = build_search(seeds=2, halving={"first_steps": 5})
    for run in search.sweep.runs.order_by("pk")[:2]:
        end(run)
    for run in search.sweep.runs.order_by("pk")[2:4]:
        end(run, 0.01, stop_reason="halved")
    first, second = search.trials.all()[:2]
    Rung.objects.create(trial=first, level=0, score=0.5, goes_on=True, arrived=1)
    Rung.objects.create(trial=second, level=0, score=None, goes_on=False, arrived=2)
    found = summarise(search.sweep)
    assert found is not None
    assert (found.method, found.metric, found.wanted, found.made, found.over) == (
        "bayesian",
        "val_loss",
        12,
        8,
        2,
    )
    assert found.best is not None
    assert found.best.trial == first  # the other one trained less
    assert found.is_whole
    assert found.rungs == [RungSummary(level=1, arrived=2, went_on=1, best=0.5)]
    assert found.stopped == 1


def test_a_page_and_the_api_show_how_a_search_stands(
    client: Client, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    client.force_login(build_user("stop_run"))
    search = build_search()
    client.get(search.sweep.get_absolute_url())
    with django_assert_num_queries(PAGE_QUERIES):
        empty = client.get(search.sweep.get_absolute_url()).content.decode()
    assert "as soon as one has ended" in empty
    assert "The others are proposed as results come." in empty
    end_all(search)
    proposing.go_on(search)
    text = client.get(search.sweep.get_absolute_url()).content.decode()
    assert "Best so far: <strong>" in text
    assert ">8 of 12 trials</span> over" in text
    answer = client.get(f"/api/sweeps/{search.pk}").json()["search"]
    assert (answer["over"], answer["made"], answer["wanted"], answer["is_open"]) == (8, 12, 12, True)
    assert answer["best"]["point"].keys() == {"learning_rate"}
    assert client.get(f"/api/sweeps/{build_sweep().pk}").json()["search"] is None
