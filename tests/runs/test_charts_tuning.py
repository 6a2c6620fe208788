"""Tuning curves: every rate that was tried, the chosen one marked, gaps where nothing came out finite."""

from __future__ import annotations

import json

from runs.charts.chart import BUNDLED_TRACES
from runs.charts.tuning import TuningView, tuning_plot

VIEWS = [
    TuningView("1 layer", {0.001: 90.0, 0.01: 97.5, 0.1: None}, 0.01),
    TuningView("2 <b>layers</b>", {0.001: 95.0, 0.01: 91.0, 0.1: 80.0}, 0.001),
    TuningView("3 layers", {0.001: None, 0.01: None, 0.1: None}, None),
]


def test_rates_stand_on_a_log_axis_with_a_gap_where_all_diverged() -> None:
    chart = tuning_plot("t", "Tuning", VIEWS, y_title="accuracy (%)")
    axis = chart.figure["layout"]["xaxis"]
    assert (axis["type"], axis["tickvals"], axis["ticktext"]) == (
        "log", [0.001, 0.01, 0.1], ["0.001", "0.01", "0.1"],
    )  # fmt: skip
    lines = [trace for trace in chart.figure["data"] if trace["mode"] == "lines+markers"]
    assert lines[0]["y"] == [90.0, 97.5, None]
    assert {trace["type"] for trace in chart.figure["data"]} <= BUNDLED_TRACES
    assert "NaN" not in json.dumps(json.loads(chart.to_json()))


def test_the_chosen_rate_is_marked_and_its_line_can_be_hidden_with_it() -> None:
    data = tuning_plot("t", "Tuning", VIEWS, y_title="accuracy (%)").figure["data"]
    chosen = [trace for trace in data if trace["mode"] == "markers"]
    assert [(trace["x"], trace["y"]) for trace in chosen] == [([0.01], [97.5]), ([0.001], [95.0])]
    assert [trace["legendgroup"] for trace in chosen] == ["1 layer", "2 &lt;b>layers&lt;/b>"]
    assert not any(trace["showlegend"] for trace in chosen)


def test_the_sentence_and_the_table_say_what_was_chosen_and_where_it_is_at_an_edge() -> None:
    chart = tuning_plot("t", "Tuning", VIEWS, y_title="accuracy (%)")
    assert "1 layer: 0.01 is best, 97.5." in chart.summary
    assert "0.001 is best (at the edge of what was tried), 95." in chart.summary
    assert "3 layers: no rate is chosen yet." in chart.summary
    assert chart.table.rows[2] == ("0.1", "–", "80", "–")


def test_more_networks_than_colours_differ_by_their_dash() -> None:
    views = [TuningView(f"{depth} layers", {0.01: 90.0}, None) for depth in range(1, 9)]
    lines = tuning_plot("t", "Tuning", views, y_title="accuracy (%)").figure["data"]
    assert len({(trace["meta"]["series"], trace["line"]["dash"]) for trace in lines}) == 8
    assert len({trace["line"]["dash"] for trace in lines[:3]}) == 3  # colour alone would not do for everybody


def test_without_a_result_the_chart_says_so() -> None:
    assert "No run that tunes has a result yet." in tuning_plot("t", "T", VIEWS[2:], y_title="loss").empty
