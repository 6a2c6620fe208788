"""Bodies of points: what is read, in which order, and what is refused and how it is named."""

from __future__ import annotations

import json
import math
import re
from typing import Any

import numpy as np
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ninja.errors import HttpError

from nnlab.series.errors import SeriesError
from runs.api.batches import read_log, read_metrics


def item(key: str = "loss", value: Any = 0.5, step: Any = 1, **more: Any) -> dict[str, Any]:
    return {"key": key, "value": value, "step": step, **more}


def plain(items: list[Any]) -> dict[Any, list[tuple[int, float]]]:
    points = read_metrics(items).points
    return {
        key: list(zip(steps.tolist(), values.tolist(), strict=True))
        for key, (steps, values) in points.items()
    }


def test_points_are_sorted_by_metric_and_keep_their_order() -> None:
    items = [item("a", 1, 5), item("b", 2.5, 5), item("a", 3, 4), item("a", 4, 4)]
    assert plain(items) == {("a", None): [(5, 1.0), (4, 3.0), (4, 4.0)], ("b", None): [(5, 2.5)]}


def test_layers_are_series_of_their_own() -> None:
    items = [item("rms", 1, layer=0), item("rms", 2, layer=1), item("rms", 3)]
    assert plain(items) == {("rms", 0): [(1, 1.0)], ("rms", 1): [(1, 2.0)], ("rms", None): [(1, 3.0)]}


@pytest.mark.parametrize(
    ("given", "read"), [(None, math.nan), ("NaN", math.nan), ("Infinity", math.inf), ("-Infinity", -math.inf)]
)
def test_values_that_are_not_finite_are_spelled(given: Any, read: float) -> None:
    ((_, values),) = read_metrics([item(value=given), item(value=2)]).points.values()
    np.testing.assert_array_equal(values, [read, 2.0])


def test_steps_are_whole_numbers_of_64_bits() -> None:
    steps = [-(2**63), -1, 0, 2**53 + 1, 2**63 - 1]
    assert [step for step, _ in plain([item(step=step) for step in steps])["loss", None]] == steps


def test_mlflows_items_are_read() -> None:
    """MLflow leaves the step out where it is 0, and says of which model and data a value is."""
    items = [item(timestamp=1, model_id="m", dataset_name="d"), {"key": "loss", "value": 2, "timestamp": 3}]
    assert plain(items) == {("loss", None): [(1, 0.5), (0, 2.0)]}


def test_the_clock_has_the_last_time_of_each_step() -> None:
    clock = read_metrics([item(step=1, timestamp=10), item("b", step=1, timestamp=11), item(step=0)]).clock
    assert clock is not None
    assert [column.tolist() for column in clock] == [[1], [11.0]]
    assert read_metrics([item()]).clock is None


WRONG: dict[str, tuple[Any, str]] = {
    "no table": (7, "expected a table"),
    "no key": ({"value": 1, "step": 1}, "expected key, a text"),
    "key is no text": (item(key=5), "expected key, a text"),  # type: ignore[arg-type]
    "no value": ({"key": "a", "step": 1}, "expected value"),
    "value is a text": (item(value="1.5"), "expected value"),
    "value is a truth": (item(value=True), "expected value"),
    "value is a list": (item(value=[1]), "expected value"),
    "step is a fraction": (item(step=1.5), "expected step"),
    "step is whole but a float": (item(step=2.0), "expected step"),
    "step is a truth": (item(step=True), "expected step"),
    "step is a text": (item(step="1"), "expected step"),
    "step is null": (item(step=None), "expected step"),
    "step is too large": (item(step=2**63), "expected step"),
    "step is too small": (item(step=-(2**63) - 1), "expected step"),
    "timestamp is a text": (item(timestamp="now"), "expected timestamp"),
    "layer is below 0": (item(layer=-1), "expected a layer"),
    "layer is too large": (item(layer=2**63), "expected layer"),
    "layer is a truth": (item(layer=True), "expected layer"),
    "field is unknown": (item(stpe=1), "'stpe'"),
    "name is empty": (item(""), "1 to 250"),
    "name is long": (item("x" * 10_000), "1 to 250"),
    "name has a control character": (item("a\x00b"), "visible"),
    "name has spaces around it": (item(" a"), "spaces"),
    "name is the clock's": (item("_t"), "timestamps"),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_what_is_wrong_is_named_with_its_position(wrong: str) -> None:
    bad, words = WRONG[wrong]
    with pytest.raises(SeriesError, match=r"^metrics\[2\]: ") as refusal:
        read_metrics([item(), item("acc"), bad, item()])
    assert words in str(refusal.value)
    assert len(str(refusal.value)) < 300


@given(
    st.lists(
        st.tuples(
            st.sampled_from("abc"),
            st.floats(allow_nan=False, allow_infinity=False) | st.integers(-5, 5),
            st.integers(-(2**63), 2**63 - 1),
            st.none() | st.integers(0, 2**41),
            st.none() | st.integers(0, 9),
        ),
        min_size=1,
    )
)
def test_items_of_the_usual_form_and_tables_are_read_alike(
    rows: list[tuple[str, float, int, int | None, int | None]],
) -> None:
    items = [item(key, value, step, timestamp=time, layer=layer) for key, value, step, time, layer in rows]
    usual = read_log(orjson.dumps({"metrics": items}))["metrics"]
    assert not isinstance(usual[0], dict)
    ours, theirs = read_metrics(usual), read_metrics(items)
    assert ours.points.keys() == theirs.points.keys()
    for key, points in ours.points.items():
        for one, other in zip(points, theirs.points[key], strict=True):
            np.testing.assert_array_equal(one, other)
    assert (ours.clock is None) == (theirs.clock is None)
    for one, other in zip(ours.clock or (), theirs.clock or (), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("wrong", WRONG)
def test_a_body_with_one_wrong_item_is_read_as_tables_that_tell_which(wrong: str) -> None:
    bad, words = WRONG[wrong]
    table = read_log(json.dumps({"metrics": [item(), bad]}).encode())
    with pytest.raises(SeriesError, match=r"^metrics\[1\]: ") as refusal:
        read_metrics(table["metrics"])
    assert words in str(refusal.value)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"{", "expected JSON"),
        (b"[1]", "expected a JSON table, got list"),
        (b'{"metrics": [], "metric": 1}', "got 'metric'"),
        (b'{"params": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", "expected JSON"),
        (b'{"metrics": [{"key": "\xff", "value": 1}]}', "expected JSON"),
    ],
)
def test_a_body_that_is_no_table_of_these_fields_is_refused(body: bytes, words: str) -> None:
    with pytest.raises(HttpError, match=re.escape(words)) as refusal:
        read_log(body)
    assert refusal.value.status_code == 422
