"""The tabs of a run's page: each reads what it shows and nothing else, and no address makes one fail."""

from __future__ import annotations

import json
from datetime import timedelta
from http import HTTPStatus
from typing import Any

import numpy as np
import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from runs import submission
from runs.models import Attempt, Project, Run, Status
from runs.pages.run import metrics
from runs.pages.run.overview import FEW_ATTEMPTS
from runs.pages.run.tabs import TABS
from runs.templatetags.nnlab_format import run_duration
from tests.runs import builders
from tests.runs.outside import build_outside_run
from tests.runs.test_pages import build_trained_run

pytestmark = pytest.mark.django_db


@pytest.fixture
def reader(client: Client) -> Client:
    client.force_login(builders.build_user("submit_sweep", "stop_run"))
    return client


def address_of(run: Run, tab: str) -> str:
    return reverse("run" if tab == "overview" else f"run-{tab}", args=[run.pk])


def context_of(client: Client, run: Run, tab: str, **parameters: Any) -> Any:
    answer = client.get(address_of(run, tab), parameters)
    assert answer.status_code == HTTPStatus.OK, (tab, parameters)
    return answer.context


def text_of(client: Client, run: Run, tab: str, **parameters: Any) -> str:
    answer = client.get(address_of(run, tab), parameters)
    assert answer.status_code == HTTPStatus.OK, (tab, parameters)
    return answer.content.decode()


def news_of(client: Client, run: Run, tab: str, **parameters: Any) -> Any:
    answer = client.get(reverse("run-live", args=[run.pk]), {"tab": tab, **parameters})
    assert answer.status_code == HTTPStatus.OK, tab
    return json.loads(answer.content)


# Every tab

# Session, user, 2 rights, run, alerts, place in the sweep, tags, badge; and what the tab reads.
COSTS = {
    "overview": 15,
    "metrics": 15,
    "health": 14,
    "gradients": 18,
    "config": 10,
    "logs": 11,
    "alerts": 11,
} | {
    "activations": 12,
    "weights": 12,
}


@pytest.mark.parametrize("tab", COSTS)
def test_a_tab_costs_the_same_however_much_the_run_has(
    reader: Client, django_assert_max_num_queries: DjangoAssertNumQueries, tab: str
) -> None:
    run = build_trained_run()
    for check in ("vanishing", "dead_layer"):
        builders.build_alert(run, check)
    for number in range(30):
        builders.build_series(run, f"metric {number}", [1.0, 2.0])
    for number in range(15):
        Attempt.objects.create(run=run, number=number + 1, outcome="lost", ended_at=run.ended_at)
    with django_assert_max_num_queries(COSTS[tab]):
        text_of(reader, run, tab)


def test_every_tab_is_measured() -> None:
    assert set(COSTS) == set(TABS)


@pytest.mark.parametrize("tab", TABS)
@pytest.mark.parametrize(
    "build",
    [
        builders.build_run,
        builders.build_running_run,
        lambda: builders.build_run(status=Status.LOST, attempt=1, worker="host:1"),
        lambda: builders.build_finished_run(score=None, status=Status.FAILED, stop_reason="diverged"),
        lambda: builders.build_finished_run(steps_run=0, steps_requested=0),
        lambda: builders.build_run(info={}, headline="", training={"hidden_units": ()}),
        build_outside_run,
        lambda: build_outside_run(Status.LOST),
    ],
    ids=["queued", "running", "lost", "diverged", "no steps", "no information", "outside", "outside, lost"],
)
def test_a_run_without_points_has_every_tab(reader: Client, tab: str, build: Any) -> None:
    run = build()
    text = text_of(reader, run, tab)
    assert text.count('aria-current="page"') >= 1
    assert (reverse("run-live", args=[run.pk]) in text) is not run.is_over
    news = news_of(reader, run, tab)
    assert {"run-state", "run-tabs"} <= set(news["fragments"])
    assert news["over"] is run.is_over


@pytest.mark.parametrize("tab", TABS)
@pytest.mark.parametrize("values", [[1.0], [np.nan], [np.nan] * 5, [np.inf, 1.0], [0.0, 0.0], [-1.0, 1e300]])
def test_odd_series_have_every_tab(reader: Client, tab: str, values: list[float]) -> None:
    run = builders.build_finished_run(score=None, stop_reason="diverged", steps_run=1)
    for metric in ("train_loss", "val_loss", "val_accuracy"):
        builders.build_series(run, metric, values)
    for layer in (0, 2):
        for metric in ("gradient_rms", "dead_share", "update_ratio"):
            builders.build_series(run, metric, values, layer=layer)
    text_of(reader, run, tab)
    for step in ("0", "1", "99"):
        if "step" in TABS[tab].known:
            text_of(reader, run, tab, step=step, smooth="0.6", x="epoch") if tab == "metrics" else text_of(
                reader, run, tab, step=step
            )


