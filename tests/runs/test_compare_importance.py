"""The tab of importance: bars with intervals, and why it cannot be said where it cannot."""

from __future__ import annotations

import itertools

import pytest
from django.test import Client

from runs.charts.importance import ShareView, share_bars
from runs.models import Sweep
from tests.runs import builders

pytestmark = pytest.mark.django_db


@pytest.fixture
def reader(client: Client) -> Client:
    client.force_login(builders.build_user("stop_run"))
    return client


def build_grid(*, depths: tuple[int, ...] = (1, 2), seeds: int = 2, diverged: bool = False) -> Sweep:
    """Depth matters most, activation a little, seeds hardly."""
    sweep = builders.build_sweep()
    for depth, activation, seed in itertools.product(depths, ("relu", "tanh"), range(seeds)):
        broken = diverged and (depth, activation, seed) == (2, "tanh", 1)
        builders.build_finished_run(
            sweep,
            score=None if broken else 0.9 - 0.2 * depth - 0.05 * (activation == "tanh") + 0.01 * seed,
            stop_reason="diverged" if broken else "end",
            training={"hidden_units": (64,) * depth, "activation": activation, "seed": seed},
        )
    return sweep


def test_the_setting_that_matters_most_is_named_with_its_interval(reader: Client) -> None:
    answer = reader.get(f"{build_grid().get_absolute_url()}&tab=importance")
    chart = answer.context["importance"]
    assert chart.summary.startswith("Depth explains 9")
    assert "more than activation with" in chart.summary
    assert "omega squared" in chart.caption
    assert [row[:2] for row in chart.table.rows] == [
        ("depth", "one setting"),
        ("activation", "one setting"),
        ("noise between seeds", "no setting"),
    ]
    assert "What explains validation accuracy" in answer.content.decode()


def test_a_run_that_diverged_counts_and_is_said_to(reader: Client) -> None:
    chart = reader.get(f"{build_grid(diverged=True).get_absolute_url()}&tab=importance").context["importance"]
    assert "1 run diverged, so ranks count in place of values" in chart.caption


def test_one_setting_is_refused_in_a_sentence(reader: Client) -> None:
    sweep = builders.build_sweep()
    for seed, rate in itertools.product(range(2), (0.1, 0.01)):
        builders.build_finished_run(sweep, score=rate, training={"learning_rate": rate, "seed": seed})
    text = reader.get(f"{sweep.get_absolute_url()}&tab=importance").content.decode()
    assert "Only learning rate was varied, and importance compares knobs" in text


def test_a_difference_in_any_other_setting_is_a_bar_of_its_own(reader: Client) -> None:
    sweep = builders.build_sweep()
    for decay, depth, seed in itertools.product((0.0, 0.1), (1, 2), range(2)):
        training = {"hidden_units": (64,) * depth, "weight_decay": decay, "seed": seed}
        builders.build_finished_run(sweep, score=decay + 0.01 * depth + 0.001 * seed, training=training)
    chart = reader.get(f"{sweep.get_absolute_url()}&tab=importance").context["importance"]
    assert chart.table.rows[0][0] == "other settings"


def test_bars_stand_in_their_order_from_the_top() -> None:
    shares = [ShareView("depth", "knob", 0.6, 0.5, 0.7), ShareView("noise", "rest", 0.4)]
    chart = share_bars("i", "Importance", shares, summary="s", caption="c")
    knob, rest = chart.figure["data"]
    assert (list(knob["y"]), list(rest["y"])) == ([1], [0])
    assert knob["error_x"]["array"][0] == pytest.approx(10)
    assert "95 % interval 50.0 % to 70.0 %" in knob["text"][0]
