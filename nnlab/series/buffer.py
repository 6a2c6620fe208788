"""Collect what a training loop logs, step by step, and hand it over series by series."""

from __future__ import annotations

import struct
from collections import deque
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from time import time
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnlab.series.batch import CLOCK, FloatArray, IntArray, Key, Points
from nnlab.series.errors import SeriesError
from nnlab.series.names import checked_layer, checked_metric

MAX_PROBLEMS = 100  # that are told of: a loop that invents names must not fill the memory with complaints

_MAX_FORMS = (
    1024  # that are known again: a loop that invents names must not fill the memory with them, either
)
# What the ``__float__`` of a stranger raises, and Python where there is none; the training goes on.
_REFUSALS = (
    struct.error,
    ArithmeticError,
    AttributeError,
    LookupError,
    RuntimeError,
    TypeError,
    ValueError,
    Warning,
)
_INTEGER, _FLOAT = struct.Struct("q"), struct.Struct("d")


@dataclass(frozen=True, eq=False)
class _Form:
    """What rows of a loop have in common: layer, names, and what packs a step, its moment and values."""

    layer: int | None
    names: list[str]
    pack: Callable[..., bytes]  # takes no text for a number


@dataclass(frozen=True)
class _Part:
    """The points of a series in rows of one form; their places tell them apart from those of other forms."""

    form: int
    places: Sequence[int]
    steps: IntArray
    values: FloatArray


class StepBuffer:
    """Rows of numbers between the loop that logs them and the flush that stores them.

    One thread may log while another drains. What cannot be kept costs only itself: a name that cannot be, or
    a value that is no number, is left out of its row, and ``problems`` tells of it once.

    The moment of each row is kept with it, and comes out as one more series.
    """

    def __init__(self) -> None:
        self._rows: deque[tuple[_Form, bytes]] = deque()
        self._form = _form(None, [])
        self._forms: dict[tuple[int | None, tuple[str, ...]], _Form] = {}
        self._problems: deque[str] = deque()
        self._told: set[Hashable] = set()

    def __len__(self) -> int:
        """Count the rows that wait."""
        return len(self._rows)

    def log(self, step: int, values: Mapping[str, float], layer: int | None = None) -> None:
        """Keep the values of some metrics at a step, as numbers of this moment: a tensor may change later.

        Args:
            step: within 64 bits; in any order.
            values: numbers of Python or NumPy, tensors with one element: what ``float`` takes but text.
            layer: None for the whole run.
        """
        try:
            form = self._form
            names = list(values)
            if names != form.names or layer != form.layer:
                form = self._form = self._known(layer, names)
            row = form.pack(step, time(), *values.values())
        except _REFUSALS:
            self._log_good(step, values, layer)
            return
        if type(step) is bool or (layer is not None and type(layer) is not int):
            self._log_good(step, values, layer)
        else:
            self._rows.append((form, row))

    def drain(self) -> dict[Key, Points]:
        """Take out the rows, as steps and values of each series in the order in which they were logged.

        Series of the same rows share one array of steps. Under ``CLOCK`` is when each step was logged, in
        milliseconds since 1970; the last time where rows that follow each other have the same step.
        """
        rows = [self._rows.popleft() for _ in range(len(self._rows))]
        series: dict[Key, list[_Part]] = {}
        for number, (form, (places, packed)) in enumerate(_by_form(rows).items()):
            columns = np.frombuffer(b"".join(packed)).reshape(len(packed), -1).T.copy()
            steps, times = columns[0].view(np.int64), columns[1] * 1000
            keys = [self._key(name, form.layer) for name in form.names]
            if any(keys):
                series.setdefault(CLOCK, []).append(_Part(number, places, steps, times))
            for key, values in zip(keys, columns[2:], strict=True):
                if key is not None:
                    series.setdefault(key, []).append(_Part(number, places, steps, values))
        points = _joined(series)
        return {**points, CLOCK: _once_a_step(*points[CLOCK])} if points else {}

    def problems(self) -> list[str]:
        """Take out what was wrong with what was left out, once for each name."""
        return [self._problems.popleft() for _ in range(len(self._problems))]

    def _known(self, layer: int | None, names: list[str]) -> _Form:
        key = layer, tuple(names)
        if key not in self._forms:
            if len(self._forms) == _MAX_FORMS:
                self._forms.clear()
            self._forms[key] = _form(layer, names)
        return self._forms[key]

    def _log_good(self, step: Any, values: Any, layer: Any) -> None:
        """Keep what is right in a row that is not."""
        whole, at = _integer(step), None if layer is None else _integer(layer)
        if whole is None:
            self._complain("step", f"expected a whole step within 64 bits, got {_shown(step)}")
        elif layer is not None and at is None:
            self._complain("layer", f"expected a whole number of a layer, or None, got {_shown(layer)}")
        elif not isinstance(values, Mapping):
            self._complain("values", f"expected a dictionary of names and numbers, got {_shown(values)}")
        else:
            self._log_numbers(whole, values, at)

    def _log_numbers(self, step: int, values: Mapping[Any, Any], layer: int | None) -> None:
        try:
            found = dict(values)  # another thread may change what the caller holds
        except _REFUSALS as error:
            self._complain("reading", f"expected values that can be read, got a {type(error).__name__}")
            return
        numbers = {name: _number(_FLOAT, value) for name, value in found.items()}
        for name, number in numbers.items():
            if number is None:
                problem = f"expected a number for {_shown(name)} at step {step}, got {_shown(found[name])}"
                self._complain(("value", name), problem)
        self.log(step, {name: number for name, number in numbers.items() if number is not None}, layer)

    def _key(self, name: Any, layer: int | None) -> Key | None:
        try:
            if not isinstance(name, str):
                raise SeriesError(f"expected a name as text, got {_shown(name)}")
            if name == CLOCK[0]:
                raise SeriesError(f"{name!r} is the run's clock, which is kept anyway; choose another name")
            return checked_metric(name), None if layer is None else checked_layer(layer)
        except SeriesError as error:
            self._complain(("name", name, layer), str(error))
            return None

    def _complain(self, about: Hashable, problem: str) -> None:
        if about in self._told or len(self._told) > MAX_PROBLEMS:
            return
        self._told.add(about)
        last = len(self._told) > MAX_PROBLEMS
        self._problems.append("expected fewer problems; further ones are not told" if last else problem)


