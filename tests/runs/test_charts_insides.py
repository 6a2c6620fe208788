"""Charts of what is inside a network: nothing is lost, zeros are told, silent units stand out."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from nnlab.engine.snapshots import histogram
from runs.charts.insides import Ridge, ridgeline, unit_map, value_map
from tests.runs.sample_charts import plain


def values_of(array: Any) -> NDArray[np.float64]:
    return np.array(plain(array), dtype=np.float64)


def ridge(name: str, values: list[float]) -> Ridge:
    one = histogram(np.array(values))
    return Ridge(name, one.low, one.high, one.counts, one.zeros)


@given(
    st.lists(st.floats(-100, 100), min_size=1, max_size=50),
    st.floats(-500, -100.5),
    st.floats(100.5, 500),
    st.integers(1, 90),
)
def test_shares_between_edges_that_span_all_values_add_up_to_one(
    values: list[float], low: float, high: float, bins: int
) -> None:
    assert ridge("h", values).shares(np.linspace(low, high, bins + 1)).sum() == pytest.approx(1.0)


def test_a_value_map_puts_each_value_where_it_is() -> None:
    rng = np.random.default_rng(4)
    values = rng.standard_normal(4_000)
    chart = value_map(
        "w", "Weights", [0, 1000], [ridge("h", values.tolist()), ridge("h", [2.0] * 7)], y_title="weight"
    )
    heat = chart.figure["data"][0]
    shares, centres = np.nan_to_num(values_of(heat["z"])), values_of(heat["y"])
    assert shares.sum(axis=0) == pytest.approx([1.0, 1.0])
    assert (centres * shares[:, 0]).sum() == pytest.approx(values.mean(), abs=0.02)
    assert abs(centres[shares[:, 1].argmax()] - 2.0) <= (centres[1] - centres[0]) / 2
    assert heat["x"] == ["0", "1\u202f000"]
    assert "2 after step 1" in chart.summary


def test_a_ridge_stands_on_its_layer_and_zeros_are_told_beside_it() -> None:
    layers = [ridge("hidden 1", [0.0, 0.0, 0.0, 1.0, 2.0]), ridge("hidden 2", [0.0, 0.0])]
    chart = ridgeline("r", "Outputs", layers, x_title="output", step=12)
    ground, top = chart.figure["data"]
    assert set(values_of(ground["y"])) == {0.0}
    assert values_of(top["y"]).max() == pytest.approx(0.85)
    assert values_of(top["x"])[[0, -1]].tolist() == [1.0, 2.0]
    notes = [(note["text"], note["name"]) for note in chart.figure["layout"]["annotations"]]
    assert notes == [("60% zero", "note"), ("all 0", "critical")]
    assert chart.summary == "At step 12 every output of hidden 2 is exactly 0."
    assert chart.table.rows[0] == ("hidden 1", "1", "2", "60.0%")


def test_outputs_that_are_all_alike_are_a_needle() -> None:
    chart = ridgeline("r", "Outputs", [ridge("h", [0.5, 0.5])], x_title="output", step=1)
    assert values_of(chart.figure["data"][1]["x"]).tolist() == [0.5, 0.5]


def test_a_network_without_hidden_layers_has_nothing_to_show() -> None:
    assert ridgeline("r", "Outputs", [], x_title="output", step=0).empty


def test_silent_units_stand_out_and_are_counted() -> None:
    active = np.array([[0.5, 0.0, 0.0], [0.2, 0.1, 0.0], [1.0, 1.0, 1.0]])
    chart = unit_map("u", "Units", [0, 10, 20], active)
    heat, silent = chart.figure["data"]
    assert np.isnan(values_of(heat["z"])).sum() == 3
    assert np.nansum(values_of(silent["z"])) == 3
    assert "2 units of 3 are off for every row" in chart.summary
    assert "since step 20" in chart.summary
    assert [row[1] for row in chart.table.rows] == ["0", "1", "2"]
    assert len(unit_map("u", "Units", [0, 10, 20], active + 0.1).figure["data"]) == 1
    with pytest.raises(ValueError, match="expected"):
        unit_map("u", "Units", [0, 10], active)
