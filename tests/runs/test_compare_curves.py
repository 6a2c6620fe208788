"""Curves of a comparison: what is drawn, over what, and that hiding changes nothing that is left."""

from __future__ import annotations

from base64 import b64decode
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nnlab.series.smoothing import smoothed
from runs.charts.chart import Chart
from runs.models import Run, Sweep
from runs.pages.comparing.comparison import Comparison, compare_runs
from runs.pages.comparing.curves import MAX_GROUPS, curves_tab, panels_of
from runs.pages.comparing.view import CompareView
from runs.reading import comparison as reading
from tests.runs import builders

pytestmark = pytest.mark.django_db


def build_runs(values: dict[tuple[int, int], list[float]], **fields: Any) -> Sweep:
    """Make a sweep with these validation losses, by depth and seed, at steps 10, 20, ..."""
    sweep = builders.build_sweep()
    for (depth, seed), curve in values.items():
        build_one(sweep, depth, seed, curve, **fields)
    return sweep


def build_one(sweep: Sweep, depth: int, seed: int, curve: list[float], **fields: Any) -> Run:
    training = {"hidden_units": (8,) * depth, "seed": seed}
    summary = {"val_loss": curve[-1] if np.isfinite(curve[-1]) else "NaN"}
    run = builders.build_finished_run(
        sweep, training=training, headline="val_loss", summary=summary, steps_run=10 * len(curve), **fields
    )
    builders.build_series(run, "val_loss", curve, steps=[10 * (place + 1) for place in range(len(curve))])
    return run


def compared(sweep: Sweep, metric: str = "val_loss") -> Comparison:
    runs = sweep.runs.all()
    return compare_runs(reading.read_rows(runs), metric, reading.final_values(runs, metric))


def charts_of(
    sweep: Sweep, metric: str = "val_loss", warnings: list[str] | None = None, **view: Any
) -> list[Chart]:
    found = [] if warnings is None else warnings
    charts: list[Chart] = curves_tab(compared(sweep, metric), CompareView(**view), found)["curves"]
    return charts


def traces(chart: Chart, role: str) -> list[dict[str, Any]]:
    return [trace for trace in chart.figure["data"] if trace["meta"]["role"] == role]


def decoded(values: Any) -> list[float]:
    found: list[float] = np.frombuffer(b64decode(values["bdata"]), f"<{values['dtype']}").tolist()
    return found


def plain(chart: Chart) -> list[tuple[str, ...]]:
    return [row[1:] for row in chart.table.rows]


def test_a_line_is_dashed_where_seeds_have_ended() -> None:
    [chart] = charts_of(build_runs({(1, 0): [4.0, 3.0, 2.0, 1.0], (1, 1): [2.0, 1.0]}))
    [whole], [tail] = traces(chart, "line"), traces(chart, "pair")
    assert whole["y"] == [3.0, 2.0, None, None]
    assert decoded(tail["y"]) == [2.0, 2.0, 1.0]
    assert (decoded(tail["x"]), tail["line"]["dash"]) == ([20, 30, 40], "dash")
    assert tail["text"] == ["2", "1", "1"]
    assert "Dashed where fewer seeds are left" in chart.caption


def test_one_seed_has_no_band_and_the_caption_says_so() -> None:
    [chart] = charts_of(build_runs({(1, 0): [2.0, 1.0], (2, 0): [3.0, 1.0]}))
    assert traces(chart, "band") == []
    assert chart.caption.startswith("One seed: no interval.")


def test_a_diverged_run_is_counted_even_where_its_last_value_was_finite() -> None:
    sweep = build_runs({(1, 0): [4.0, 3.0, 2.0], (1, 1): [4.0, 3.0, 2.0]})
    build_one(sweep, 1, 2, [5.0, 9.0], stop_reason="diverged")
    sweep.runs.filter(seed=2).update(steps_run=25)
    [chart] = charts_of(sweep)
    assert traces(chart, "line")[0]["name"] == "8 relu (n = 3, 1 diverged)"
    assert "1 diverged, and from there on is not in the means." in chart.caption
    [median] = charts_of(sweep, agg="median", band="quartiles")
    assert "counts as the worst in the median" in median.caption
    assert plain(median)[-1][0] == "2"


