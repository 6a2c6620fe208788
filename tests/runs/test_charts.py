"""Charts: what is drawn, what is said, and that neither hides a bad value."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runs.charts.chart import (
    BUNDLED_TRACES,
    Chart,
    Mark,
    figure_of,
    number_text,
    numbers,
    spread_text,
    thinned,
    value_axis,
)
from runs.charts.curves import Line, curves
from runs.charts.layers import MEASURES, layer_heatmap
from runs.charts.sparkline import sparkline
from tests.runs.sample_charts import CHARTS, INF, NAN, plain, traces

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


def leaves(value: Any) -> Iterator[Any]:
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list | tuple):
        for item in value:
            yield from leaves(item)
    else:
        yield value


@pytest.mark.parametrize("make", CHARTS.values(), ids=CHARTS.keys())
def test_a_figure_is_plain_json_without_a_number_that_is_not_finite(make: Callable[[], Chart]) -> None:
    chart = make()
    assert json.loads(chart.to_json()) == json.loads(json.dumps(chart.figure, allow_nan=False))
    assert all(type(leaf) in {str, int, float, bool, type(None)} for leaf in leaves(chart.figure))


@pytest.mark.parametrize("make", CHARTS.values(), ids=CHARTS.keys())
def test_a_figure_holds_no_colour_and_only_traces_of_the_bundle(make: Callable[[], Chart]) -> None:
    figure = make().figure
    assert {trace["type"] for trace in figure.get("data", [])} <= BUNDLED_TRACES
    assert "color" not in json.dumps(figure).replace("colorbar", "")
    assert "template" not in figure.get("layout", {})


@pytest.mark.parametrize("make", CHARTS.values(), ids=CHARTS.keys())
def test_a_chart_is_either_drawn_with_words_and_a_table_or_says_why_it_is_empty(
    make: Callable[[], Chart],
) -> None:
    chart = make()
    drawn = bool(chart.figure and chart.summary and chart.table.rows)
    assert drawn != bool(chart.empty)
    assert {len(row) for row in chart.table.rows} <= {len(chart.table.columns)}


def test_a_trace_that_the_bundle_cannot_draw_is_refused() -> None:
    with pytest.raises(ValueError, match="expected traces of the vendored bundle, got scattergl"):
        figure_of([{"type": "scattergl"}], {})


def test_a_property_that_plotly_does_not_know_is_refused() -> None:
    with pytest.raises(ValueError, match="colour"):
        figure_of([{"type": "scatter", "colour": 1}], {})


@given(st.lists(st.floats(), min_size=1, max_size=30))
def test_numbers_keep_every_finite_value_and_turn_the_others_into_gaps(values: list[float]) -> None:
    assert plain(numbers(values)) == [value if math.isfinite(value) else None for value in values]


def test_the_sentence_tells_the_course_of_a_line() -> None:
    chart = curves(
        "c", "Loss", [Line("val_loss", [10, 20, 30], [2.31, 0.05, 0.09])], y_title="loss", log_y=True
    )
    assert chart.summary == (
        "Val_loss fell from 2.31 to 0.09 between step 10 and 30; lowest 0.05 at 20, highest 2.31 at 10."
    )


def test_a_line_of_columns_says_about_where_its_extremes_and_its_break_are() -> None:
    chart = curves(
        "loss", "Loss", [Line("loss", [1, 9, 17], [3.0, 1.0, NAN], ends=(2.5, 1.25))], y_title="loss"
    )
    course, _, extremes = chart.summary.partition("; ")
    assert course == "Loss fell from about 2.5 to about 1.25 between step 1 and 9"
    assert extremes.startswith("lowest 1 at about 9, highest 3 at about 1.")
    [broken] = traces(chart, "broken")
    assert broken["text"] == ["loss: NaN from about step 17"]


def test_a_start_far_off_does_not_press_the_rest_of_a_line_flat() -> None:
    steps = np.arange(100)
    line = Line("rmse", steps, np.where(steps < 5, 1e6, 60 + np.sin(steps)))
    chart = curves("c", "RMSE", [line], y_title="rmse", least_span=0)
    low, high = chart.figure["layout"]["yaxis"]["range"]
    assert 58 < low < 59
    assert 61 < high < 62
    assert chart.summary.endswith("The axis opens on the later lines; reset the zoom to see all.")


def test_the_band_of_two_seeds_does_not_set_the_axis_and_is_not_lost() -> None:
    line = Line("mean", [1, 2, 3], [5.0, 4.0, 3.0], [-90.0, -90.0, -90.0], [99.0, 99.0, 99.0])
    chart = curves("c", "Mean", [line], y_title="loss", least_span=0)
    low, high = chart.figure["layout"]["yaxis"]["range"]
    assert -1 < low < 3
    assert 4 < high < 6
    assert "reset the zoom" in chart.summary
    assert 99.0 in plain(traces(chart, "band")[0]["y"])


def test_an_axis_that_shows_everything_says_nothing_of_its_range() -> None:
    chart = curves("c", "Loss", [Line("loss", [1, 2, 3], [1.0, 1.0, 2.0])], y_title="loss", least_span=0)
    assert "reset" not in chart.summary


def test_noise_in_a_share_is_not_blown_up() -> None:
    line = Line("accuracy", [1, 2, 3], [0.1, 0.103, 0.1])
    chart = curves("c", "Accuracy", [line], y_title="accuracy", least_span=0.1)
    low, high = chart.figure["layout"]["yaxis"]["range"]
    assert high - low == pytest.approx(0.1)
    assert low < 0.1
    assert high > 0.103


def test_the_axis_of_a_share_ends_at_all_of_it() -> None:
    line = Line("accuracy", [1, 2, 3], [0.98, 0.99, 1.0])
    chart = curves("c", "Accuracy", [line], y_title="accuracy", least_span=0.1)
    assert 1.0 < chart.figure["layout"]["yaxis"]["range"][1] < 1.01


def test_the_sentence_does_not_call_a_line_flat_that_only_ends_where_it_began() -> None:
    chart = curves("c", "Score", [Line("score", [1, 2, 3], [0.1, 0.3, 0.1])], y_title="score")
    assert chart.summary == "Score is 0.1 at both step 1 and 3; lowest 0.1 at 1, highest 0.3 at 2."


def test_alerts_are_marked_and_named() -> None:
    chart = CHARTS["curves"]()
    assert [shape["x0"] for shape in chart.figure["layout"]["shapes"]] == [7]
    assert chart.figure["layout"]["annotations"][0]["hovertext"] == "vanishing (step 7)"
    assert "Marked: vanishing at step 7." in chart.summary


def test_a_value_that_is_not_finite_is_a_gap_with_a_mark_where_it_begins() -> None:
    chart = curves("c", "Loss", [Line("a", [1, 2, 3, 4], [3.0, 2.0, NAN, INF])], y_title="loss")
    assert plain(traces(chart, "line")[0]["y"]) == [3.0, 2.0, None, None]
    (mark,) = traces(chart, "broken")
    assert (mark["x"], mark["y"], mark["text"]) == ([3.0], [2.0], ["a: NaN from step 3"])
    assert "2 values not finite." in chart.summary


def test_a_zero_on_a_log_axis_is_counted_and_marked_but_never_moved() -> None:
    chart = curves("c", "RMS", [Line("h1", [1, 2, 3], [0.5, 0.0, -1.0])], y_title="RMS", log_y=True)
    (line,), (mark,) = traces(chart, "line"), traces(chart, "broken")
    assert plain(line["y"]) == [0.5, None, None]
    assert plain(line["customdata"]) == [0.5, 0.0, -1.0]
    assert (mark["x"], mark["y"], mark["text"]) == ([2.0], [0.5], ["h1: 0 from step 2"])
    assert "2 values at or below 0 are not drawn on the log axis." in chart.summary


def test_the_seventh_line_repeats_the_first_colour_with_another_dash() -> None:
    chart = curves("c", "Loss", [Line(str(i), [1, 2], [1, i], series=i) for i in range(7)], y_title="loss")
    looks = [(trace["meta"]["series"], trace["line"]["dash"]) for trace in traces(chart, "line")]
    assert looks[0] == (0, "solid")
    assert looks[6] == (0, "dash")
    assert len(set(looks)) == 7


@pytest.mark.parametrize(
    ("values", "axis"),
    [
        ([0.1, 0.2], {}),
        ([1.0, 62_000.0], {"exponentformat": "SI"}),
        ([1.0, 1e20], {}),
        ([NAN, 2e4], {"exponentformat": "SI"}),
    ],
)
def test_large_numbers_get_a_prefix_unless_there_is_none_so_large(
    values: list[float], axis: dict[str, str]
) -> None:
    assert value_axis("rmse", np.array(values)) == {"title": {"text": "rmse"}} | axis


@pytest.mark.parametrize(
    ("values", "ticks"),
    [([1.0, 5.0], 3), ([1e-6, 1.0], 8), ([1e-12, 1.0], 8), ([5e-324, 1e308], 8), ([0.0, NAN], 3)],
)
def test_a_log_axis_has_ticks_at_whole_powers_rather_than_a_crowd(values: list[float], ticks: int) -> None:
    assert value_axis("RMS", np.array(values), log=True)["nticks"] == ticks


def test_a_band_is_drawn_from_its_lower_edge_to_its_upper_one() -> None:
    roles = [trace["meta"]["role"] for trace in CHARTS["band"]().figure["data"]]
    assert roles == ["edge", "band", "line"]


def test_a_faint_line_is_neither_in_the_legend_nor_in_the_table() -> None:
    chart = CHARTS["gaps"]()
    assert traces(chart, "faint")[0]["showlegend"] is False
    assert chart.table.columns == ("step", "a")


def test_lines_of_unequal_length_are_refused() -> None:
    with pytest.raises(ValueError, match=r"x and y of 'a' to be of one length, got \(2,\) and \(1,\)"):
        curves("c", "Loss", [Line("a", [1, 2], [1])], y_title="loss")
    with pytest.raises(ValueError, match="expected band and n of 'a' to be as long as its line, 2 points"):
        curves("c", "Loss", [Line("a", [1, 2], [1, 2], low=[1], high=[2])], y_title="loss")


@pytest.mark.parametrize(("values", "words"), [([], "No point yet"), ([NAN, INF], "No finite value so far")])
def test_a_chart_without_a_finite_value_says_so(values: list[float], words: str) -> None:
    chart = curves("c", "Loss", [Line("a", list(range(len(values))), values)], y_title="loss")
    assert chart.empty.startswith(words)


def test_a_table_of_many_rows_is_thinned_and_says_so() -> None:
    chart = curves("c", "Loss", [Line("a", np.arange(1000), np.arange(1000))], y_title="loss")
    assert len(chart.table.rows) == 60
    assert chart.table.note == "60 of 1000 rows; the CSV has them all"
    assert (chart.table.rows[0][0], chart.table.rows[-1][0]) == ("0", "999")


@given(st.integers(0, 500), st.integers(2, 80))
def test_thinning_keeps_the_first_and_the_last_row(count: int, limit: int) -> None:
    chosen = thinned(count, limit)
    assert len(chosen) == min(count, limit)
    assert not count or (chosen[0], chosen[-1]) == (0, count - 1)


def test_a_layer_map_has_the_same_scale_in_every_run() -> None:
    chart = layer_heatmap("l", "Dead", ["h1"], [1, 2], [[0.1, 0.2]], measure="dead_share")
    (heat,) = traces(chart, "heat")
    assert (heat["zmin"], heat["zmax"]) == (0, 1)


def test_an_exact_zero_has_a_colour_of_its_own_on_a_log_map() -> None:
    chart = CHARTS["layers"]()
    (heat,), (zero,) = traces(chart, "heat"), traces(chart, "zero")
    assert heat["z"] == [[-1.0, None], [None, -9.0]]
    assert zero["z"] == [[None, 1.0], [None, None]]
    assert "1 value exactly 0, drawn in a colour of its own." in chart.summary


def test_a_layer_map_refuses_an_unknown_measure_and_a_wrong_shape() -> None:
    with pytest.raises(ValueError, match=r"expected a measure of dead_share, .*, got 'mood'"):
        layer_heatmap("l", "L", ["h1"], [1], [[1]], measure="mood")
    with pytest.raises(ValueError, match=r"expected values of shape \(2, 1\), got \(1, 1\)"):
        layer_heatmap("l", "L", ["h1", "h2"], [1], [[1]], measure="dead_share")


@pytest.mark.parametrize("measure", MEASURES)
def test_a_layer_map_without_values_is_empty(measure: str) -> None:
    assert layer_heatmap("l", "L", ["h1"], [], np.empty((1, 0)), measure=measure).empty


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "–"), (NAN, "NaN"), (INF, "inf"), (-INF, "-inf"), (0, "0"), (12, "12"), (0.123456, "0.1235"),
     (62_370.5, "62\u202f370"), (16_500, "16\u202f500"), (1.234e-4, "1.23e-4"), (1.5e7, "1.50e7"),
     (-0.5, "-0.5")],
)  # fmt: skip
def test_a_number_is_written_for_people(value: float | None, text: str) -> None:
    assert number_text(value) == text


@pytest.mark.parametrize(
    ("mean", "sd", "text"),
    [(0.96612, 0.0193, "0.966 ± 0.019"), (62.13, 4.4, "62.1 ± 4.4"), (1.0, 0.0, "1 ± 0")],
)
def test_a_mean_has_the_decimals_of_its_spread(mean: float, sd: float, text: str) -> None:
    assert spread_text(mean, sd) == text


def test_a_sparkline_breaks_where_a_value_is_not_finite() -> None:
    drawing = sparkline([1, 2, NAN, 3])
    assert drawing.count("M") == 2
    assert "style" not in drawing


@pytest.mark.parametrize("values", [[], [1.0], [NAN, 1.0]])
def test_a_sparkline_needs_two_points(values: list[float]) -> None:
    assert sparkline(values) == ""


def test_few_steps_get_whole_ticks_and_many_get_plotly_s_own() -> None:
    assert (
        curves("c", "c", [Line("a", [0, 1], [2.0, 1.0])], y_title="y").figure["layout"]["xaxis"]["dtick"] == 1
    )
    many = curves("c", "c", [Line("a", [0, 900], [2.0, 1.0])], y_title="y")
    assert "dtick" not in many.figure["layout"]["xaxis"]
    marked = curves("c", "c", [Line("a", [0], [2.0])], y_title="y", marks=[Mark(3, "nonfinite")])
    assert marked.figure["layout"]["xaxis"]["dtick"] == 1


def test_a_lone_point_at_the_edge_is_drawn_whole() -> None:
    chart = curves("c", "c", [Line("a", [0], [2.0]), Line("b", [0, 1], [2.0, 1.0])], y_title="y")
    assert [trace["cliponaxis"] for trace in chart.figure["data"]] == [False, True]


def test_a_share_has_an_axis_in_percent_and_keeps_its_values() -> None:
    chart = curves("c", "c", [Line("a", [1, 2], [0.5, np.nan])], y_title="accuracy", percent=True)
    assert chart.figure["layout"]["yaxis"]["tickformat"] == "~%"
    assert chart.figure["data"][0]["y"] == [0.5, None]


@pytest.mark.parametrize(
    ("names", "values", "words"),
    [
        (["hidden 1"], [[0.0, 0.5]], "At step 2 dead share is 0.5 in hidden 1."),
        (["hidden 1", "hidden 2"], [[0.0, 0.5], [1.0, 0.5]], "At step 2 dead share is 0.5 in every layer."),
    ],
)
def test_equal_layers_are_not_ranked(names: list[str], values: list[list[float]], words: str) -> None:
    assert layer_heatmap("h", "h", names, [1, 2], values, measure="dead_share").summary == words


def test_a_log_scale_says_that_its_ends_hold_what_lies_beyond() -> None:
    chart = layer_heatmap("h", "h", ["hidden 1"], [1, 2], [[1e-12, 1.0]], measure="gradient_rms")
    ticks = chart.figure["data"][0]["colorbar"]["ticktext"]
    assert (ticks[0], ticks[-1]) == ("≤ 1e-8", "≥ 1e0")
