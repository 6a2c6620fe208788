"""Scaling (C8): each method against its formula, its inverse and its edge cases."""

from __future__ import annotations

import numpy as np
import pytest

from nnlab.data.errors import DataError
from nnlab.data.frames import Categories, Frame
from nnlab.data.scaling import Clip, Divide, Log, MinMax, ZScore
from nnlab.data.steps import ColumnStep

TRAIN = np.array([-3.0, 1.0, 2.0, 8.0])
BEYOND = np.array([-100.0, -3.0, 0.0, 8.0, 1e6])

METHODS: dict[str, tuple[ColumnStep, np.ndarray]] = {
    "z-score": (ZScore(), (BEYOND - 2) / np.sqrt(15.5)),
    "min-max 0 to 1": (MinMax(), (BEYOND + 3) / 11),
    "min-max -1 to 1": (MinMax(low=-1.0, high=1.0), 2 * (BEYOND + 3) / 11 - 1),
    "log": (Log(), np.sign(BEYOND) * np.log(1 + np.abs(BEYOND))),
    "clip at values": (Clip(low=0.0, high=5.0, percentiles=False), np.array([0.0, 0, 0, 5, 5])),
    "clip at percentiles": (Clip(low=25.0, high=75.0), np.array([0.0, 0, 0, 3.5, 3.5])),
    "divide": (Divide(by=16.0), BEYOND / 16),
}


def build_frame(*columns: np.ndarray | list[float]) -> Frame:
    return Frame(
        tuple("abcdef"[: len(columns)]), np.stack([np.asarray(c, dtype=float) for c in columns], axis=1)
    )


@pytest.mark.parametrize(("step", "expected"), METHODS.values(), ids=METHODS.keys())
def test_a_method_follows_its_formula_within_and_beyond_the_fitted_range(
    step: ColumnStep, expected: np.ndarray
) -> None:
    parameters = step.fit(build_frame(TRAIN))
    np.testing.assert_allclose(step.apply(build_frame(BEYOND), parameters).column("a"), expected, rtol=1e-14)


@pytest.mark.parametrize("step", [ZScore(), MinMax(), MinMax(low=-1.0, high=1.0), Log(), Divide(by=255.0)])
def test_the_inverse_gives_the_values_back(step: ZScore | MinMax | Log | Divide) -> None:
    found = step.fit(build_frame(TRAIN))["a"]
    np.testing.assert_allclose(
        step.inverse(step.transform(BEYOND, found), found), BEYOND, rtol=1e-9, atol=1e-9
    )


@pytest.mark.parametrize(("step", "expected"), METHODS.values(), ids=METHODS.keys())
def test_missing_cells_stay_missing_and_teach_nothing(step: ColumnStep, expected: np.ndarray) -> None:
    with_gaps = build_frame([np.nan, *TRAIN, np.nan])
    parameters = step.fit(with_gaps)
    assert parameters == step.fit(build_frame(TRAIN))
    assert np.isnan(step.apply(with_gaps, parameters).column("a")).tolist() == [True, *[False] * 4, True]


@pytest.mark.parametrize("step", [ZScore(), MinMax()])
@pytest.mark.parametrize("value", [0.0, 0.1, 1e300])
def test_a_constant_column_is_refused(step: ColumnStep, value: float) -> None:
    frame = build_frame(TRAIN, [value, value, np.nan, value])
    with pytest.raises(DataError, match="column 'b' is constant in the training rows"):
        step.fit(frame)


@pytest.mark.parametrize(("step", "_expected"), METHODS.values(), ids=METHODS.keys())
def test_a_column_without_values_is_refused(step: ColumnStep, _expected: np.ndarray) -> None:
    with pytest.raises(DataError, match="column 'b' has no value in the training rows"):
        step.fit(build_frame(TRAIN, [np.nan] * 4))


@pytest.mark.parametrize("cells", [[-1.7e308, 1.7e308], [0.0, 1e-323]])
def test_a_spread_beyond_floats_is_refused(cells: list[float]) -> None:
    frame = build_frame(cells)
    with np.errstate(all="ignore"), pytest.raises(DataError, match="column 'a' holds numbers too large"):
        ZScore().fit(frame)
    with np.errstate(all="ignore"):
        assert MinMax().fit(build_frame([0.0, 1e-300]))["a"] == (0.0, 1e-300)


def test_only_the_columns_named_change() -> None:
    frame = build_frame(TRAIN, TRAIN)
    step = ZScore(("b",))
    changed = step.apply(frame, step.fit(frame))
    np.testing.assert_array_equal(changed.column("a"), TRAIN)
    assert changed.column("b").std() == pytest.approx(1)


def test_columns_of_categories_are_not_scaled() -> None:
    frame = Frame(("a", "k"), np.array([[1.0, 0], [2, 1]]), {"k": Categories(("x", "y"))})
    assert set(ZScore().fit(frame)) == {"a"}
    with pytest.raises(DataError, match="'k', which holds categories"):
        ZScore(("k",)).fit(frame)


def test_a_column_that_is_not_there_is_named() -> None:
    with pytest.raises(DataError, match="among a, b, got 'c'"):
        Log(("c",)).fit(build_frame(TRAIN, TRAIN))


@pytest.mark.parametrize(
    "build",
    [
        lambda: MinMax(low=1.0, high=1.0),
        lambda: MinMax(low=float("nan")),
        lambda: Clip(low=5.0, high=1.0, percentiles=False),
        lambda: Clip(low=-1.0, high=99.0),
        lambda: Clip(low=1.0, high=101.0),
        lambda: Divide(by=0.0),
        lambda: Divide(by=float("inf")),
    ],
)
def test_impossible_settings_are_refused(build: type[ColumnStep]) -> None:
    with pytest.raises(DataError, match="expected"):
        build()