@pytest.mark.parametrize("tab", TABS)
@pytest.mark.parametrize("value", ["-1", "x", "9" * 40, "NaN", "1e3", "\x00", "<script>", "２"])
def test_what_cannot_be_read_of_an_address_is_said_on_the_page(reader: Client, tab: str, value: str) -> None:
    run = build_trained_run()
    for name in (*TABS[tab].known, "layer"):
        text = text_of(reader, run, tab, **{name: value})
        free = {"q", "all", "attempts"}
        wide = {"２": {"step", "page", "smooth", "against"}, "1e3": set(), "NaN": set()}.get(value, set())
        if name not in free | wide:
            assert "message--warning" in text, name
        assert "<script>" not in text.replace('<script type="', "").replace("<script id=", "")


def test_tabs_count_open_alerts_and_carry_the_step(reader: Client) -> None:
    run = build_trained_run()
    builders.build_alert(run)
    builders.build_alert(run, "plateau", layers=[])
    builders.build_alert(run, "dead_layer", state="resolved", resolved_step=9)
    tabs = {link.key: link for link in context_of(reader, run, "metrics", step="50")["tabs"]}
    assert (tabs["health"].count, tabs["alerts"].count, tabs["config"].count) == (1, 2, 0)
    assert tabs["gradients"].address.endswith("/gradients/?step=50")


def test_the_live_address_asks_for_what_the_tab_shows(reader: Client) -> None:
    run = builders.build_running_run()
    text = text_of(reader, run, "metrics", smooth="0.5", x="epoch")
    assert f"{reverse('run-live', args=[run.pk])}?tab=metrics&amp;smooth=0.5&amp;x=epoch" in text


# Overview


def test_figures_say_better_or_worse_than_the_baseline(reader: Client) -> None:
    project = builders.build_project()
    other = builders.build_finished_run(project=project, score=0.978)
    other.summary = {"val_loss": 0.1}
    other.save()
    Project.objects.filter(pk=project.pk).update(baseline=other)
    run = builders.build_finished_run(project=project, score=0.075)
    text = text_of(reader, run, "overview")
    assert "−90.3 points worse" in text
    assert "+0.2 worse" in text
    assert "the project&#x27;s baseline" in text or "the project's baseline" in text
    assert "Differences are to" not in text_of(reader, other, "overview")


def test_only_the_last_attempts_are_shown_unless_all_are_asked_for(reader: Client) -> None:
    run = builders.build_finished_run()
    Attempt.objects.bulk_create(
        Attempt(run=run, number=number, outcome="lost", ended_at=run.ended_at) for number in range(1, 51)
    )
    shown = context_of(reader, run, "overview")
    assert [attempt.number for attempt in shown["attempts"]] == list(range(51 - FEW_ATTEMPTS, 51))
    assert shown["earlier"] == 50 - FEW_ATTEMPTS
    assert len(context_of(reader, run, "overview", attempts="all")["attempts"]) == 50


def test_a_diverged_run_leads_to_its_last_step_and_to_the_alert(reader: Client) -> None:
    run = builders.build_finished_run(status=Status.FAILED, stop_reason="diverged", steps_run=310)
    alert = builders.build_alert(run, "nonfinite", severity="critical", title="The loss is not finite")
    text = text_of(reader, run, "config")
    assert f"{address_of(run, 'metrics')}?step=310" in text
    assert f"{address_of(run, 'alerts')}#alert-{alert.pk}" in text


def test_a_lost_run_says_since_when_and_what_is_kept(reader: Client) -> None:
    run = builders.build_run(status=Status.LOST, attempt=1, worker="host:1", steps_run=310)
    ended = run.queued_at
    Attempt.objects.create(run=run, number=1, outcome="lost", started_at=ended, ended_at=ended)
    text = text_of(reader, run, "overview")
    assert f"{ended:%H:%M:%S} UTC" in text
    assert "everything up to step 310 is kept" in text


