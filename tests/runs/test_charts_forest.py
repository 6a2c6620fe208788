"""Distances to a reference: filled where they are certain, with true whiskers and plain names."""

from __future__ import annotations

from runs.charts.chart import BUNDLED_TRACES
from runs.charts.forest import DistanceView, forest

VIEWS = [
    DistanceView("depth 2, <b>relu</b>", 0.4, -1.0, 1.8, "no difference found", is_better=True),
    DistanceView("depth 16, width 64, sigmoid, dropout 0.3", -9.0, -12.0, -6.0, "worse", is_certain=True),
    DistanceView("one seed", -1.0, None, None, "cannot be told"),
]


def test_a_dot_is_filled_where_the_difference_is_certain() -> None:
    data = forest("f", "F", VIEWS, x_title="difference").figure["data"]
    symbols = {trace["name"]: trace["marker"]["symbol"] for trace in data}
    assert symbols == {
        "no difference found": "circle-open", "worse": "circle", "cannot be told": "circle-open",
    }  # fmt: skip
    assert {trace["type"] for trace in data} <= BUNDLED_TRACES


def test_the_first_group_is_on_top_and_whiskers_are_the_intervals() -> None:
    first, second, third = forest("f", "F", VIEWS, x_title="difference").figure["data"]
    assert [trace["y"] for trace in (first, second, third)] == [[2], [1], [0]]
    assert (second["error_x"]["array"], second["error_x"]["arrayminus"]) == ([3.0], [3.0])
    assert third["error_x"]["array"] == [None]


def test_long_names_are_broken_in_two_and_stay_whole_in_the_data() -> None:
    layout = forest("f", "F", VIEWS, x_title="difference").figure["layout"]
    assert layout["yaxis"]["ticktext"][:2] == [
        "depth 2, &lt;b>relu&lt;/b>", "depth 16, width 64,<br>sigmoid, dropout 0.3",
    ]  # fmt: skip
    assert layout["meta"]["yaxis"][1] == "depth 16, width 64, sigmoid, dropout 0.3"


def test_what_counts_as_equal_is_dotted_beside_the_line_of_no_difference() -> None:
    shapes = forest("f", "F", VIEWS, x_title="difference", within=2.0).figure["layout"]["shapes"]
    assert [(shape["x0"], shape["line"]["dash"]) for shape in shapes] == [
        (-2.0, "dot"), (0.0, "solid"), (2.0, "dot"),
    ]  # fmt: skip


def test_nothing_to_compare_says_so() -> None:
    assert "could be compared" in forest("f", "F", [], x_title="difference").empty
