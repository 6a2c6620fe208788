"""Activations: the course's values, derivatives by differences, and no overflow."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from nnlab.engine.activations import ACTIVATION, Trace

if TYPE_CHECKING:
    from numpy.typing import NDArray

# f(-1), f(1), f(7), as the course gives them
VALUES = {
    "linear": (-1, 1, 7),
    "sigmoid": (0.268941, 0.731059, 0.999089),
    "tanh": (-0.761594, 0.761594, 0.999998),
    "relu": (0, 1, 7),
    "softplus": (0.313262, 1.313262, 7.000911),
    "leaky_relu": (-0.01, 1, 7),
    "prelu": (-0.25, 1, 7),
    "relu6": (0, 1, 6),
    "elu": (-0.632121, 1, 7),
    "exponential": (0.367879, 2.718282, 1096.633158),
}
# f'(0), and f'(6) for ReLU6
KINKS = {
    "relu": {0.0: 0.0},
    "leaky_relu": {0.0: 0.01},
    "prelu": {0.0: 0.25},
    "relu6": {0.0: 0.0, 6.0: 0.0},
    "elu": {0.0: 1.0},
}


def build_trace(name: str, points: list[float] | NDArray[np.float64], dtype: str = "float64") -> Trace:
    z = np.array([points], dtype)
    trace = Trace(z, np.full_like(z, 9.0), np.ones_like(z), np.full_like(z, 9.0), np.ones(z.shape, np.bool_))
    if name == "prelu":
        trace.slope, trace.slope_gradient = np.full((1, 1), 0.25, dtype), np.zeros((1, 1), dtype)
    return trace


def f(name: str, points: list[float] | NDArray[np.float64], dtype: str = "float64") -> NDArray[np.floating]:
    trace = build_trace(name, points, dtype)
    ACTIVATION[name].forward(trace)
    return trace.a.ravel()


def derivative(
    name: str, points: list[float] | NDArray[np.float64], dtype: str = "float64"
) -> NDArray[np.floating]:
    trace = build_trace(name, points, dtype)
    ACTIVATION[name].forward(trace)
    ACTIVATION[name].backward(trace)
    return trace.d.ravel()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", VALUES)
def test_values_are_those_of_the_course(name: str, dtype: str) -> None:
    np.testing.assert_allclose(f(name, [-1.0, 1.0, 7.0], dtype), VALUES[name], rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("name", VALUES)
def test_derivatives_match_central_differences(name: str) -> None:
    points = np.linspace(-7.05, 7.05, 141) + 0.025  # no kink among them
    step = 1e-5
    numerical = (f(name, points + step) - f(name, points - step)) / (2.0 * step)
    np.testing.assert_allclose(derivative(name, points), numerical, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("name", KINKS)
def test_derivatives_at_kinks_are_as_defined(name: str) -> None:
    points = list(KINKS[name])
    np.testing.assert_array_equal(derivative(name, points), list(KINKS[name].values()))


def test_prelu_sums_its_own_gradient_over_the_rows() -> None:
    trace = build_trace("prelu", [-2.0, 3.0, -0.5])
    trace.d[:] = [[1.0, 10.0, 2.0]]
    ACTIVATION["prelu"].forward(trace)
    ACTIVATION["prelu"].backward(trace)
    assert trace.slope_gradient is not None
    assert trace.slope_gradient[0, 0] == -2.0 * 1.0 - 0.5 * 2.0


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", [name for name in VALUES if name != "exponential"])
def test_nothing_overflows_at_ten_thousand(name: str, dtype: str) -> None:
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        values = f(name, [-1e4, 1e4], dtype)
        slopes = derivative(name, [-1e4, 1e4], dtype)
    assert np.isfinite(values).all()
    assert np.isfinite(slopes).all()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_exponential_overflows_to_a_visible_infinity(dtype: str) -> None:
    with np.errstate(over="ignore"):
        np.testing.assert_array_equal(f("exponential", [-1e4, 1e4], dtype), [0.0, np.inf])


@pytest.mark.parametrize("name", VALUES)
def test_nan_stays_visible(name: str) -> None:
    assert np.isnan(f(name, [float("nan")])[0])


@pytest.mark.parametrize("name", ["relu", "relu6"])
def test_relu_turns_minus_infinity_into_0(name: str) -> None:
    assert f(name, [-np.inf])[0] == 0.0


def test_saturation_is_told_by_the_derivative() -> None:
    z = np.array([[-5.0, -3.0, 0.0, 3.0, 5.0, 6.0]])
    expected = {"sigmoid": [1, 0, 0, 0, 1, 1], "tanh": [1, 1, 0, 1, 1, 1], "relu6": [0, 0, 0, 0, 0, 1]}
    for name, flags in expected.items():
        np.testing.assert_array_equal(ACTIVATION[name].saturated(z), [flags], err_msg=name)
    assert ACTIVATION["relu"].saturated(z) is None