def _form(layer: int | None, names: list[str]) -> _Form:
    return _Form(layer, names, struct.Struct(f"q{1 + len(names)}d").pack)


def _by_form(rows: Sequence[tuple[_Form, bytes]]) -> dict[_Form, tuple[Sequence[int], list[bytes]]]:
    """Sort rows by their form, each with its place among all."""
    if len({form for form, _ in rows}) == 1:  # the rule
        return {rows[0][0]: (range(len(rows)), [row for _, row in rows])}
    forms: dict[_Form, tuple[list[int], list[bytes]]] = {}
    for place, (form, row) in enumerate(rows):
        places, packed = forms.setdefault(form, ([], []))
        places.append(place)
        packed.append(row)
    return {**forms}


def _integer(value: Any) -> int | None:
    return None if isinstance(value, bool) else _number(_INTEGER, value)


def _number(kind: struct.Struct, value: Any) -> Any:
    """Return a value as the number that a row would hold; None for what is none."""
    try:
        return kind.unpack(kind.pack(value))[0]
    except _REFUSALS:
        return None


def _shown(value: Any) -> str:
    try:
        return f"{value!r:.80}"
    except _REFUSALS:
        return f"a {type(value).__name__}"


def _joined(series: Mapping[Key, Sequence[_Part]]) -> dict[Key, Points]:
    """Put the parts of each series together, in the order of their rows."""
    orders: dict[tuple[int, ...], tuple[NDArray[np.intp], IntArray]] = {}
    points: dict[Key, Points] = {}
    for key, parts in series.items():
        if len(parts) == 1:
            points[key] = parts[0].steps, parts[0].values
            continue
        forms = tuple(part.form for part in parts)
        if forms not in orders:
            order = np.argsort(np.concatenate([part.places for part in parts]))
            orders[forms] = order, np.concatenate([part.steps for part in parts])[order]
        order, steps = orders[forms]
        points[key] = steps, np.concatenate([part.values for part in parts])[order]
    return points


def _once_a_step(steps: IntArray, times: FloatArray) -> Points:
    """Keep the last of the times that follow each other at one step."""
    last = np.append(steps[1:] != steps[:-1], True)
    return (steps, times) if last.all() else (steps[last], times[last])
