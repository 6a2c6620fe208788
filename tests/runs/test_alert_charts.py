"""Alert marks, and the paired dots of a fix."""

from __future__ import annotations

from typing import Any

import pytest

from runs.charts.chart import MARK_SHAPES, Mark, marks_layout, marks_sentence
from runs.charts.pairs import PairView, pair_plot


def plot(*pairs: PairView, higher_is_better: bool = True) -> Any:
    return pair_plot("p", "Pairs", pairs, y_title="score", higher_is_better=higher_is_better)


def test_each_kind_of_mark_has_a_shape_of_its_own() -> None:
    marks = [Mark(step, kind, kind) for step, kind in enumerate(MARK_SHAPES)]
    layout = marks_layout(marks)
    assert len({note["text"] for note in layout["annotations"]}) == len(MARK_SHAPES) == 5
    assert [shape["name"] for shape in layout["shapes"]] == list(MARK_SHAPES)


def test_marks_of_one_step_share_a_line_with_the_shape_of_the_worst() -> None:
    marks = [
        Mark(9, "plateau"),
        Mark(0, "dropout", "info", "info"),
        Mark(0, "leak", "critical", "critical"),
        Mark(0, "symmetry"),
    ]
    layout = marks_layout(marks)
    assert [(note["x"], note["text"]) for note in layout["annotations"]] == [(0, "●"), (9, "▼")]
    assert layout["annotations"][0]["hovertext"] == "dropout: info<br>leak: critical<br>symmetry (step 0)"
    assert len(layout["shapes"]) == 2
    assert marks_sentence(marks).endswith("leak at step 0 and 1 more.")


@pytest.mark.parametrize(("higher", "better"), [(True, 1), (False, 2)])
def test_a_pair_that_got_better_differs_by_dash_and_colour(higher: bool, better: int) -> None:
    pairs = [PairView(0, 0.1, 0.9), PairView(1, 0.5, 0.4), PairView(2, 0.5, 0.3), PairView(3, 0.2, 0.2)]
    chart = plot(*pairs, higher_is_better=higher)
    dashes = [trace["line"]["dash"] for trace in chart.figure["data"]]
    assert dashes.count("solid") == better
    assert len({(trace["line"]["dash"], trace["meta"]["series"]) for trace in chart.figure["data"]}) == 2
    assert chart.summary == f"Score got better in {better} of 4 pairs."


def test_a_diverged_run_is_a_cross_and_is_said() -> None:
    chart = plot(PairView(3, 0.1, 0.9, before_diverged=True))
    (line,) = chart.figure["data"]
    assert line["marker"]["symbol"] == ["x", "circle"]
    assert line["text"] == ["seed 3, before: 0.1, diverged: a constant guess", "seed 3, after: 0.9"]
    assert chart.summary == "Score got better in 1 of 1 pair; 1 run diverged, drawn as a cross."


def test_without_pairs_there_is_nothing_to_draw() -> None:
    assert plot().empty == "No pair is over yet."
