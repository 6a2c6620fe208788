"""The tab of differences: what is said of each group, and the seeds that one click adds."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from runs.models import Project, Run, Source, Status, Sweep
from runs.reading.extended import extended_groups
from tests.runs import builders

pytestmark = pytest.mark.django_db

TRAINING = {"hidden_units": (8,), "epochs": 1, "steps": None}


@pytest.fixture
def worker(client: Client) -> Client:
    client.force_login(builders.build_user("submit_sweep"))
    return client


def build_group(sweep: Sweep, rate: float, scores: dict[int, float | None], **fields: Any) -> list[Run]:
    return [
        builders.build_finished_run(
            sweep,
            score=score,
            training={**TRAINING, "learning_rate": rate, "seed": seed},
            data={"dataset": "iris"},
            stop_reason="end" if score is not None else "diverged",
            **fields,
        )
        for seed, score in scores.items()
    ]


@pytest.fixture
def sweep() -> Sweep:
    """Three learning rates: a good one, one as good, one that is clearly worse and lacks a seed."""
    sweep = builders.build_sweep(builders.build_project("Irises", "irises"))
    build_group(sweep, 0.01, {0: 0.90, 1: 0.92, 2: 0.91, 3: 0.93})
    build_group(sweep, 0.02, {0: 0.901, 1: 0.918, 2: 0.911, 3: 0.929})
    build_group(sweep, 0.5, {0: 0.50, 1: 0.53, 2: None})
    return sweep


def found_on(client: Client, project: Project, **parameters: Any) -> Any:
    address = reverse("compare", args=[project.slug])
    answer = client.get(address, {"tab": "differences", "metric": "val_accuracy", **parameters})
    assert answer.status_code == 200
    return answer.context


def rows_of(context: Any) -> dict[str, Any]:
    return {row.group.label: row for row in context["differences"]["rows"]}


def test_each_group_is_compared_with_the_best_seed_by_seed(worker: Client, sweep: Sweep) -> None:
    context = found_on(worker, sweep.project)
    rows = rows_of(context)
    assert context["differences"]["reference"].label == "learning rate 0.01"
    assert list(rows) == ["learning rate 0.02", "learning rate 0.5"]
    same, worse = rows["learning rate 0.02"], rows["learning rate 0.5"]
    assert same.verdict == "no difference found"
    assert worse.verdict == "worse"
    assert worse.sentence.endswith("2 seeds; 1 diverged, left out")
    assert worse.superiority == 0
    assert context["differences"]["statement"].startswith("1 of 2 differs")
    chart = context["differences"]["chart"]
    drawn = {trace["name"]: trace["x"] for trace in chart.figure["data"]}
    assert drawn["worse"] == [pytest.approx(100 * worse.compared.difference.mean)]
    assert "0 better and 1 worse with certainty, 1 not told apart" in chart.summary


def test_the_address_chooses_the_reference_the_margin_and_what_is_worth_finding(
    worker: Client, sweep: Sweep
) -> None:
    key = sweep.runs.filter(learning_rate=0.5).values_list("group", flat=True)[0]
    context = found_on(worker, sweep.project, ref=key, within="2", resolve="1.5")
    assert context["differences"]["reference"].label == "learning rate 0.5"
    assert {row.equivalence for row in rows_of(context).values()} == {"not shown"}
    context = found_on(worker, sweep.project, within="1")
    same = rows_of(context)["learning rate 0.02"]
    assert same.equivalence == "equivalent"
    assert (same.plan, same.difference, same.seeds_told) == ("0 to 1", "−0.0", "4 pairs")
    assert same.planned == "up to 1 more seed would resolve 0.5 points"


@pytest.mark.parametrize(
    ("name", "value"), [("ref", "nothing"), ("within", "-1"), ("within", "nan"), ("resolve", "much")]
)
def test_what_cannot_be_understood_is_a_warning(worker: Client, sweep: Sweep, name: str, value: str) -> None:
    context = found_on(worker, sweep.project, **{name: value})
    assert any(warning.startswith(f"{name}={value}") for warning in context["warnings"])
    assert len(context["differences"]["rows"]) == 2


def test_one_group_has_nothing_to_be_compared_with(worker: Client) -> None:
    sweep = builders.build_sweep()
    build_group(sweep, 0.01, {0: 0.9})
    assert found_on(worker, sweep.project)["differences"]["rows"] == []


def test_the_tab_asks_a_fixed_number_of_questions(
    worker: Client, sweep: Sweep, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    for rate in (0.03, 0.04, 0.05):
        build_group(sweep, rate, {0: 0.7, 1: 0.71})
    with django_assert_max_num_queries(12):
        found_on(worker, sweep.project)


def test_one_click_adds_the_seeds_that_make_pairs(worker: Client, sweep: Sweep) -> None:
    row = rows_of(found_on(worker, sweep.project))["learning rate 0.5"]
    assert row.seeds[0] == 3  # the reference has it already
    address = reverse("more-seeds", args=["irises"])
    form = {"group": list(row.adds_to), "seeds": [3, 4], "next": "/p/irises/compare/?tab=differences"}
    answer = worker.post(address, form)
    assert answer.headers["Location"] == "/p/irises/compare/?tab=differences"
    queued = Run.objects.filter(status=Status.QUEUED)
    assert sorted(queued.values_list("learning_rate", "seed")) == [(0.01, 4), (0.5, 3), (0.5, 4)]
    assert set(queued.values_list("group", flat=True)) == set(row.adds_to)
    [added] = Sweep.objects.exclude(pk=sweep.pk)
    assert added.name.startswith("more seeds")
    worker.post(address, form)  # as a double click does
    assert Run.objects.filter(status=Status.QUEUED).count() == 3


def test_a_group_of_one_seed_is_offered_four_more(worker: Client) -> None:
    sweep = builders.build_sweep(builders.build_project("Irises", "irises"))
    build_group(sweep, 0.01, {0: 0.9})
    build_group(sweep, 0.02, {0: 0.8})
    alone = found_on(worker, sweep.project)["differences"]["alone"]
    assert (alone["number"], alone["seeds"]) == (2, (1, 2, 3, 4))
    worker.post(reverse("more-seeds", args=["irises"]), {"group": alone["groups"], "seeds": alone["seeds"]})
    assert Run.objects.filter(status=Status.QUEUED).count() == 8


REFUSED = {
    "no group": ({"seeds": [1]}, "expected 1 to 20 groups, got 0"),
    "no seeds": ({"group": ["x"]}, "expected 1 to 20 seeds, got 0"),
    "strange seeds": ({"group": ["x"], "seeds": ["one"]}, "expected 1 to 20 seeds, got 0"),
    "many seeds": ({"group": ["x"], "seeds": list(range(21))}, "expected 1 to 20 seeds, got 21"),
    "a stranger": ({"group": ["x"], "seeds": [1]}, "this project has no group"),
}


@pytest.mark.parametrize(("form", "said"), REFUSED.values(), ids=REFUSED.keys())
def test_what_cannot_be_added_is_said(worker: Client, sweep: Sweep, form: dict[str, Any], said: str) -> None:
    answer = worker.post(reverse("more-seeds", args=["irises"]), form, follow=True)
    assert said in str(next(iter(answer.context["messages"])))
    assert Run.objects.count() == 11


def test_only_the_program_outside_can_train_its_runs_again(worker: Client, sweep: Sweep) -> None:
    Run.objects.update(source=Source.OUTSIDE)
    context = found_on(worker, sweep.project)
    assert [row.seeds for row in context["differences"]["rows"]] == [(), ()]
    group = sweep.runs.values_list("group", flat=True)[0]
    form = {"group": [group], "seeds": [9]}
    answer = worker.post(reverse("more-seeds", args=["irises"]), form, follow=True)
    assert "a program outside" in str(next(iter(answer.context["messages"])))


def test_seeds_are_added_by_who_may_submit_only(client: Client, sweep: Sweep) -> None:
    client.force_login(builders.build_user("stop_run"))
    assert "Add 4" not in client.get(sweep.get_absolute_url() + "&tab=differences").content.decode()
    assert client.post(reverse("more-seeds", args=["irises"]), {}).status_code == 403


def test_a_group_is_extended_where_seeds_came_after_its_first_were_over(sweep: Sweep) -> None:
    later = builders.build_sweep(sweep.project)
    [first] = build_group(later, 0.5, {7: 0.5})
    numbers = list(Run.objects.values_list("pk", flat=True))
    at_once = timezone.now() - timedelta(hours=1)
    Run.objects.update(queued_at=at_once)
    assert extended_groups(numbers) == frozenset()
    Run.objects.filter(pk=first.pk).update(queued_at=timezone.now() + timedelta(seconds=1))
    assert extended_groups(numbers) == {first.group}
    Run.objects.filter(pk=first.pk).update(sweep=sweep)  # tried again within its sweep
    assert extended_groups(numbers) == frozenset()


def test_runs_that_never_said_their_seed_stand_for_themselves_and_make_no_pairs(worker: Client) -> None:
    sweep = builders.build_sweep()
    build_group(sweep, 0.01, {0: 0.90, 1: 0.92, 2: 0.91})
    build_group(sweep, 0.5, {0: 0.50, 1: 0.53, 2: 0.55})
    Run.objects.filter(sweep=sweep).update(seed=None)
    context = found_on(worker, sweep.project)
    assert [group.interval.n for group in context["comparison"].groups] == [3, 3]
    [row] = context["differences"]["rows"]
    found = row.compared.difference
    assert (found.paired, found.n_before, found.n_after) == (False, 3, 3)
    assert row.verdict == "worse"


def test_a_value_beyond_reckoning_is_no_result_and_no_error(worker: Client) -> None:
    sweep = builders.build_sweep()
    build_group(sweep, 0.01, {0: 0.90, 1: 0.92})
    build_group(sweep, 0.5, {0: 1e308, 1: 1e200})
    comparison = found_on(worker, sweep.project)["comparison"]
    assert sorted(group.diverged for group in comparison.groups) == [0, 1]
