"""What the pages show, what they cost, and that no address makes them fail."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

import numpy as np
import pytest
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries

from runs.models import Project, Run, Status
from runs.store import marks
from tests.runs import builders

pytestmark = pytest.mark.django_db


@pytest.fixture
def reader(client: Client) -> Client:
    client.force_login(builders.build_user("submit_sweep", "stop_run"))
    return client


def text_of(client: Client, address: str, **parameters: Any) -> str:
    answer = client.get(address, parameters)
    assert answer.status_code == HTTPStatus.OK, address
    return answer.content.decode()


def build_trained_run(project: Project | None = None, **fields: Any) -> Run:
    """Make a run with every series that the pages draw."""
    run = builders.build_finished_run(project=project, **fields)
    builders.build_series(run, "train_loss", np.geomspace(2.3, 0.1, 100), chunk_sizes=[40, 40])
    for metric, values in {"val_loss": [2.3, 1.0, 0.3], "val_accuracy": [0.1, 0.7, 0.9]}.items():
        builders.build_series(run, metric, values, steps=[0, 50, 100])
    for layer in range(3):
        builders.build_series(run, "gradient_rms", [0.1, 0.01, 0.0], layer=layer, steps=[1, 50, 100])
    for layer in range(2):
        builders.build_series(run, "dead_share", [0.0, 0.1, 0.5], layer=layer, steps=[0, 50, 100])
    return run


# Home


def test_an_empty_installation_says_what_to_do(reader: Client) -> None:
    text = text_of(reader, reverse("home"))
    assert "No experiments yet" in text
    assert "nnlab demo" in text
    assert reverse("sweep-new") in text


def test_home_shows_the_best_score_of_each_dataset_in_its_unit(reader: Client) -> None:
    project = builders.build_project("Housing")
    info = {**builders.INFO, "target_unit": "USD"}
    rmse: dict[str, Any] = {"headline": "val_rmse", "info": info, "dataset": "california_housing"}
    for score in (70_000.0, 62_100.0, None):
        builders.build_finished_run(project=project, score=score, **rmse)
    builders.build_finished_run(project=project, score=0.5)
    builders.build_finished_run(project=project, score=0.978)
    text = text_of(reader, reverse("home"))
    assert "62.1k USD" in text
    assert "97.8 %" in text
    assert "70k USD" not in text


def test_home_shows_the_queue_and_open_alerts(reader: Client) -> None:
    running = builders.build_running_run(name="the running one")
    builders.build_run(name="the waiting one")
    builders.build_alert(running, title="Vanishing gradient here")
    builders.build_alert(running, "dead_layer", title="An old story", state="resolved", resolved_step=9)
    text = text_of(reader, reverse("home"))
    assert "1 running · 1 waiting" in text
    assert "the running one" in text
    assert "the waiting one" in text
    assert "Vanishing gradient here" in text
    assert "An old story" not in text


def test_home_costs_the_same_for_one_project_and_for_ten(
    reader: Client, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for _ in range(10):
        builders.build_alert(builders.build_running_run())
    # Session, user, 2 rights; projects, counts, alerts, best; sweeps 3; queue 3; alerts; views; badge.
    with django_assert_num_queries(17):
        reader.get(reverse("home"))
    for _ in range(10):
        build_trained_run()
    with django_assert_num_queries(21):  # now also the best runs, their series, chunks and journal
        reader.get(reverse("home"))


def test_home_leads_to_the_best_run_and_draws_how_it_got_there(reader: Client) -> None:
    project = builders.build_project()
    best = build_trained_run(project, score=0.95, name="the best one")
    build_trained_run(project, score=0.9)
    text = text_of(reader, reverse("home"))
    assert f'href="{best.get_absolute_url()}" title="the best one">95.0 %' in text
    assert text.count('<svg class="sparkline"') == 1


def test_the_project_with_the_newest_run_comes_first(reader: Client) -> None:
    for name in ("Alpha", "Beta", "Gamma"):
        builders.build_run(project=builders.build_project(name))
    builders.build_project("Nothing run yet")
    cards = reader.get(reverse("home")).context["cards"]
    assert [card.project.name for card, _ in cards] == ["Gamma", "Beta", "Alpha", "Nothing run yet"]


# Runs table


def test_the_table_writes_a_run_as_people_read_it(reader: Client) -> None:
    project = builders.build_project()
    training = {"hidden_units": (64, 64, 64), "learning_rate": 0.001, "dropout": 0.1}
    builders.build_finished_run(project=project, score=0.9642, training=training, parameters=19_370)
    builders.build_finished_run(project=project, score=None, stop_reason="diverged")
    text = text_of(reader, project.get_absolute_url())
    for expected in (
        "64-64-64",
        "1e-3",
        "96.4 %",
        "19.4 k",
        "0:41",
        "finished",
        "diverged",
        'aria-sort="none"',
    ):
        assert expected in text


def test_the_table_costs_the_same_for_one_run_and_for_fifty(
    reader: Client, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    project = builders.build_project()
    for _ in range(51):
        builders.build_alert(builders.build_running_run(project=project))
    marks.tag(Run.objects.all(), ["old", "new"])
    # Session, user, 2 rights; project, page, rows with tags, count, choices, names, saved views, badge.
    with django_assert_max_num_queries(12):
        text = text_of(reader, project.get_absolute_url())
    assert "1 to 50 of 51 runs" in text


def test_a_sorted_column_says_so_and_turns_round(reader: Client) -> None:
    project = builders.build_finished_run().project
    text = text_of(reader, project.get_absolute_url(), sort="-score")
    assert 'aria-sort="descending"><a href="?sort=score"' in text


def test_unknown_parts_of_an_address_are_shown_as_warnings(reader: Client) -> None:
    project = builders.build_finished_run().project
    text = text_of(reader, project.get_absolute_url(), colour="<script>", depth="deep")
    assert "“colour” is not a field of runs" in text
    assert "depth=deep" in text
    assert "<script>" not in text.replace('<script type="', "").replace("<script id=", "")


def test_filters_without_a_match_say_how_many_they_are(reader: Client) -> None:
    project = builders.build_finished_run().project
    text = text_of(reader, project.get_absolute_url(), status="failed", depth="9")
    assert "No runs match these 2 filters" in text


def test_a_project_without_runs_offers_a_sweep(reader: Client) -> None:
    project = builders.build_project()
    text = text_of(reader, project.get_absolute_url())
    assert f"{reverse('sweep-new')}?project={project.slug}" in text


def test_rows_are_polled_until_nothing_moves(reader: Client) -> None:
    run = builders.build_running_run()
    rows = reverse("project-rows", args=[run.project.slug])
    assert f'data-poll-url="{rows}' in text_of(reader, run.project.get_absolute_url())
    assert reader.get(rows)["X-Over"] == "0"
    over = builders.build_finished_run()
    assert "data-poll-url" not in text_of(reader, over.project.get_absolute_url())
    assert reader.get(reverse("project-rows", args=[over.project.slug]))["X-Over"] == "1"


# Run


def test_a_run_shows_its_charts_and_how_it_ended(reader: Client) -> None:
    run = build_trained_run()
    text = text_of(reader, run.get_absolute_url())
    for key in ("loss", "headline", "gradients", "health"):
        assert f'data-chart="{key}"' in text
    for expected in ("100 of 100 steps", "hidden 1", "64", "seed 0", "ReLU", "0:41"):
        assert expected in text
    assert "stopped because" not in text
    assert reverse("run-live", args=[run.pk]) not in text


def test_a_score_stands_beside_what_a_constant_guess_scores(reader: Client) -> None:
    run = builders.build_finished_run(score=0.1)
    text = text_of(reader, run.get_absolute_url())
    assert "a constant guess: 10.0 %" in text
    assert "what a network has to beat" in text


def test_a_run_knows_its_place_in_its_sweep_and_leads_to_its_neighbours(reader: Client) -> None:
    sweep = builders.build_sweep()
    first, second, third = (builders.build_run(sweep, training={"seed": seed}) for seed in range(3))
    text = text_of(reader, second.get_absolute_url())
    assert "run 2 of 3" in text
    assert f'rel="prev" href="{first.get_absolute_url()}"' in text
    assert f'rel="next" href="{third.get_absolute_url()}"' in text
    assert 'rel="prev"' not in text_of(reader, first.get_absolute_url())
    assert 'rel="next"' not in text_of(reader, third.get_absolute_url())
    alone = builders.build_run()
    assert "run 1 of 1" not in text_of(reader, alone.get_absolute_url())


def test_a_run_counts_its_open_alerts_only(reader: Client) -> None:
    run = builders.build_finished_run()
    builders.build_alert(run)
    builders.build_alert(run, "dead_layer", state="resolved", resolved_step=9)
    alerts = reverse("run-alerts", args=[run.pk])
    assert f'<a href="{alerts}">1 open alert</a>' in text_of(reader, run.get_absolute_url())


def test_a_run_costs_the_same_however_many_series_and_alerts_it_has(
    reader: Client, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    run = build_trained_run()
    for check in ("vanishing", "dead_layer", "exploding"):
        builders.build_alert(run, check)
    # Session, user, 2 rights; run, alerts, fixes, series, chunks, attempts, place, tags, best, badge.
    with django_assert_max_num_queries(15):
        text_of(reader, run.get_absolute_url())


def test_the_measure_of_the_heat_map_is_in_the_address(reader: Client) -> None:
    run = build_trained_run()
    assert reader.get(run.get_absolute_url()).context["measure"] == "dead_share"
    chosen = reader.get(run.get_absolute_url(), {"measure": "gradient_rms"})
    assert chosen.context["measure"] == "gradient_rms"
    assert "gradient RMS" in chosen.context["charts"]["health"].title
    assert reader.get(run.get_absolute_url(), {"measure": "odd"}).context["measure"] == "dead_share"


def test_an_alert_gives_its_reasons_and_its_advice_as_a_link(reader: Client) -> None:
    run = builders.build_finished_run()
    alert = builders.build_alert(run, severity="critical")
    text = text_of(reader, run.get_absolute_url())
    for expected in ("critical", alert.title, "Use ReLU instead of sigmoid", "sigmoid → relu", "2.00e-9"):
        assert expected in text
    assert f"{reverse('sweep-new')}?from={run.pk}&amp;alert={alert.pk}&amp;advice=0" in text


@pytest.mark.parametrize(
    "build",
    [
        builders.build_run,
        builders.build_running_run,
        lambda: builders.build_run(status=Status.LOST, attempt=1, worker="host:1"),
        lambda: builders.build_run(info={}, headline="", training={"hidden_units": ()}),
    ],
    ids=["queued", "running", "lost", "without information"],
)
def test_a_run_without_points_has_a_page(reader: Client, build: Any) -> None:
    run = build()
    text_of(reader, run.get_absolute_url())
    text_of(reader, reverse("run-live", args=[run.pk]))
    text_of(reader, reverse("compare", args=[run.project.slug]))


@pytest.mark.parametrize(
    "values", [[1.0], [np.nan], [np.nan] * 5, [np.inf, 1.0, -np.inf], [0.0, 0.0], [-1.0, 1e300]]
)
def test_odd_series_have_a_page(reader: Client, values: list[float]) -> None:
    run = builders.build_finished_run(score=None, stop_reason="diverged")
    for metric in ("train_loss", "val_loss", "val_accuracy"):
        builders.build_series(run, metric, values)
    for measure in ("dead_share", "gradient_rms", "update_ratio"):
        builders.build_series(run, measure, values, layer=0)
        builders.build_series(run, measure, values[:1], layer=2)
        text_of(reader, run.get_absolute_url(), measure=measure)
    text_of(reader, reverse("compare", args=[run.project.slug]))
    reader.get(reverse("run-live", args=[run.pk])).json()


def test_a_long_series_is_sent_windowed(reader: Client) -> None:
    run = builders.build_finished_run()
    noise = np.random.default_rng(0).standard_normal(50_000)
    builders.build_series(run, "train_loss", noise, chunk_sizes=[4096] * 12)
    answer = reader.get(run.get_absolute_url())
    assert len(answer.content) < 200_000


# Addresses that mean nothing


@pytest.mark.parametrize(
    ("name", "arguments"),
    [("project", ["nowhere"]), ("project-rows", ["nowhere"]), ("compare", ["nowhere"]), ("run", [987654321]),
     ("run-live", [987654321]), ("run", [10**30])],
)  # fmt: skip
def test_what_does_not_exist_is_not_found(reader: Client, name: str, arguments: list[Any]) -> None:
    assert reader.get(reverse(name, args=arguments)).status_code == HTTPStatus.NOT_FOUND


@pytest.mark.parametrize("name", ["home", "alerts", "datasets", "sweep-new"])
@pytest.mark.parametrize(
    "parameters",
    [
        {"page": "x"},
        {"page": "-1"},
        {"page": "99999999999"},
        {"project": "\x00"},
        {"severity": "x", "state": "y"},
        {"from": "abc"},
        {"from": "9" * 40},
        {"from": "1", "alert": "x", "advice": "-1"},
        {"dataset": "\x00"},
    ],
)
def test_odd_parameters_are_no_error(reader: Client, name: str, parameters: dict[str, str]) -> None:
    text_of(reader, reverse(name), **parameters)


@pytest.mark.parametrize(
    "parameters",
    [
        {"page": "0"},
        {"page": "9" * 30},
        {"sweep": "abc"},
        {"sweep": "99"},
        {"sweep": "9" * 30},
        {"runs": "abc"},
        {"runs": "1,,2,-3"},
        {"runs": "9" * 40},
        {"metric": "nonsense"},
        {"metric": "train_loss"},
        {"colour": "nonsense", "facet": "depth"},
        {"q": "\x00"},
        {"dataset": "\x00"},
        {"score": "nan.."},
        {"width": "..", "sort": "nonsense"},
    ],
)
def test_odd_filters_are_no_error(reader: Client, parameters: dict[str, str]) -> None:
    run = build_trained_run()
    for name in ("project", "project-rows", "compare"):
        text_of(reader, reverse(name, args=[run.project.slug]), **parameters)


def test_a_filter_without_a_field_is_shown_and_can_be_removed(reader: Client) -> None:
    run = builders.build_finished_run()
    text = text_of(reader, run.project.get_absolute_url(), sweep=str(run.sweep.pk), depth="2")
    assert f"sweep: {run.sweep.pk}" in text
    assert 'href="?depth=2" aria-label="Remove the filter sweep"' in text
