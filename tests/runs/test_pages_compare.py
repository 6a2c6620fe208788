"""Comparing runs: who is in a group, what a factor does, and what is said where little can be said."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries

from nnlab.stats.intervals import mean_interval
from runs.charts.chart import Chart
from runs.models import Project, Run, Sweep
from runs.pages.comparing.comparison import Comparison, compare_runs
from runs.pages.comparing.curves import curves_tab
from runs.pages.comparing.factors import confounded_text, effects_of, factor_sections
from runs.pages.comparing.tabs import TABS
from runs.pages.comparing.view import CompareView
from runs.reading import comparison as reading
from tests.runs import builders

pytestmark = pytest.mark.django_db


@pytest.fixture
def reader(client: Client) -> Client:
    client.force_login(builders.build_user("stop_run"))
    return client


def build_cell(sweep: Sweep, seed: int, score: float | None, **training: Any) -> Run:
    settings = {"hidden_units": (64,) * training.pop("depth", 1), "seed": seed, **training}
    run = builders.build_finished_run(
        sweep, score=score, training=settings, stop_reason="end" if score is not None else "diverged"
    )
    builders.build_series(
        run, "val_accuracy", [0.1, 0.5, np.nan if score is None else score], steps=[0, 50, 100]
    )
    return run


@pytest.fixture
def sweep() -> Sweep:
    """Two depths, two activations, two seeds; one run diverged."""
    sweep = builders.build_sweep(name="depth and activation")
    for depth in (1, 2):
        for place, activation in enumerate(("relu", "tanh")):
            for seed in (0, 1):
                diverged = (depth, activation, seed) == (2, "tanh", 1)
                score = None if diverged else 0.9 - 0.1 * place - 0.02 * depth + 0.01 * seed
                build_cell(sweep, seed, score, depth=depth, activation=activation)
    return sweep


def compared(sweep: Sweep, metric: str) -> Comparison:
    runs = sweep.runs.all()
    return compare_runs(reading.read_rows(runs), metric, reading.final_values(runs, metric))


def charts_of(sweep: Sweep, metric: str, **view: Any) -> list[Chart]:
    charts: list[Chart] = curves_tab(compared(sweep, metric), CompareView(**view), [])["curves"]
    return charts


def address_of(project: Project) -> str:
    return reverse("compare", args=[project.slug])


def context_of(client: Client, project: Project, **parameters: Any) -> Any:
    answer = client.get(address_of(project), parameters)
    assert answer.status_code == 200
    return answer.context


def test_groups_are_runs_that_differ_by_their_seed_only(sweep: Sweep) -> None:
    groups = compared(sweep, "val_accuracy").groups
    assert [group.label for group in groups] == [
        "depth 1, relu",
        "depth 2, relu",
        "depth 1, tanh",
        "depth 2, tanh",
    ]
    assert [len(group.members) for group in groups] == [2, 2, 2, 2]
    best, worst = groups[0], groups[-1]
    expected = mean_interval([0.88, 0.89])
    assert best.interval is not None
    assert best.interval.low == pytest.approx(expected.low)
    assert best.best is not None
    assert best.best.value == pytest.approx(0.89)
    assert (worst.diverged, worst.interval and worst.interval.n) == (1, 1)


def test_lower_is_better_for_errors() -> None:
    sweep = builders.build_sweep()
    for rate, loss in {0.1: 2.0, 0.01: 0.5}.items():
        builders.build_finished_run(sweep, training={"learning_rate": rate}, summary={"val_loss": loss})
    groups = compared(sweep, "val_loss").groups
    assert [group.label for group in groups] == ["learning rate 0.01", "learning rate 0.1"]


def test_runs_that_are_not_over_are_counted_apart() -> None:
    sweep = builders.build_sweep()
    builders.build_running_run(sweep, summary={"val_accuracy": 0.99})
    builders.build_finished_run(sweep, summary={"val_rmse": 3.0})
    builders.build_finished_run(sweep, score=0.5)
    [group] = compared(sweep, "val_accuracy").groups
    assert group.without_result == 2
    assert group.interval is not None
    assert (group.interval.n, group.interval.mean) == (1, 0.5)


def test_a_factor_is_averaged_over_the_others_seed_by_seed(sweep: Sweep) -> None:
    sections = factor_sections(compared(sweep, "val_accuracy"))
    by_name = {section.factor: section for section in sections}
    activation = by_name["activation"].chart
    assert activation is not None
    assert "diverged" in activation.caption
    rows = {row[0]: row[1] for row in activation.table.rows}
    # seed 0 has both depths, seed 1 only depth 1: the mean of (0.87 and 0.89), tanh 0.1 below
    assert float(rows["relu"]) - float(rows["tanh"]) == pytest.approx(10, abs=0.1)  # percent
    assert "small dots: single runs" in activation.caption
    assert by_name["width"].note == "width: only 64 was run"
    assert by_name["dropout"].note == "dropout: only 0 was run"


def test_a_factor_that_only_looks_strong_is_said_to() -> None:
    """Depth 2 was mostly run with the activation that does worse; with the same activations it is better."""
    sweep = builders.build_sweep()
    for seed in range(6):
        for depth, activation in (
            (1, "relu"),
            (2, "tanh"),
            *(((2, "relu"), (1, "tanh")) if seed < 3 else ()),
        ):
            score = 0.9 - 0.2 * (activation == "tanh") + 0.02 * depth + 0.001 * seed * depth
            build_cell(sweep, seed, score, depth=depth, activation=activation)
    comparison = compared(sweep, "val_accuracy")
    [depth] = [section.chart for section in factor_sections(comparison) if section.factor == "depth"]
    assert depth is not None
    told = "Averaged over all runs, depth 1 would be 4.47 points higher than depth 2"
    assert told in depth.caption
    assert "with the same settings it is: 2.10 points lower [1.85, 2.35], 3 seeds." in depth.caption
    unscaled = effects_of(comparison)["depth"]
    assert confounded_text(comparison, unscaled, scale=100) in depth.caption


def test_factors_without_a_common_setting_say_so() -> None:
    sweep = builders.build_sweep()
    build_cell(sweep, 0, 0.9, depth=1, learning_rate=0.1)
    build_cell(sweep, 0, 0.8, depth=2, learning_rate=0.2)
    sections = factor_sections(compared(sweep, "val_accuracy"))
    notes = {section.factor: section.note for section in sections}
    assert "no comparison" in notes["depth"]


def test_the_map_shows_depth_and_activation_where_the_width_is_single(reader: Client, sweep: Sweep) -> None:
    context = context_of(reader, sweep.project, tab="grid")
    assert context["pair"] == ("depth", "activation")
    assert context["grid"].title == "Depth × activation"
    assert "depth 1, activation relu" in context["grid"].summary


def test_the_address_turns_the_map(reader: Client, sweep: Sweep) -> None:
    context = context_of(reader, sweep.project, tab="grid", down="activation", across="depth")
    assert (context["grid"].title, context["warnings"]) == ("Activation × depth", [])


@pytest.mark.parametrize("asked", [{"down": "depth"}, {"down": "depth", "across": "depth"}, {"across": "x"}])
def test_a_map_of_other_than_two_varied_factors_is_refused_in_words(
    reader: Client, sweep: Sweep, asked: dict[str, str]
) -> None:
    context = context_of(reader, sweep.project, tab="grid", **asked)
    assert context["pair"] == ("depth", "activation")
    [warning] = context["warnings"]
    assert "expected two different ones of" in warning


def test_any_two_settings_that_were_varied_have_a_map(reader: Client) -> None:
    sweep = builders.build_sweep()
    for depth, rate in ((1, 0.1), (1, 0.2), (2, 0.1)):
        build_cell(sweep, 0, 0.9, depth=depth, learning_rate=rate)
    assert context_of(reader, sweep.project, tab="grid")["grid"].title == "Depth × learning rate"


def test_there_is_no_map_of_one_factor(reader: Client) -> None:
    sweep = builders.build_sweep()
    build_cell(sweep, 0, 0.9, depth=1)
    build_cell(sweep, 0, 0.8, depth=2)
    assert context_of(reader, sweep.project, tab="grid")["grid"] is None


def test_curves_show_means_with_n_and_leave_step_0_out(sweep: Sweep) -> None:
    [chart] = charts_of(sweep, "val_accuracy")
    names = {trace["name"] for trace in chart.figure["data"]}
    assert "depth 1, relu" in names
    assert "depth 2, tanh (n = 2, 1 diverged)" in names
    assert "t interval" in chart.caption
    assert chart.table.rows[0][0] == "50"


def test_names_of_lines_leave_out_what_the_title_says(sweep: Sweep) -> None:
    charts = charts_of(sweep, "val_accuracy", facet="depth")
    names = {trace["name"] for chart in charts for trace in chart.figure["data"]}
    assert {"relu", "tanh (n = 2, 1 diverged)"} <= names
    assert not any("depth" in name for name in names if "seed" not in name)
    assert all("over 2 seeds" in chart.caption for chart in charts)
    assert "%" in charts[0].summary


def test_facets_share_out_the_groups_and_colours_follow_the_factor(sweep: Sweep) -> None:
    charts = charts_of(sweep, "val_accuracy", color="activation", facet="depth")
    assert [chart.title for chart in charts] == ["Depth 1", "Depth 2"]
    low, high = charts[0].figure["layout"]["yaxis"]["range"]
    assert charts[1].figure["layout"]["yaxis"]["range"] == [low, high]
    assert low < 0.77
    assert high > 0.89
    for chart in charts:
        colours = {
            trace["name"].split(" (")[0]: trace["meta"]["series"]
            for trace in chart.figure["data"]
            if trace.get("meta", {}).get("role") == "line"
        }
        assert colours == {"relu": 0, "tanh": 1}


def test_a_metric_of_every_step_is_averaged_over_blocks() -> None:
    sweep = builders.build_sweep()
    rng = np.random.default_rng(1)
    for seed in (0, 1):
        run = builders.build_finished_run(sweep, training={"seed": seed})
        builders.build_series(run, "train_loss", 1 + rng.random(3000))
    [chart] = charts_of(sweep, "train_loss")
    assert len(chart.to_json()) < 40_000


def test_the_page_of_a_sweep_names_it_and_can_stop_it(reader: Client, sweep: Sweep) -> None:
    builders.build_run(sweep)
    text = reader.get(sweep.get_absolute_url()).content.decode()
    assert "<h1>depth and activation</h1>" in text
    assert 'aria-current="page">Compare</a>' in text
    assert reverse("sweep-stop", args=[sweep.pk]) in text
    assert "1 not over yet" in text


def test_the_page_compares_the_runs_named(reader: Client, sweep: Sweep) -> None:
    runs = list(sweep.runs.order_by("pk")[:2])
    context = context_of(reader, sweep.project, runs=f"{runs[0].pk},{runs[1].pk},999999,abc")
    assert {run.pk for run in context["selection"].runs} == {run.pk for run in runs}
    assert len(context["warnings"]) == 2
    assert context["comparison"].seeds == 2


def test_the_page_costs_the_same_for_eight_runs_and_for_more(
    reader: Client, sweep: Sweep, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    # Session, user, 2 rights; project, count, runs, sweep, metrics, values, series, chunks, journal, badge.
    with django_assert_max_num_queries(14):
        reader.get(sweep.get_absolute_url())
    for seed in range(2, 8):
        build_cell(sweep, seed, 0.7, depth=3)
    with django_assert_max_num_queries(14):
        reader.get(sweep.get_absolute_url())


def test_only_the_tab_that_the_address_names_is_built(reader: Client, sweep: Sweep) -> None:
    built = {
        tab.key: {"curves", "factors", "grid"} & context_of(reader, sweep.project, tab=tab.key).keys()
        for tab in TABS
        if tab.key in {"curves", "factors", "grid"}
    }
    assert built == {"curves": {"curves"}, "factors": {"factors"}, "grid": {"grid"}}


def test_an_unknown_tab_is_said_and_the_curves_are_shown(reader: Client, sweep: Sweep) -> None:
    context = context_of(reader, sweep.project, tab="<b>")
    assert (context["tab"].key, len(context["warnings"])) == ("curves", 1)


def test_too_many_runs_are_refused_with_a_remedy(
    reader: Client, sweep: Sweep, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "MAX_RUNS", 3)
    answer = reader.get(sweep.get_absolute_url())
    text = answer.content.decode()
    assert "8 runs match" in text
    assert "filter the runs table" in text
    assert "comparison" not in answer.context


def test_runs_among_which_nothing_varies_have_no_factors(reader: Client) -> None:
    run = build_cell(builders.build_sweep(), 0, 0.9)
    text = reader.get(address_of(run.project), {"tab": "factors"}).content.decode()
    assert "Nothing was varied among these runs" in text
    assert "only 64 was run" not in text


def test_one_seed_gives_no_interval_and_says_so(reader: Client) -> None:
    sweep = builders.build_sweep()
    build_cell(sweep, 0, 0.9, depth=1)
    build_cell(sweep, 0, 0.8, depth=2)
    assert "One seed: no interval." in reader.get(sweep.get_absolute_url()).content.decode()


def test_errors_are_shown_in_the_target_s_unit(reader: Client) -> None:
    sweep = builders.build_sweep()
    info = {**builders.INFO, "headline": "val_rmse", "target_unit": "USD"}
    for seed, score in enumerate((61_000.0, 63_000.0)):
        builders.build_finished_run(
            sweep,
            score=score,
            headline="val_rmse",
            info=info,
            summary={"val_rmse": score},
            training={"seed": seed},
        )
    text = reader.get(sweep.get_absolute_url()).content.decode()
    assert "Mean (USD)" in text
    assert "lower is better" in text


def test_the_page_begins_with_the_best_group_and_its_interval(reader: Client, sweep: Sweep) -> None:
    text = " ".join(reader.get(sweep.get_absolute_url()).content.decode().split())
    assert "<strong>88.5 %</strong> by <strong>depth 1, relu</strong>, 95 % interval 82.1 % to 94.9 %" in text
    assert "over 2 seeds" in text


def test_only_factors_that_were_varied_can_be_chosen(reader: Client, sweep: Sweep) -> None:
    context = context_of(reader, sweep.project, color="width", facet="<b>", metric="nonsense")
    assert (context["view"].color, context["view"].facet, context["comparison"].metric) == (
        "",
        "",
        "val_accuracy",
    )
    assert len(context["warnings"]) == 3


def test_runs_that_say_nothing_yet_still_have_a_page(reader: Client) -> None:
    project = builders.build_project()
    assert "No run to compare" in reader.get(address_of(project)).content.decode()
    for seed in range(3):
        builders.build_run(project=project, training={"seed": seed, "hidden_units": (8,) * (1 + seed % 2)})
    assert reader.get(address_of(project)).status_code == 200


def test_choosing_by_a_training_metric_is_advised_against(reader: Client, sweep: Sweep) -> None:
    run = sweep.runs.all()[0]
    builders.build_series(run, "train_loss", [1.0])
    advice = "choose by a validation metric instead"
    assert advice not in reader.get(sweep.get_absolute_url()).content.decode()
    assert advice in reader.get(f"{sweep.get_absolute_url()}&metric=train_loss").content.decode()


def test_a_diverged_run_does_not_count_with_its_last_finite_value() -> None:
    sweep = builders.build_sweep()
    builders.build_finished_run(sweep, stop_reason="diverged", summary={"val_accuracy": 0.7})
    [group] = compared(sweep, "val_accuracy").groups
    assert (group.diverged, group.interval, group.best) == (1, None, None)


def test_where_all_diverged_the_page_says_that_there_is_no_best(client: Client) -> None:
    client.force_login(builders.build_user())
    sweep = builders.build_sweep()
    build_cell(sweep, 0, None)
    text = client.get(sweep.get_absolute_url()).content.decode()
    assert "so there is no best one" in text
    assert "#groups" in client.get(f"{sweep.get_absolute_url()}&tab=factors").content.decode()