def test_bands_lie_behind_the_lines_of_all_groups() -> None:
    runs = {(1, 0): [2.0, 1.0], (1, 1): [3.0, 2.0], (2, 0): [2.5, 1.5], (2, 1): [3.5, 2.5]}
    [chart] = charts_of(build_runs(runs))
    roles = [trace["meta"]["role"] for trace in chart.figure["data"]]
    assert roles[:4] == ["edge", "band", "edge", "band"]
    assert not {"edge", "band"} & {*roles[4:]}


def test_the_axis_of_a_share_ends_at_100_percent_and_its_band_stays_true() -> None:
    sweep = builders.build_sweep()
    for seed, share in enumerate((0.5, 0.99)):
        run = builders.build_finished_run(sweep, score=share, training={"seed": seed})
        builders.build_series(run, "val_accuracy", [share, share], steps=[10, 20])
    [chart] = charts_of(sweep, "val_accuracy")
    assert "The axis ends at 0 and 100 %" in chart.caption
    assert max(abs(end - 0.5) for end in chart.figure["layout"]["yaxis"]["range"]) < 0.51
    [group] = compared(sweep, "val_accuracy").groups
    assert group.interval is not None
    assert (group.interval.high or 0) > 1  # the number is what it is


@pytest.mark.parametrize(
    ("x", "title", "last"),
    [("epoch", "epoch", "2"), ("examples", "training examples", "1280"), ("time", "time (s)", "41")],
)
def test_curves_can_be_drawn_over_other_axes(x: str, title: str, last: str) -> None:
    [chart] = charts_of(build_runs({(1, 0): [4.0, 3.0, 2.0, 1.0], (1, 1): [4.0, 3.0, 2.0, 1.0]}), x=x)
    assert chart.figure["layout"]["xaxis"]["title"]["text"] == title
    assert chart.table.rows[-1][0].replace("\u202f", "") == last


def test_runs_without_an_axis_are_left_out_and_counted() -> None:
    sweep = build_runs({(1, 0): [2.0, 1.0], (1, 1): [2.0, 1.0]})
    sweep.runs.filter(seed=1).update(info={})
    warnings: list[str] = []
    [chart] = charts_of(sweep, warnings=warnings, x="epoch")
    assert "(n = 1)" in traces(chart, "line")[0]["name"]
    assert warnings == ["1 run without what it takes to know the epoch: not drawn."]


def test_the_range_of_x_is_what_the_axis_opens_on() -> None:
    [chart] = charts_of(
        build_runs({(1, 0): [4.0, 3.0, 2.0, 1.0], (1, 1): [4.0, 3.0, 2.0, 1.0]}), first=15.0, last=30.0
    )
    assert chart.figure["layout"]["xaxis"]["range"] == [15.0, 30.0]
    assert [row[0] for row in chart.table.rows] == ["20", "30"]


def test_smoothing_is_of_every_point_and_leaves_the_raw_line_pale() -> None:
    sweep = builders.build_sweep()
    rng = np.random.default_rng(3)
    values = [1 + rng.random(3000) for _ in range(2)]
    for seed, curve in enumerate(values):
        run = builders.build_finished_run(sweep, training={"seed": seed})
        builders.build_series(run, "train_loss", curve)
    [chart] = charts_of(sweep, "train_loss", smooth=0.9)
    expected = np.mean([smoothed(curve, 0.9) for curve in values], axis=0)
    assert float(chart.table.rows[-1][1]) == pytest.approx(expected[-1], rel=1e-3)
    assert len(traces(chart, "faint")) == 2
    assert "Smoothed over all points with weight 0.9; pale: not smoothed." in chart.caption


def test_the_best_groups_are_drawn_and_the_others_counted() -> None:
    sweep = build_runs({(depth, 0): [float(depth)] for depth in range(1, MAX_GROUPS + 3)})
    [chart] = charts_of(sweep)
    assert len(traces(chart, "line")) == MAX_GROUPS
    assert f"The best {MAX_GROUPS} of {MAX_GROUPS + 2} groups are drawn" in chart.caption
    comparison = compared(sweep)
    [panel] = panels_of(comparison, CompareView(hide=(comparison.groups[0].key,)), [])
    assert comparison.groups[0].key not in panel.drawn
    assert comparison.groups[MAX_GROUPS].key in panel.drawn


