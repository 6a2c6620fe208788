"""The tab of the trade-off: what is on the front, what a group costs, and what cannot be drawn."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from nnlab.engine.config import TrainingConfig
from nnlab.engine.sizes import multiply_adds, parameter_count
from runs.charts.tradeoff import CostView, tradeoff
from runs.models import Sweep
from runs.pages.comparing import tradeoff as tradeoff_page
from tests.runs import builders

pytestmark = pytest.mark.django_db


@pytest.fixture
def reader(client: Client) -> Client:
    client.force_login(builders.build_user("stop_run"))
    return client


def build_sizes(scores: dict[int, float | None], **fields: Any) -> Sweep:
    """Two seeds for each width; a score of None diverged."""
    sweep = builders.build_sweep()
    for width, score in scores.items():
        for seed in range(2):
            builders.build_finished_run(
                sweep,
                score=None if score is None else score + 0.01 * seed,
                stop_reason="diverged" if score is None else "end",
                training={"hidden_units": (width,), "seed": seed},
                parameters=100 * width,
                **fields,
            )
    return sweep


def chart_of(reader: Client, sweep: Sweep, **parameters: str) -> Any:
    answer = reader.get("/p/" + sweep.project.slug + "/compare/", {"tab": "tradeoff", **parameters})
    assert answer.status_code == 200
    return answer.context["tradeoff"]


def test_what_nothing_beats_at_less_cost_is_on_the_front(reader: Client) -> None:
    chart = chart_of(reader, build_sizes({8: 0.7, 16: 0.6, 32: 0.9, 64: 0.8, 128: None}))
    assert [(row[0], row[1], row[-1]) for row in chart.table.rows] == [
        ("width 8", "800", "on the front"),
        ("width 16", "1\u202f600", "dominated"),
        ("width 32", "3\u202f200", "on the front"),
        ("width 64", "6\u202f400", "dominated"),
    ]
    assert chart.summary == (
        "2 of 4 groups are on the front: validation accuracy (%) by parameters"
        " from width 8 (70.5 at 800) to width 32 (90.5 at 3\u202f200)."
    )
    assert "Higher is better" in chart.caption
    assert "Not drawn: 1 group" in chart.caption


def test_for_an_error_less_is_better(reader: Client) -> None:
    sweep = builders.build_sweep()
    for width, loss in {8: 0.5, 16: 0.7, 32: 0.3}.items():
        builders.build_finished_run(
            sweep,
            training={"hidden_units": (width,)},
            parameters=width,
            headline="val_loss",
            summary={"val_loss": loss},
        )
    chart = chart_of(reader, sweep)
    assert [row[-1] for row in chart.table.rows] == ["on the front", "dominated", "on the front"]


def test_time_and_steps_are_averaged_over_the_runs_of_a_group(reader: Client) -> None:
    now = timezone.now()
    sweep = build_sizes({8: 0.7}, started_at=now - timedelta(seconds=90), ended_at=now, steps_run=440)
    assert chart_of(reader, sweep, cost="time").table.rows[0][1] == "90"
    assert chart_of(reader, sweep, cost="steps").table.rows[0][1] == "440"


@pytest.mark.parametrize("activation", ["relu", "prelu"])
@pytest.mark.parametrize("norm", [False, True])
def test_inference_costs_a_multiplication_a_weight(reader: Client, activation: str, norm: bool) -> None:
    config = TrainingConfig(hidden_units=(32, 16), activation=activation, batch_norm=norm)
    sweep = builders.build_sweep()
    builders.build_finished_run(
        sweep,
        training={"hidden_units": (32, 16), "activation": activation, "batch_norm": norm},
        parameters=parameter_count(config, 8, 10),
        info={**builders.INFO, "widths": [32, 16, 10]},
    )
    [row] = chart_of(reader, sweep, cost="inference").table.rows
    assert int(row[1].replace("\u202f", "")) == multiply_adds(config, 8, 10)


def test_an_unknown_cost_is_a_warning(reader: Client) -> None:
    sweep = build_sizes({8: 0.7})
    address = "/p/" + sweep.project.slug + "/compare/?tab=tradeoff&cost=<b>"
    text = reader.get(address).content.decode()
    assert "cost=&lt;b&gt; is not known; expected one of parameters, time, inference, steps." in text


def test_of_very_many_groups_the_front_is_always_drawn(
    reader: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tradeoff_page, "MAX_DRAWN", 3)
    chart = chart_of(
        reader, build_sizes({2**power: 0.5 + (power % 2) * 0.01 * power for power in range(3, 10)})
    )
    assert "of 7 groups are drawn" in chart.caption
    assert [row[0] for row in chart.table.rows if row[-1] == "on the front"] == [
        *("width 8", "width 32", "width 128", "width 512"),
    ] or chart.summary.startswith("5 of")


def test_the_axis_of_a_share_opens_little_beyond_what_is_possible() -> None:
    points = [CostView("a", 1.0, 2.0, None, None, 1), CostView("b", 2.0, 98.0, 90.0, 106.0, 2)]
    chart = tradeoff("t", "T", points, [0, 1], x_title="x", y_title="y", bounds=(0.0, 100.0))
    assert chart.figure["layout"]["yaxis"]["range"] == [-3.0, 103.0]
    assert chart.figure["data"][1]["error_y"]["array"] == [None, 8.0]  # the whisker is what it is


def test_a_name_of_a_group_does_not_become_markup() -> None:
    chart = tradeoff("t", "T", [CostView("<b>", 1.0, 2.0, None, None, 1)], [0], x_title="x", y_title="y")
    assert "<b>" not in chart.to_json()
    assert chart.summary.startswith("1 of 1 group is on the front: <b> is both")
