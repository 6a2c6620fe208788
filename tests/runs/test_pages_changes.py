"""What changed: the pairs that a project's page finds, and the control that one click submits."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries

from nnlab.stats.differences import difference, holm
from runs.models import Project, Run, Source, Status, Sweep
from tests.runs import builders

pytestmark = pytest.mark.django_db


@pytest.fixture
def worker(client: Client) -> Client:
    client.force_login(builders.build_user("submit_sweep"))
    return client


@pytest.fixture
def project() -> Project:
    return builders.build_project("Irises", "irises")


def build_group(sweep: Sweep, scores: dict[int, float | None], **training: Any) -> Run:
    """Make a run for each seed; the last one."""
    runs = [
        builders.build_finished_run(
            sweep,
            score=score,
            training={"hidden_units": (8,), "epochs": 1, "steps": None, **training, "seed": seed},
            data={"dataset": "iris"},
            stop_reason="end" if score is not None else "diverged",
        )
        for seed, score in scores.items()
    ]
    return runs[-1]


@pytest.fixture
def sweep(project: Project) -> Sweep:
    """Depth alone, the rate alone, and both at once with another activation."""
    sweep = builders.build_sweep(project)
    build_group(sweep, {0: 0.90, 1: 0.91, 2: 0.92})
    build_group(sweep, {0: 0.80, 1: 0.81, 2: 0.825}, hidden_units=(8, 8))
    build_group(sweep, {0: 0.901, 1: 0.908, 2: None}, learning_rate=0.1)
    build_group(sweep, {1: 0.5, 2: 0.55}, learning_rate=0.5, activation="tanh", hidden_units=(8, 8))
    return sweep


def address_of(project: Project) -> str:
    return reverse("changes", args=[project.slug])


def context_of(client: Client, project: Project, **parameters: Any) -> Any:
    answer = client.get(address_of(project), parameters)
    assert answer.status_code == 200
    return answer.context


def test_pairs_that_differ_in_one_knob_are_found_the_largest_difference_first(
    worker: Client, sweep: Sweep
) -> None:
    context = context_of(worker, sweep.project)
    steps = [row.step for row in context["rows"]]
    assert [(step.changes[0].knob, step.changes[0].before, step.changes[0].after) for step in steps] == [
        ("depth", 1, 2),
        ("learning_rate", 0.01, 0.1),
    ]
    assert [step.shared for step in steps] == [(2, 1, 0), (1, 0)]
    alone = [
        difference({0: 0.90, 1: 0.91, 2: 0.92}, {0: 0.80, 1: 0.81, 2: 0.825}),
        difference({0: 0.90, 1: 0.91}, {0: 0.901, 1: 0.908}),
    ]
    for step, expected in zip(steps, alone, strict=True):
        assert step.difference.low == pytest.approx(expected.low)
    p_values = [one.p_value for one in alone if one.p_value is not None]
    assert [step.p_value for step in steps] == pytest.approx(holm(p_values))
    assert [row.verdict for row in context["rows"]] == ["worse", "no difference found"]
    assert [row.difference for row in context["rows"]] == ["−9.8", "−0.1"]


def test_a_pair_that_changed_several_knobs_names_what_else_changed(worker: Client, sweep: Sweep) -> None:
    content = worker.get(address_of(sweep.project)).content.decode()
    assert "A control is missing".lower() in content.lower()
    [row] = [row for row in context_of(worker, sweep.project)["confounded"] if len(row.step.changes) == 2]
    assert {change.knob for change in row.step.changes} == {"activation", "learning_rate"}
    assert "also changed: " in content


def test_the_missing_control_is_one_click(worker: Client, sweep: Sweep) -> None:
    [row] = [row for row in context_of(worker, sweep.project)["confounded"] if len(row.step.changes) == 2]
    form = {"before": row.step.before.key, "after": row.step.after.key, "knob": "activation"}
    address = reverse("control", args=[sweep.project.slug])
    answer = worker.post(address, {**form, "next": address_of(sweep.project)})
    assert answer.headers["Location"] == address_of(sweep.project)
    queued = list(Run.objects.filter(status=Status.QUEUED))
    assert sorted((run.activation, run.depth, run.learning_rate, run.seed) for run in queued) == [
        ("tanh", 2, 0.01, 1),
        ("tanh", 2, 0.01, 2),
    ]
    assert queued[0].parent_id == row.step.before.run
    assert queued[0].sweep.name == "control: activation tanh"
    worker.post(address, form)  # a double click
    assert Run.objects.filter(status=Status.QUEUED).count() == 2
    # It lies between them now, so both steps are controlled.
    context = context_of(worker, sweep.project)
    assert not [row for row in context["confounded"] if len(row.step.changes) == 2]


@pytest.mark.parametrize(
    ("knob", "expected"), [("depth", (8, 8)), ("hidden layers", (16, 8)), ("data.validation_share", (8,))]
)
def test_a_control_takes_one_knob_over(
    worker: Client, project: Project, knob: str, expected: tuple[int, ...]
) -> None:
    sweep = builders.build_sweep(project)
    build_group(sweep, {0: 0.9})
    units = (16, 8) if knob == "hidden layers" else (8, 8)
    build_group(sweep, {0: 0.8}, hidden_units=units, learning_rate=0.1)
    one, two = Run.objects.order_by("pk")
    two.config["data"]["validation_share"] = 0.3
    two.save()
    form = {"before": one.group, "after": two.group, "knob": knob}
    worker.post(reverse("control", args=[project.slug]), form)
    made = Run.objects.get(status=Status.QUEUED)
    assert tuple(made.config["training"]["hidden_units"]) == expected
    assert made.learning_rate == 0.01
    assert made.config["data"]["validation_share"] == (0.3 if knob.startswith("data.") else 0.2)


REFUSED = {
    "a knob that is the same": ({"knob": "dropout"}, "do not differ in 'dropout' but in depth"),
    "an unknown group": ({"after": "nothing"}, "this project has no group 'nothing'"),
    "nothing": ({"before": ""}, "this project has no group ''"),
}


@pytest.mark.parametrize(("changes", "said"), REFUSED.values(), ids=REFUSED.keys())
def test_a_control_that_makes_no_sense_is_refused(
    worker: Client, sweep: Sweep, changes: dict[str, str], said: str
) -> None:
    first, second = sweep.runs.order_by("pk")[0], sweep.runs.order_by("pk")[3]
    form = {"before": first.group, "after": second.group, "knob": "depth", **changes}
    answer = worker.post(reverse("control", args=[sweep.project.slug]), form, follow=True)
    assert said in str(next(iter(answer.context["messages"])))
    assert not Run.objects.filter(status=Status.QUEUED).exists()


def test_a_control_is_submitted_by_who_may_only(client: Client, sweep: Sweep) -> None:
    client.force_login(builders.build_user("stop_run"))
    assert client.post(reverse("control", args=[sweep.project.slug]), {}).status_code == 403
    assert "Only activation" not in client.get(address_of(sweep.project)).content.decode()


def test_the_address_filters_by_knob_and_by_the_language_of_the_runs_table(
    worker: Client, sweep: Sweep
) -> None:
    context = context_of(worker, sweep.project, knob="learning_rate")
    assert [row.step.changes[0].knob for row in context["rows"]] == ["learning_rate"]
    assert [row.step.p_value for row in context["rows"]] == [
        row.step.difference.p_value for row in context["rows"]
    ]
    assert context["knobs"] == [("depth", "depth", 1), ("learning_rate", "learning rate", 1)]
    context = context_of(worker, sweep.project, depth="1")
    assert [row.step.changes[0].knob for row in context["rows"]] == ["learning_rate"]


def test_what_cannot_be_understood_is_a_warning(worker: Client, sweep: Sweep) -> None:
    context = context_of(
        worker, sweep.project, knob="no knob", metric="no metric", page="no page", strange="1"
    )
    said = " ".join(context["warnings"])
    assert all(f"no {word}" in said for word in ("knob", "metric", "page"))
    assert "“strange” is not a field" in said
    assert context_of(worker, sweep.project, page="99")["rows"] == []


def test_any_metric_of_the_runs_can_be_compared_by(worker: Client, sweep: Sweep) -> None:
    for run in sweep.runs.all():
        run.summary |= {
            "train_loss": "NaN" if run.learning_rate == 0.5 else 2.0 * (run.depth or 0) + (run.seed or 0)
        }
        run.save(update_fields=["summary"])
        for metric in ("train_loss", "val_accuracy"):
            builders.build_series(run, metric, [1.0, 2.0])
    context = context_of(worker, sweep.project, metric="train_loss", knob="depth")
    assert context["metrics"] == [("train_loss", "training loss"), ("val_accuracy", "validation accuracy")]
    [row] = context["rows"]
    assert (row.difference, row.step.difference.n_before) == ("+2.000", 3)
    assert context["unit"] == ""
    builders.build_finished_run(sweep, score=0.9, data={"dataset": "iris"}, training={"hidden_units": (9,)})
    found = context_of(worker, sweep.project, metric="train_loss")["found"]
    assert found.groups == 4  # the run without that metric is not among them
    assert "&metric=train_loss" in context["back"] or "?metric=train_loss" in context["back"]


def test_only_scores_of_one_dataset_and_metric_are_compared(worker: Client, sweep: Sweep) -> None:
    for score, rate in ((0.1, 0.01), (0.2, 0.1)):
        builders.build_finished_run(sweep, score=score, training={"learning_rate": rate})
    context = context_of(worker, sweep.project)
    assert context["found"].scope.dataset == "iris"
    assert [scope.dataset for scope, _, _ in context["scopes"]] == ["iris", "digits"]
    context = context_of(worker, sweep.project, dataset="digits")
    assert len(context["rows"]) == 1


def test_runs_that_say_nothing_yet_are_shown_as_such(worker: Client, project: Project) -> None:
    assert context_of(worker, project)["found"].scope is None
    sweep = builders.build_sweep(project)
    builders.build_run(sweep)
    assert context_of(worker, project)["found"].groups == 1
    builders.build_run(sweep, training={"learning_rate": 0.5})
    [row] = context_of(worker, project)["rows"]
    assert (row.difference, row.interval, row.verdict) == ("–", "no shared seed", "cannot be told")
    assert row.seeds == (1, 2)  # seed 0 is on its way on both sides


def test_a_pair_without_shared_seeds_is_offered_those_that_one_side_has(
    worker: Client, project: Project
) -> None:
    sweep = builders.build_sweep(project)
    build_group(sweep, {0: 0.9, 1: 0.91, 2: 0.92, 3: 0.93})
    build_group(sweep, {7: 0.9}, learning_rate=0.1)
    [row] = context_of(worker, project)["rows"]
    assert row.seeds == (0, 1, 2, 3, 7)


def test_parameters_of_programs_outside_are_knobs_too(worker: Client, project: Project) -> None:
    sweep = builders.build_sweep(project)
    for group, (blocks, rate) in {"a": (1, 0.1), "b": (2, 0.1), "c": (3, 0.2)}.items():
        config = {"blocks": blocks, "lr": rate, "seed": 0}
        builders.build_finished_run(sweep, config=config, group=group, source=Source.OUTSIDE, score=0.5)
    context = context_of(worker, project)
    [row] = context["rows"]
    assert row.step.changes[0].knob == "blocks"
    assert row.seeds == ()
    assert "Only lr" not in worker.get(address_of(project)).content.decode()


def test_the_page_asks_a_fixed_number_of_questions(
    worker: Client, sweep: Sweep, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for rate in (0.02, 0.03, 0.04, 0.05, 0.06, 0.07):
        build_group(sweep, {0: 0.7, 1: 0.71}, learning_rate=rate)
    with django_assert_num_queries(9):
        context_of(worker, sweep.project)


def test_a_page_is_bounded(worker: Client, project: Project) -> None:
    sweep = builders.build_sweep(project)
    for place in range(60):
        build_group(sweep, {0: 0.5 + place / 1000}, learning_rate=0.01 + place / 1000)
    context = context_of(worker, project)
    assert (len(context["rows"]), context["found"].total, context["previous"]) == (50, 59, "")
    following = worker.get(address_of(project) + context["next"]).context
    assert (len(following["rows"]), following["next"]) == (9, "")
