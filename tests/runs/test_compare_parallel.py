"""Parallel coordinates: where lines run, which are in colour, and what the address says of the axes."""

from __future__ import annotations

import base64
import itertools
from typing import Any

import numpy as np
import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from runs.charts.chart import Chart
from runs.charts.parallel import Axis, parallel
from runs.models import Sweep
from runs.pages.comparing import parallel as parallel_page
from tests.runs import builders

pytestmark = pytest.mark.django_db


@pytest.fixture
def reader(client: Client) -> Client:
    client.force_login(builders.build_user("stop_run"))
    return client


def values(found: Any) -> list[float | None]:
    """A list of numbers as Plotly gets it, plain or packed."""
    if isinstance(found, dict):
        return np.frombuffer(base64.b64decode(found["bdata"]), f"<{found['dtype']}").tolist()  # type: ignore[no-any-return]
    return list(found)


def lines(chart: Chart) -> dict[str, list[float | None]]:
    """The heights of each line, by its name."""
    found: dict[str, list[float | None]] = {}
    for trace in chart.figure["data"]:
        for name, height in zip(trace["ids"], values(trace["y"]), strict=True):
            found.setdefault(name, []).append(height)
    return {name: heights[:-1] for name, heights in found.items()}


def build_chart(axes: list[Axis], **changes: Any) -> Chart:
    count = len(axes[0].values)
    names = [f"line {place}" for place in range(count)]
    return parallel("p", "P", axes, names, **{"inside": [True] * count, "higher": True, **changes})


SCORES = Axis("score", [0.0, 5.0, 10.0])


def test_a_line_runs_through_its_values_and_ends_in_a_gap() -> None:
    many = Axis("rate", [1e-4, 1e-2, 1.0], log=True)
    found = lines(build_chart([many, SCORES]))
    assert [heights[-1] for heights in found.values()] == [0, 0.5, 1]
    for name, height in zip(found, (0, 0.5, 1), strict=True):
        assert found[name][0] == pytest.approx(height, abs=0.06)
    chart = build_chart([many, SCORES])
    assert all(values(trace["x"])[2] is None for trace in chart.figure["data"])


def test_an_axis_can_stand_upside_down_and_be_linear() -> None:
    found = lines(
        build_chart([Axis("a", [0.0, 1.0, 10.0], flip=True), Axis("s", [0.0, 5.0, 10.0], flip=True)])
    )
    assert [heights[-1] for heights in found.values()] == [1, 0.5, 0]
    assert found["line 1"][0] == pytest.approx(0.9, abs=0.06)


def test_labels_that_would_lie_upon_others_are_left_out() -> None:
    chart = build_chart([Axis("a", [1.0, 1.01, 100.0]), SCORES])
    named = [note["text"] for note in chart.figure["layout"]["annotations"] if note["x"] == 0]
    assert sorted(named) == ["1", "100"]


def test_names_stand_at_even_distances() -> None:
    chart = build_chart([Axis("activation", ["tanh", "relu", "sigmoid"]), SCORES])
    named = {note["text"]: note["y"] for note in chart.figure["layout"]["annotations"] if note["x"] == 0}
    assert named == {"relu": 0, "sigmoid": 0.5, "tanh": 1}


def test_lines_outside_the_ranges_are_grey_and_the_best_lie_on_top() -> None:
    chart = build_chart([Axis("a", [1, 2, 3]), SCORES], inside=[True, False, True])
    drawn = [(trace["meta"]["role"], trace["ids"][0]) for trace in chart.figure["data"]]
    assert drawn == [("ghost", "line 1"), ("bin", "line 0"), ("bin", "line 2")]
    low = build_chart([Axis("a", [1, 2, 3]), SCORES], higher=False)
    assert low.figure["data"][-1]["ids"][0] == "line 0"
    assert chart.summary == "2 groups of 3 within the ranges: score from 0 (line 0) to 10 (line 2)."


def test_a_line_without_a_value_ends_below_the_axis_and_says_so() -> None:
    chart = build_chart([Axis("a", [1, 2, 3]), Axis("score", [1.0, None, 2.0])])
    assert lines(chart)["line 1"][-1] == pytest.approx(-0.09)
    assert "no value" in {note["text"] for note in chart.figure["layout"]["annotations"]}
    [broken] = [trace for trace in chart.figure["data"] if trace["meta"]["role"] == "broken"]
    assert broken["name"] == "no value"