def test_how_long_a_lost_run_took_is_not_known() -> None:
    ages_ago = timezone.now() - timedelta(hours=2)
    assert run_duration(Run(status=Status.LOST, started_at=ages_ago)) == "–"
    assert run_duration(Run(status=Status.RUNNING, started_at=ages_ago)) == "2:00:00"


# Metrics


def test_metrics_are_drawn_a_page_at_a_time_and_found_by_name(reader: Client) -> None:
    run = builders.build_finished_run()
    for number in range(30):
        builders.build_series(run, f"metric {number}", [1.0, 2.0])
    first = context_of(reader, run, "metrics")
    assert (len(first["charts"]), first["pages"].of) == (12, 3)
    last = context_of(reader, run, "metrics", page="3")
    assert [chart.title for chart in last["charts"]][-1] == "Metric 29"
    assert len(context_of(reader, run, "metrics", page="99")["charts"]) == 6
    assert [chart.title for chart in context_of(reader, run, "metrics", q="C 29")["charts"]] == ["Metric 29"]


@pytest.mark.parametrize(
    ("axis", "places"), [("step", [0, 50, 100]), ("epoch", [0, 2.5, 5]), ("examples", [0, 1600, 3200])]
)
def test_a_metric_stands_against_steps_epochs_or_examples(
    reader: Client, axis: str, places: list[float]
) -> None:
    run = build_trained_run(training={"batch_size": 32})
    builders.build_alert(run, opened_step=50)
    [chart] = context_of(reader, run, "metrics", x=axis, q="val_loss")["charts"]
    assert [float(cell.replace("\u202f", "")) for cell, *_ in chart.table.rows] == places
    assert chart.figure["layout"]["shapes"][0]["x0"] == places[1]


def test_time_is_that_of_the_runs_clock_and_else_even(reader: Client) -> None:
    run = build_outside_run(Status.FINISHED, steps_run=3)
    builders.build_series(run, "loss", [3.0, 2.0, 1.0])
    builders.build_series(run, "_t", [1000.0, 2000.0, 9000.0])
    [chart] = context_of(reader, run, "metrics", x="time")["charts"]
    assert [row[0] for row in chart.table.rows] == ["1", "2", "9"]
    even = build_trained_run()
    found = context_of(reader, even, "metrics", x="time", q="val_loss")
    assert "it kept no clock" in found["note"]
    assert [float(row[0]) for row in found["charts"][0].table.rows] == pytest.approx([0, 20.5, 41], abs=0.1)


def test_smoothing_is_of_every_point_and_leaves_the_raw_line_pale(reader: Client) -> None:
    run = builders.build_finished_run()
    values = np.random.default_rng(0).standard_normal(20_000)
    builders.build_series(run, "noise", values, chunk_sizes=[4096] * 4)
    [chart] = context_of(reader, run, "metrics", smooth="0.9", q="noise")["charts"]
    raw, smooth = chart.figure["data"]
    assert (raw["meta"]["role"], smooth["meta"]["role"]) == ("faint", "line")
    expected = 0.0
    for value in values:
        expected = 0.9 * expected + 0.1 * value
    assert float(chart.table.rows[-1][1]) == pytest.approx(expected, rel=1e-3)


