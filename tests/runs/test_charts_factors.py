"""Factor plots and grids: n, diverged runs and empty cells are always said."""

from __future__ import annotations

import pytest

from runs.charts.factors import ALL_DOTS, MAX_DOTS, LevelView, dots_of, factor_plot, grid_heatmap
from tests.runs.sample_charts import CHARTS, LEVELS, a_grid, traces


def test_every_level_says_its_n_and_its_diverged_runs() -> None:
    chart = CHARTS["factor"]()
    assert chart.figure["layout"]["xaxis"]["ticktext"] == [
        "relu<br>3 seeds",
        "sigmoid &lt;b><br>1 seed<br>2 diverged",
        "tanh<br>0 seeds<br>3 diverged",
    ]
    assert "5 runs diverged and are not in the means." in chart.summary


def test_one_seed_has_a_dot_without_a_whisker() -> None:
    (mean,) = traces(CHARTS["factor"](), "mean")
    assert mean["error_y"]["array"] == [pytest.approx(0.02), None]
    assert "one seed: no interval" in mean["text"][1]


def test_every_run_is_a_grey_dot_beside_its_level() -> None:
    (dots,) = traces(CHARTS["factor"](), "muted")
    assert dots["y"] == [0.89, 0.9, 0.91, 0.7]
    assert [round(x) for x in dots["x"]] == [0, 0, 0, 1]


def test_a_factor_without_a_finished_run_is_empty() -> None:
    assert factor_plot("f", "Depth", LEVELS[2:], y_title="val accuracy").empty


def test_a_factor_without_a_setting_common_to_its_levels_says_why_it_draws_no_mean() -> None:
    levels = [LevelView("1", None, None, None, 0, [0.9]), LevelView("2", None, None, None, 0, [0.8])]
    chart = factor_plot(
        "f", "Depth", levels, y_title="val accuracy", caption="Unbalanced: 3 of 6 cells missing."
    )
    assert chart.empty == "No setting was run at every level of this factor, so no mean would be fair."
    assert chart.caption == "Unbalanced: 3 of 6 cells missing."


@pytest.mark.parametrize(("better", "best"), [("higher", (0, 1)), ("lower", (1, 1))])
def test_the_best_cell_is_outlined(better: str, best: tuple[int, int]) -> None:
    (outline,) = [shape for shape in a_grid(better).figure["layout"]["shapes"] if shape["name"] == "best"]
    assert (outline["y0"] + 0.5, outline["x0"] + 0.5) == best


def test_a_cell_that_was_not_run_is_hatched_and_says_so() -> None:
    layout = a_grid().figure["layout"]
    assert [shape["name"] for shape in layout["shapes"]] == ["hatch", "best"]
    assert [(note["x"], note["y"], note["text"]) for note in layout["annotations"]] == [(0, 1, "not run")]


def test_a_cell_says_mean_spread_and_n() -> None:
    (words,) = traces(a_grid(), "cell")
    assert words["text"] == [
        "0.800<br>± 0.010<br>3 runs",
        "0.9<br>1 run",
        "0.700<br>± 0.020<br>3 runs",
    ]
    assert words["customdata"] == [pytest.approx(0.5), pytest.approx(1), 0]


def test_a_grid_refuses_tables_of_a_wrong_shape_and_an_unclear_aim() -> None:
    with pytest.raises(ValueError, match="expected tables of 1 rows and 2 columns"):
        grid_heatmap(
            "g", "G", [1], [1, 2], [[1]], [[1]], [[1]], row_title="r", column_title="c", better="higher"
        )
    with pytest.raises(ValueError, match="expected better to be 'higher' or 'lower', got 'nearer'"):
        a_grid("nearer")


def test_many_levels_have_one_line_each_that_can_be_turned() -> None:
    levels = [LevelView(str(level), 1.0, None, None, 1, diverged=level // 11) for level in range(12)]
    axis = factor_plot("f", "Rate", levels, y_title="loss").figure["layout"]["xaxis"]
    assert axis["ticktext"] == [*(f"{level} (1)" for level in range(11)), "11 (1, ✗)"]
    assert axis["ticklabeloverflow"] == "allow"


def test_the_axis_ends_where_nothing_is_possible_and_whiskers_stay_true() -> None:
    chart = factor_plot(
        "f", "Depth", [LevelView("1", 97.0, 90.0, 104.0, 2)], y_title="accuracy (%)", bounds=(0.0, 100.0)
    )
    whiskers = chart.figure["data"][1]["error_y"]
    assert (list(whiskers["array"]), list(whiskers["arrayminus"])) == ([7.0], [7.0])
    assert chart.figure["layout"]["yaxis"]["range"] == pytest.approx([89.6, 100.4])
    assert chart.table.rows[0][3] == "104"


def test_of_very_many_runs_an_even_choice_is_drawn_with_the_extremes() -> None:
    runs = [float(value) for value in range(10_000)]
    dots = factor_plot("f", "Depth", [LevelView("1", 5.0, 4.0, 6.0, 5, runs)], y_title="loss").figure["data"][
        0
    ]
    assert (len(dots["y"]), min(dots["y"]), max(dots["y"])) == (MAX_DOTS, 0, 9_999)


def test_many_levels_share_out_the_dots_and_keep_their_outliers() -> None:
    runs = [float(value) for value in range(1000)] + [-1e6, -1e5, 1e5, 1e6]
    levels = [LevelView(str(level), 5.0, 4.0, 6.0, 5, runs) for level in range(40)]
    dots = factor_plot("f", "Rate", levels, y_title="loss").figure["data"][0]
    assert len(dots["y"]) == 40 * dots_of(40) <= ALL_DOTS
    assert list(dots["y"]).count(1e5) == list(dots["y"]).count(-1e5) == list(dots["y"]).count(-1e6) == 40


def test_the_table_has_both_means() -> None:
    chart = factor_plot(
        "f", "Depth", [LevelView("1", 5.0, 4.0, 6.0, 2, (1.0, 2.0), plain=1.5)], y_title="loss"
    )
    row = dict(zip(chart.table.columns, chart.table.rows[0], strict=True))
    assert (row["mean loss"], row["mean of all runs"]) == ("5", "1.5")