def test_the_file_of_the_chart_gets_the_values_themselves() -> None:
    chart = build_chart([Axis("activation", ["tanh", "relu", "<b>"]), SCORES])
    said = [value for trace in chart.figure["data"] for value in trace["customdata"] if value is not None]
    assert sorted(map(str, said)) == sorted(["tanh", "0.0", "relu", "5.0", "&lt;b>", "10.0"])


def build_grid(count: int = 3) -> Sweep:
    sweep = builders.build_sweep()
    for depth, activation in itertools.product(range(1, count + 1), ("relu", "tanh")):
        builders.build_finished_run(
            sweep,
            score=0.9 - 0.1 * depth - 0.01 * (activation == "tanh"),
            training={"hidden_units": (64,) * depth, "activation": activation},
            parameters=1000 * depth,
        )
    return sweep


def open_tab(reader: Client, sweep: Sweep, **parameters: str) -> Any:
    answer = reader.get(f"/p/{sweep.project.slug}/compare/", {"tab": "parallel", **parameters})
    assert answer.status_code == 200
    return answer


def test_the_axes_are_what_differs_with_the_metric_last(reader: Client) -> None:
    axes = open_tab(reader, build_grid()).context["axes"]
    assert [axis.title for axis in axes] == ["depth", "activation", "parameters", "validation accuracy (%)"]


def test_ranges_and_directions_come_from_the_address_and_go_back_into_the_form(reader: Client) -> None:
    given = {
        "p.depth.min": "2",
        "p.activation.only": "relu",
        "p.metric.flip": "1",
        "p.parameters.scale": "log",
    }
    answer = open_tab(reader, build_grid(), **given)
    assert answer.context["parallel"].summary.startswith("2 groups of 6 within the ranges")
    text = answer.content.decode()
    assert 'name="p.depth.min" value="2"' in text
    assert '<option value="relu" selected>' in text
    depth, activation, parameters, metric = answer.context["axes"]
    assert (depth.low, activation.only, parameters.log, metric.flip) == (2, "relu", True, True)
    assert answer.context["warnings"] == []
    assert "p.depth" not in answer.context["axes_reset"]


def test_what_the_address_says_in_vain_becomes_a_warning(reader: Client) -> None:
    given = {
        "p.depth.min": "<b>", "p.depth.scale": "cubic", "p.activation.only": "elu", "p.nothing.min": "1",
        "p.parameters.min": "9", "p.parameters.max": "1", "p.metric.min": "nan",
    }  # fmt: skip
    answer = open_tab(reader, build_grid(), **given)
    assert len(answer.context["warnings"]) == 6
    assert "6 groups of 6" in answer.context["parallel"].summary


def test_ranges_that_hold_nothing_leave_a_page(reader: Client) -> None:
    answer = open_tab(reader, build_grid(), **{"p.depth.min": "99"})
    assert answer.context["parallel"].empty == "No group lies within these ranges."


def test_of_very_many_groups_some_are_drawn_and_it_is_said(
    reader: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parallel_page, "MAX_DRAWN", 4)
    chart = open_tab(reader, build_grid()).context["parallel"]
    assert "4 of 6 lines are drawn, evenly chosen by rank" in chart.caption
    drawn = lines(chart)
    assert len(drawn) == 4
    assert "depth 1, relu" in drawn


def test_a_factor_may_colour_the_lines(reader: Client) -> None:
    chart = open_tab(reader, build_grid(), color="activation").context["parallel"]
    assert {trace["meta"]["series"] for trace in chart.figure["data"]} == {0, 1}
    assert "A colour for each activation" in chart.caption
    named = {trace["name"] for trace in chart.figure["data"] if trace["showlegend"]}
    assert named == {"relu", "tanh"}
    assert chart.figure["layout"]["showlegend"]


def test_queries_do_not_grow_with_the_groups(
    reader: Client, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    for count in (2, 6):
        sweep = build_grid(count)
        with django_assert_max_num_queries(12):
            open_tab(reader, sweep)