CURVES = st.lists(st.floats(0.1, 10), min_size=1, max_size=4)
CELLS = st.dictionaries(st.tuples(st.integers(1, 3), st.integers(0, 2)), CURVES, min_size=2, max_size=6)


@given(cells=CELLS, hidden=st.sets(st.integers(0, 2)))
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_hiding_groups_changes_nothing_of_the_others(
    cells: dict[tuple[int, int], list[float]], hidden: set[int]
) -> None:
    sweep = build_runs(cells)
    comparison = compared(sweep)
    hide = tuple(group.key for place, group in enumerate(comparison.groups) if place in hidden)
    [whole] = charts_of(sweep)
    [rest] = charts_of(sweep, hide=hide)
    assert [group.interval for group in compared(sweep).groups] == [
        group.interval for group in comparison.groups
    ]
    shown = {
        trace["name"]: trace for trace in whole.figure.get("data", []) if trace["meta"]["role"] == "line"
    }
    left = {trace["name"]: trace for trace in rest.figure.get("data", []) if trace["meta"]["role"] == "line"}
    assert left.items() <= shown.items()
    assert len(left) == len(shown) - len(hide)


def build_long(seeds: int, spike: tuple[int, int], points: int = 5_000) -> tuple[Sweep, Any]:
    """Make runs of one configuration with a spike in one of them."""
    sweep = builders.build_sweep()
    values = 1 + np.random.default_rng(5).random((seeds, points))
    values[spike] = 40.0
    for seed in range(seeds):
        run = builders.build_finished_run(sweep, training={"seed": seed})
        builders.build_series(run, "train_loss", values[seed])
    return sweep, values


def heights(trace: dict[str, Any]) -> Any:
    values = trace["y"]
    return np.array(decoded(values) if isinstance(values, dict) else [v for v in values if v is not None])


@pytest.mark.parametrize("view", [{}, {"smooth": 0.9}, {"x": "epoch"}, {"agg": "median", "band": "none"}])
@pytest.mark.parametrize("seeds", [1, 3])
def test_no_spike_of_a_run_is_lost_in_an_average(seeds: int, view: dict[str, Any]) -> None:
    sweep, values = build_long(seeds, (seeds - 1, 3_333))
    [chart] = charts_of(sweep, "train_loss", **view)
    pale = traces(chart, "faint")
    assert len(pale) == seeds
    for trace, own in zip(pale, values, strict=True):
        assert (heights(trace).min(), heights(trace).max()) == (own.min(), own.max())
    assert max(heights(line).max() for line in traces(chart, "line")) < 5
    assert "Pale: the lowest and the highest value of " in chart.caption
    assert chart.figure["layout"]["yaxis"]["range"][1] > 40


def test_of_many_runs_the_extremes_of_each_group_are_drawn() -> None:
    sweep, values = build_long(45, (17, 2_000), points=1_000 * 3)
    [chart] = charts_of(sweep, "train_loss")
    [pale] = traces(chart, "faint")
    assert (heights(pale).min(), heights(pale).max()) == (values.min(), values.max())
    assert "of the runs of each group" in chart.caption


def test_one_value_that_is_not_finite_is_marked_and_leaves_the_mean_of_the_others() -> None:
    sweep, _ = build_long(3, (0, 0))
    broken = builders.build_finished_run(sweep, training={"seed": 3})
    curve = np.ones(5_000)
    curve[2_500] = np.nan
    builders.build_series(broken, "train_loss", curve)
    [chart] = charts_of(sweep, "train_loss")
    [marks] = traces(chart, "broken")
    assert len(marks["x"]) == 1
    assert abs(marks["x"][0] - 2_500) <= 5_000 / 150
    assert marks["text"][0].startswith(broken.name)


def test_runs_with_few_points_are_drawn_as_they_are() -> None:
    [chart] = charts_of(build_runs({(1, 0): [4.0, 3.0], (1, 1): [2.0, 1.0]}))
    assert "lowest" not in chart.caption
    assert "pale: single runs" in chart.caption
