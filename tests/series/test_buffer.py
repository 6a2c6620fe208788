"""Buffer: what is logged comes out once, in order, and what is no number costs only itself."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nnlab.series import buffer as buffering
from nnlab.series.batch import CLOCK, Key, Points, decode_batch, encode_batch
from nnlab.series.buffer import MAX_PROBLEMS, StepBuffer

INT64 = st.integers(-(2**63), 2**63 - 1)
NAMES = st.sampled_from(["loss", "accuracy", "grad_norm", "weights/mean"])
LAYERS = st.none() | st.integers(0, 2)
Row = tuple[int, dict[str, float], int | None]
ROWS = st.lists(st.tuples(INT64, st.dictionaries(NAMES, st.floats()), LAYERS), max_size=30)


class Tensor:
    """Has one element, as a tensor of a training library."""

    def __init__(self, value: float) -> None:
        self.value = value

    def __float__(self) -> float:
        return self.value


class Refusing:
    """Has many elements, so that ``float`` raises, and even ``repr``."""

    def __float__(self) -> float:
        raise RuntimeError("a tensor with 10 elements is no scalar")

    def __repr__(self) -> str:
        raise RuntimeError("not now")


class Changing(dict[str, float]):
    """Loses a name between two looks, as a dictionary that another thread changes."""

    def __iter__(self) -> Iterator[str]:
        self.pop("lost", None)
        yield from ["loss", "lost"]


class Growing(Tensor):
    """Its dictionary grows while it is read, as one that another thread changes."""

    values: dict[str, Any]

    def __float__(self) -> float:
        self.values[f"new {len(self.values)}"] = 0.0
        return self.value


class Unreadable(Mapping[str, float]):
    """Has lost its values by the time they are read."""

    def __iter__(self) -> Iterator[str]:
        yield "lost"

    def __len__(self) -> int:
        return 1

    def __getitem__(self, name: str) -> float:
        raise KeyError(name)


def drained(buffer: StepBuffer) -> dict[Key, Points]:
    """What was logged, without its clock."""
    points = buffer.drain()
    if points:
        points.pop(CLOCK)
    return points


@given(ROWS)
def test_every_point_comes_out_once_and_in_order(rows: list[Row]) -> None:
    expected: dict[Key, list[tuple[int, float]]] = {}
    buffer = StepBuffer()
    for step, values, layer in rows:
        buffer.log(step, values, layer)
        for name, value in values.items():
            expected.setdefault((name, layer), []).append((step, value))
    assert len(buffer) == len(rows)
    points = drained(buffer)
    assert points.keys() == expected.keys()
    for key, (steps, values_of_key) in points.items():
        assert steps.tolist() == [step for step, _ in expected[key]]
        assert values_of_key.tobytes() == np.array([value for _, value in expected[key]]).tobytes()
    assert (len(buffer), drained(buffer), buffer.problems()) == (0, {}, [])


@pytest.mark.parametrize(
    "value",
    [
        2,
        True,
        np.float32(2),
        np.float64(2),
        np.int64(2),
        np.array(2.0),
        Tensor(2.0),
        Decimal(2),
        np.bool_(True),
    ],
    ids=lambda value: type(value).__name__,
)
def test_whatever_can_be_a_float_is_a_number(value: Any) -> None:
    buffer = StepBuffer()
    buffer.log(3, {"a": value})
    assert drained(buffer)["a", None][1].tolist() == [float(value)]
    assert buffer.problems() == []


def test_values_that_change_later_are_those_of_their_step() -> None:
    buffer, weights, values = StepBuffer(), np.array(1.0), {"a": 1.0}
    for step in range(3):
        logged: dict[str, Any] = {"norm": weights, **values}
        buffer.log(step, logged)
        weights += 1
    buffer.log(3, values)
    values["a"] = 2.0
    values["b"] = 3.0
    points = drained(buffer)
    assert points["norm", None][1].tolist() == [1, 2, 3]
    assert points["a", None][1].tolist() == [1, 1, 1, 1]
    assert ("b", None) not in points


@pytest.mark.parametrize(
    "value", ["3.5", "abc", None, [1.0], np.zeros(2), 1j, 10**400, Refusing(), b"1"], ids=type
)
def test_what_is_no_number_costs_only_itself_and_is_told_once(value: Any) -> None:
    buffer = StepBuffer()
    for step in range(3):
        buffer.log(step, {"a": 1.0, "bad": value, "b": 2.0}, layer=1)
    points = drained(buffer)
    assert {key: list(values) for key, (_, values) in points.items()} == {
        ("a", 1): [1] * 3,
        ("b", 1): [2] * 3,
    }
    (problem,) = buffer.problems()
    assert problem.startswith("expected a number for 'bad' at step 0, got ")
    assert len(problem) < 200
    buffer.log(3, {"bad": value})
    assert drained(buffer) == {}
    assert buffer.problems() == []


@pytest.mark.parametrize("name", ["", " loss", "a\nb", "x" * 251, 7, None], ids=repr)
def test_a_name_that_cannot_be_costs_only_itself_and_is_told_once(name: Any) -> None:
    buffer = StepBuffer()
    for _ in range(2):
        buffer.log(5, {"a": 1.0, name: 2.0})
        assert list(drained(buffer)) == [("a", None)]
    (problem,) = buffer.problems()
    assert problem.startswith("expected a")


@pytest.mark.parametrize(
    "step", [True, np.bool_(True), 1.5, 1.0, 2**63, -(2**63) - 1, None, "1", np.float64(1)], ids=repr
)
def test_a_step_that_cannot_be_costs_only_its_row(step: Any) -> None:
    buffer = StepBuffer()
    for at in (4, step, step, 5):
        buffer.log(at, {"a": 1.0})
    assert drained(buffer)["a", None][0].tolist() == [4, 5]
    (problem,) = buffer.problems()
    assert problem == f"expected a whole step within 64 bits, got {step!r}"


@pytest.mark.parametrize(
    "step", [np.int64(7), np.uint8(7), np.array(7)], ids=lambda step: type(step).__name__
)
def test_steps_and_layers_may_be_any_kind_of_integer(step: Any) -> None:
    buffer = StepBuffer()
    buffer.log(step, {"a": 1.0})
    buffer.log(8, {"a": 1.0}, layer=step)
    points = drained(buffer)
    assert points["a", None][0].tolist() == [7]
    assert points["a", 7][0].tolist() == [8]


@pytest.mark.parametrize("layer", [-1, 10_001, "first", 1.0, True, [1]], ids=repr)
def test_a_layer_that_cannot_be_costs_only_its_rows(layer: Any) -> None:
    buffer = StepBuffer()
    for at in (0, layer, 1):
        buffer.log(5, {"a": 1.0}, at)
    assert list(drained(buffer)) == [("a", 0), ("a", 1)]
    assert len(buffer.problems()) == 1


@pytest.mark.parametrize("values", [3.0, None, [1.0], Refusing()], ids=type)
def test_what_is_no_dictionary_is_told(values: Any) -> None:
    buffer = StepBuffer()
    buffer.log(5, values)
    assert drained(buffer) == {}
    (problem,) = buffer.problems()
    assert problem.startswith("expected a dictionary of names and numbers, got ")


def test_names_that_change_meanwhile_do_not_shift_values() -> None:
    buffer = StepBuffer()
    buffer.log(5, Changing(loss=1.0, lost=2.0))
    assert {key: list(values) for key, (_, values) in drained(buffer).items()} == {("loss", None): [1.0]}


def test_a_dictionary_that_changes_while_it_is_read_costs_nothing_else() -> None:
    buffer = StepBuffer()
    values: dict[str, Any] = {"bad": None, "growing": Growing(1.0), "a": 2.0}
    values["growing"].values = values
    buffer.log(5, values)
    assert {key: list(found) for key, (_, found) in drained(buffer).items()} == {
        ("growing", None): [1.0],
        ("a", None): [2.0],
    }
    (problem,) = buffer.problems()
    assert "'bad'" in problem


def test_a_mapping_that_cannot_be_read_costs_only_its_row() -> None:
    buffer = StepBuffer()
    for step in range(2):
        buffer.log(step, Unreadable())
    buffer.log(2, {"a": 1.0})
    assert drained(buffer)["a", None][0].tolist() == [2]
    (problem,) = buffer.problems()
    assert problem.startswith("expected values that can be read, got a KeyError")


def test_only_so_many_problems_are_told() -> None:
    buffer = StepBuffer()
    for number in range(3 * MAX_PROBLEMS):
        buffer.log(number, {f"loss\n{number}": 1.0})
        drained(buffer)
    problems = buffer.problems()
    assert len(problems) == MAX_PROBLEMS + 1
    assert problems[-1] == "expected fewer problems; further ones are not told"


def test_series_of_the_same_rows_share_their_steps() -> None:
    buffer = StepBuffer()
    for step in (3, 4, 6):
        buffer.log(step, {"a": 1.0, "b": 2.0} | ({"rare": 3.0} if step == 4 else {}))
        buffer.log(step, {"a": 1.0, "b": 2.0}, layer=0)
    points = drained(buffer)
    assert points["a", None][0] is points["b", None][0]
    assert points["a", 0][0] is points["b", 0][0]
    assert points["a", None][0].tolist() == [3, 4, 6]
    assert points["rare", None][0].tolist() == [4]
    assert decode_batch(encode_batch(points)).keys() == points.keys()


def test_the_clock_has_the_moment_of_each_step_once(monkeypatch: pytest.MonkeyPatch) -> None:
    moments = iter([100.0, 100.25, 100.5, 101.0, 102.0])
    monkeypatch.setattr(buffering, "time", lambda: next(moments))
    buffer = StepBuffer()
    buffer.log(3, {"loss": 1.0})
    buffer.log(3, {"norm": 1.0}, layer=0)
    buffer.log(4, {"loss": 1.0})
    buffer.log(3, {"loss": 1.0})
    buffer.log(5, {})
    steps, times = buffer.drain()[CLOCK]
    assert (steps.tolist(), times.tolist()) == ([3, 4, 3], [100_250.0, 100_500.0, 101_000.0])
    assert buffer.drain() == {}


def test_the_name_of_the_clock_is_no_metrics() -> None:
    buffer = StepBuffer()
    buffer.log(5, {"a": 1.0, "_t": 2.0})
    assert list(drained(buffer)) == [("a", None)]
    assert buffer.problems() == ["'_t' is the run's clock, which is kept anyway; choose another name"]


def test_nothing_is_lost_or_doubled_while_another_thread_drains() -> None:
    buffer, rows = StepBuffer(), 20_000
    over = threading.Event()

    def train() -> None:
        for step in range(rows):
            values: Mapping[str, float] = {"a": step, "b": -step} if step % 3 else {"a": step, "bad": None}  # type: ignore[dict-item]
            buffer.log(step, values)
        over.set()

    trainer = threading.Thread(target=train)
    trainer.start()
    parts = []
    while not over.is_set():
        parts.append(drained(buffer))
    trainer.join()
    parts.append(drained(buffer))
    for name, expected in (("a", np.arange(rows)), ("b", -np.arange(rows)[np.arange(rows) % 3 > 0])):
        found = [points[name, None] for points in parts if (name, None) in points]
        assert np.array_equal(np.concatenate([values for _, values in found]), expected)
        assert np.array_equal(np.concatenate([steps for steps, _ in found]), abs(expected))
    assert len(buffer.problems()) == 1