def test_smoothing_reads_all_metrics_of_a_page_at_once_up_to_a_bound(
    reader: Client, monkeypatch: pytest.MonkeyPatch, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    run = builders.build_finished_run()
    for number in range(12):
        builders.build_series(run, f"metric {number}", np.arange(100.0), chunk_sizes=[40])
    with django_assert_max_num_queries(COSTS["metrics"] + 4):
        text_of(reader, run, "metrics", smooth="0.5")
    monkeypatch.setattr(metrics, "MAX_SMOOTHED", 250)
    charts = context_of(reader, run, "metrics", smooth="0.5")["charts"]
    assert ["Not smoothed" in chart.caption for chart in charts] == [False] * 2 + [True] * 10


def test_where_a_metric_stops_being_finite_is_marked(reader: Client) -> None:
    run = builders.build_finished_run()
    builders.build_series(run, "train_loss", [3.0, 2.0, np.nan, np.nan])
    for smooth in ("", "0.5"):
        [chart] = context_of(reader, run, "metrics", smooth=smooth)["charts"]
        broken = [trace for trace in chart.figure["data"] if trace["meta"]["role"] == "broken"]
        assert [trace["x"] for trace in broken] == [[3.0]]


# Health and gradients


def test_health_maps_every_measure_with_the_step_looked_at(reader: Client) -> None:
    run = build_trained_run()
    found = context_of(reader, run, "health", step="50")
    assert [chart.key for chart in found["charts"]] == ["health-dead_share", "health-gradient_rms"]
    notes = found["charts"][0].figure["layout"]["annotations"]
    assert [(note["x"], note["text"]) for note in notes] == [(50, "◆")]


@pytest.mark.parametrize(
    ("step", "words"),
    [
        ("1", "The first layer's gradient is as large as the last's (0.1)"),
        ("60", "The first layer's gradient is 1/5,600 of the last's"),
        ("99", "exactly 0: nothing of the error reaches it"),
        ("0", "No gradient was measured up to step 0"),
    ],
)
def test_the_ratio_of_the_gradients_is_said_in_words(reader: Client, step: str, words: str) -> None:
    run = builders.build_finished_run()
    for layer, values in enumerate([[0.1, 1e-6, 0.0], [0.1, 1e-4, 1e-4], [0.1, 5.6e-3, 1e-2]]):
        builders.build_series(run, "gradient_rms", values, layer=layer, steps=[1, 50, 90])
    text = text_of(reader, run, "gradients", step=step).replace("&#x27;", "'").replace("\u2009", ",")
    assert words in text


def test_a_gradient_of_zero_is_a_word_and_not_a_bar(reader: Client) -> None:
    run = build_trained_run()
    bars = context_of(reader, run, "gradients")["charts"][1]
    assert [note["text"] for note in bars.figure["layout"]["annotations"]] == ["exactly 0"] * 3
    middle = context_of(reader, run, "gradients", step="50")["charts"][1]
    assert middle.figure["layout"]["shapes"][0]["x0"] == pytest.approx(1e-4)
    assert "at step 50" in middle.summary.lower()


def test_the_step_before_a_long_run_ends_is_found_exactly(reader: Client) -> None:
    run = builders.build_finished_run(steps_run=50_000)
    for layer in range(2):
        values = np.arange(1, 50_001) * (layer + 1.0)
        builders.build_series(run, "gradient_rms", values, layer=layer, chunk_sizes=[4096] * 12)
    found = context_of(reader, run, "gradients", step="31415")["moment"]
    assert (found.step, found.values) == (31415, {0: 31415.0, 1: 62830.0})


# Configuration


def test_only_what_differs_is_shown_unless_everything_is_asked_for(reader: Client) -> None:
    run = builders.build_run(training={"learning_rate": 1e6})
    paths = {row.path for row in context_of(reader, run, "config")["rows"]}
    assert "training.learning_rate" in paths
    assert "training.optimizer" not in paths
    assert "<strong>1e6</strong>" in text_of(reader, run, "config")
    every = context_of(reader, run, "config", all="1")
    assert "training.optimizer" in {row.path for row in every["rows"]}


def test_a_configuration_is_compared_with_its_parent_or_with_any_run(reader: Client) -> None:
    parent = builders.build_run(training={"learning_rate": 0.5})
    run = builders.build_run(training={"learning_rate": 0.1}, parent=parent)
    other = builders.build_run(training={"learning_rate": 0.1, "optimizer": "sgd"})
    found = context_of(reader, run, "config")
    assert found["other"] == parent
    assert [(row.path, row.value, row.other) for row in found["rows"]] == [
        ("training.learning_rate", 0.1, 0.5)
    ]
    [row] = context_of(reader, run, "config", against=str(other.pk))["rows"]
    assert row.path == "training.optimizer"
    assert context_of(reader, run, "config", against="defaults")["other"] is None
    assert "there is no run 987654" in text_of(reader, run, "config", against="987654")


def test_the_command_queues_the_same_configuration_again(reader: Client) -> None:
    run = builders.build_run(training={"learning_rate": 0.1, "seed": 7, "hidden_units": (8, 4)})
    command = context_of(reader, run, "config")["command"]
    document = json.loads(command.partition("\n")[2].rpartition("\nEND\n")[0])
    [again] = submission.submit(submission.parse(document), None).runs.all()
    assert (again.config, again.group) == (run.config, again.group)
    assert command.endswith(f"nnlab submit run-{run.pk}.json")


def test_what_a_program_outside_told_is_compared_too(reader: Client) -> None:
    run = build_outside_run(config={"model": {"depth": 3, "name": "<b>"}})
    text = text_of(reader, run, "config")
    assert "model.depth" in text
    assert "<b>" not in text
    assert "nnlab submit" not in text
