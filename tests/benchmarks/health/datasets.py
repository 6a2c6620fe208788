"""The examples of a case: shipped sets, generators of scikit-learn, and small sets made here."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass, fields, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import sklearn.datasets
from sklearn.model_selection import train_test_split

from nnlab.data.config import DataConfig
from nnlab.data.preparation import prepare
from nnlab.engine.problem import Problem

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

OURS = {each.name for each in fields(DataConfig)}
DONE_HERE = {"standardise_inputs", "standardise_target"}  # after the faults, which are in the file


class DataUnknownError(ValueError):
    """There is no way to make the examples that a case asks for."""


@dataclass(frozen=True)
class Rows:
    """Examples before any scaling.

    Args:
        held_out: inputs and targets to validate on; None where a run is scored on its training rows.
        scaled_on: inputs that scaling is fitted on; None for the training rows.
    """

    task: str
    x: Any
    y: Any
    held_out: tuple[Any, Any] | None = None
    scaled_on: Any = None
    outputs: int = 1


def problem_of(data: Mapping[str, Any]) -> Problem:
    """Build the examples that a case's ``data`` asks for.

    Args:
        data: ``dataset``, ``recipe`` (raw, default or min-max) and ``standardise_target``, as runs of the
            product have them; then ``y_scaling``, and the faults ``x_factor``, ``y_factor``,
            ``permuted`` and ``imbalance``.

    Raises:
        DataUnknownError: for a set that nobody here can make.
    """
    return _built(tuple(sorted(data.items())))


@lru_cache(maxsize=8)
def _built(items: tuple[tuple[str, Any], ...]) -> Problem:
    data = dict(items)
    is_faulted = data.get("recipe") == "raw" and "scaled_before" in data
    if is_faulted:  # the fault is in the file, so that a recipe that scales mends it
        data["recipe"] = data["scaled_before"]
    elif "scaled_before" in data:
        data.pop("x_factor")
    if "arrays" in data or data["dataset"] in MAKERS or "(" in data["dataset"]:
        problem = _scaled(rows_of(data), data)
    else:
        made = prepare(DataConfig(**{name: data[name] for name in OURS - DONE_HERE if name in data}))
        problem = Problem(
            made.task, made.x_train, made.y_train, made.x_val, made.y_val, made.outputs, made.target_scale
        )
    problem = _faulted(problem, data)
    if data.get("standardise_inputs"):
        problem = _with_standard_inputs(problem)
    scaling = "standardise" if data.get("standardise_target") else data.get("y_scaling", "none")
    return _with_scaled_targets(problem, scaling)


def rows_of(data: Mapping[str, Any]) -> Rows:
    """Make the examples of a set by its name, by a recipe in words, or from arrays in a file."""
    if "arrays" in data:
        with np.load(Path(data["arrays"])) as kept:
            held_out = (kept["x_val"], kept["y_val"]) if "x_val" in kept else None
            y = kept["y_train"]
            return Rows(data["task"], kept["x_train"], y, held_out, outputs=_outputs(data["task"], y))
    if data["dataset"] in MAKERS:
        return MAKERS[data["dataset"]]()
    return described(data["dataset"], data.get("task", ""))


def described(recipe: str, task: str = "") -> Rows:
    """Follow a recipe in words: a call of scikit-learn, then its ranges of rows or its split.

    Raises:
        DataUnknownError: where the words name no call of a data set of scikit-learn.
    """
    call = re.search(r"\b(make_\w+|load_\w+)(\(([^)]*)\))?", recipe)
    maker = getattr(sklearn.datasets, call.group(1), None) if call else None
    if call is None or maker is None:
        raise DataUnknownError(f"no recipe known for: {recipe[:120]}")
    arguments = _arguments(call.group(3) or "")
    named = {} if call.group(1).startswith("make_") else {"return_X_y": True}
    x, y = maker(**arguments, **named)
    kind = task or _task_of(y)
    y = y if kind in {"binary", "multiclass", "multilabel"} else np.asarray(y, float).reshape(len(y), -1)
    outputs = _outputs(kind, y)
    ranges = [slice(int(a), int(b) + 1) for a, b in re.findall(r"rows (\d+)-(\d+)", recipe)]
    if len(ranges) == 2:
        train, held = ranges
        return Rows(kind, x[train], y[train], (x[held], y[held]), outputs=outputs)
    split = re.search(r"train_test_split\(([^)]*)\)", recipe)
    if split is None:
        return Rows(kind, x, y, outputs=outputs)
    x_train, _, y_train, _ = train_test_split(x, y, **_arguments(split.group(1)))
    fitted = x if "before the split" in recipe else None
    return Rows(kind, x_train, y_train, scaled_on=fitted, outputs=outputs)


def _arguments(text: str) -> dict[str, Any]:
    parsed = ast.parse(f"f({text})", mode="eval").body
    if not isinstance(parsed, ast.Call):
        raise DataUnknownError(f"no arguments in: {text}")
    return {str(one.arg): ast.literal_eval(one.value) for one in parsed.keywords}


def _task_of(y: Any) -> str:
    if y.ndim == 2:
        return "multilabel"
    if y.dtype.kind == "f":
        return "regression"
    return "binary" if y.max() == 1 else "multiclass"


def _outputs(task: str, y: Any) -> int:
    if task == "multiclass":
        return int(y.max()) + 1
    return 1 if task == "binary" else int(y.shape[1])


def _scaled(rows: Rows, data: Mapping[str, Any]) -> Problem:
    recipe = data.get("recipe", "raw")
    x, (x_val, y_val) = rows.x, rows.held_out or (rows.x, rows.y)
    change = _scaling(recipe, np.asarray(x if rows.scaled_on is None else rows.scaled_on, np.float64))
    x, x_val = (np.asarray(change(np.asarray(each, np.float64)), np.float32) for each in (x, x_val))
    outputs = int(data.get("outputs", rows.outputs))
    task = data.get("as_task", rows.task)
    if task == "multiclass" and outputs == 1:
        outputs = int(rows.y.max()) + 1
    kind = np.float32 if task == "regression" else np.int64
    y, y_val = (np.asarray(each, kind) for each in (rows.y, y_val))
    return Problem(task, x, y, x_val, y_val, outputs)


def _with_standard_inputs(problem: Problem) -> Problem:
    change = _scaling("default", np.asarray(problem.x_train, np.float64))
    x, x_val = (np.asarray(change(each), np.float32) for each in (problem.x_train, problem.x_val))
    return replace(problem, x_train=x, x_val=x_val)


def _with_scaled_targets(problem: Problem, scaling: str) -> Problem:
    if scaling == "none":
        return problem
    change = _scaling(SCALINGS[scaling], np.asarray(problem.y_train, np.float64))
    y, y_val = (np.asarray(change(each), np.float32) for each in (problem.y_train, problem.y_val))
    return replace(problem, y_train=y, y_val=y_val)


SCALINGS = {"none": "raw", "standardise": "default", "minmax_0_1": "min-max"}


def _scaling(recipe: str, fitted: NDArray[np.float64]) -> Callable[[Any], Any]:
    """Give the change of a recipe; constant columns become 0."""
    if recipe == "raw":
        return lambda values: values
    if recipe == "default":
        start, size = fitted.mean(axis=0), fitted.std(axis=0)
    elif recipe == "min-max":
        start, size = fitted.min(axis=0), np.ptp(fitted, axis=0)
    else:
        raise DataUnknownError(f"no scaling known: {recipe}")
    return lambda values: np.where(size > 0, (values - start) / np.where(size > 0, size, 1.0), 0.0)


def _faulted(problem: Problem, data: Mapping[str, Any]) -> Problem:
    """Do to the examples what a fault asks for."""
    if "x_factor" in data:
        x, x_val = (each * np.float32(data["x_factor"]) for each in (problem.x_train, problem.x_val))
        problem = replace(problem, x_train=x, x_val=x_val)
    if "y_factor" in data:
        y, y_val = (each * data["y_factor"] for each in (problem.y_train, problem.y_val))
        problem = replace(problem, y_train=y, y_val=y_val)
    if "permuted" in data:
        order = np.random.default_rng(data["permuted"]).permutation(len(problem.y_train))
        problem = replace(problem, y_train=problem.y_train[order])
    if "imbalance" in data:
        kept = _thinned(problem.y_train, data["imbalance"])
        problem = replace(problem, x_train=problem.x_train[kept], y_train=problem.y_train[kept])
    return problem


def _thinned(y: NDArray[np.generic], ratio: int) -> NDArray[np.int64]:
    """Keep one class whole and of every other one row for so many of that."""
    labels = np.asarray(y, np.int64)
    largest = int(np.bincount(labels).argmax())
    most = max(2, int((labels == largest).sum()) // ratio)
    others = [np.flatnonzero(labels == k)[:most] for k in np.unique(labels) if k != largest]
    return np.sort(np.concatenate([np.flatnonzero(labels == largest), *others]))


def _circle() -> Rows:
    return described("make_circles(n_samples=1000, noise=0.1, random_state=1) rows 0-699 rows 700-999")


def _blob() -> Rows:
    call = "make_blobs(n_samples=1000, centers=3, n_features=2, cluster_std=2, random_state=2)"
    return described(call + " rows 0-699 rows 700-999")


def _quiz_digits() -> Rows:
    x, y = sklearn.datasets.load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(x))
    x, y = x[order] / 16, y[order]
    return Rows("multiclass", x[:1400], y[:1400], (x[1400:], y[1400:]), outputs=10)


def _exclusive_or() -> Rows:
    return Rows("binary", np.array([[1, 1], [1, 0], [0, 0], [0, 1]]), np.array([0, 1, 0, 1]))


def _ones_and_zeros() -> Rows:
    x = np.repeat([1.0, 0.0], 10_000)[:, None] * np.ones(128)
    return Rows("binary", x, np.repeat([1, 0], 10_000))


def _parabola() -> Rows:
    x = 0.1 * np.arange(50)[:, None]
    noise = np.random.default_rng(0).normal(size=(50, 1))
    return Rows("regression", x, 5 * x**2 + noise**3)


def _quartic() -> Rows:
    x = np.arange(-100, 100, 0.5)[:, None]
    return Rows("regression", x, x**4)


def _two_squares(draws: int = 200) -> Rows:
    rng = np.random.default_rng(0)
    x = np.concatenate([rng.uniform(low, low + 0.2, draws).reshape(-1, 2) for low in (0.2, 0.5)])
    return Rows("binary", x, np.repeat([0, 1], len(x) // 2))


def _three_labels() -> Rows:
    call = "make_multilabel_classification(n_samples=60000, n_features=20, n_classes=3, random_state=0)"
    return described(call + " train_test_split(test_size=0.2, random_state=0)", "multilabel")


def _half_of_iris() -> Rows:
    return described("load_iris; train_test_split(test_size=0.5, random_state=2) fitted before the split")


def _one_class() -> Rows:
    angle = 2 * np.pi * np.arange(-1, 299) / 100
    wave = 0.84 * np.abs(np.sin(angle))
    return Rows("binary", np.stack([wave[1:], wave[:-1]], axis=1)[:239], np.ones(239))


MAKERS: dict[str, Callable[[], Rows]] = {
    "at_circle": _circle,
    "at_blob": _blob,
    "quiz_digits": _quiz_digits,
    "exclusive_or": _exclusive_or,
    "ones_and_zeros": _ones_and_zeros,
    "parabola": _parabola,
    "quartic": _quartic,
    "two_squares": _two_squares,
    "four_hundred_in_two_squares": lambda: _two_squares(400),
    "three_labels": _three_labels,
    "half_of_iris": _half_of_iris,
    "all_of_iris": lambda: described("load_iris"),
    "one_class": _one_class,
}
