"""The core's elementary functions, to a few units in the last place, and its random numbers, to the bit."""

from __future__ import annotations

import ctypes
import os
import platform
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from nnlab.engine.counter_random import mixed, permutation, random_words
from nnlab.engine.native import library
from tests.engine.test_repeatability import builds_here

ROOT = Path(__file__).parents[2]
ULPS, UNFUSED_ULPS = 5.0, 7.0  # x86-64-v2 has no fused multiply-add, and rounds twice
SMALLEST_POWER = -87.0  # below it e^x stays where it is, next to 0
Values = NDArray[np.float64]


def softplus(x: Values) -> Values:
    return np.maximum(x, 0.0) + np.log1p(np.exp(-np.abs(x)))


def sigmoid(x: Values) -> Values:
    small = np.exp(-np.abs(x))
    return np.asarray(np.where(x >= 0.0, 1.0, small) / (1.0 + small))


def elu(x: Values) -> Values:
    return np.asarray(np.where(x > 0.0, x, np.expm1(np.minimum(x, 0.0))))


# In the order of native_functions.cpp: the formula, and where it is used.
FUNCTIONS: dict[str, tuple[Callable[[Values], Values], float, float]] = {
    "exp": (np.exp, SMALLEST_POWER, 0.0),
    "expm1": (np.expm1, -np.inf, 0.0),
    "log1p": (np.log1p, 0.0, 1.0),
    "log": (np.log, 1.0, np.inf),
    "tanh": (np.tanh, -np.inf, np.inf),
    "sigmoid": (sigmoid, SMALLEST_POWER, np.inf),
    "softplus": (softplus, SMALLEST_POWER, np.inf),
    "elu": (elu, -np.inf, np.inf),
    "slope of softplus": (sigmoid, SMALLEST_POWER, np.inf),
    "square root": (np.sqrt, 0.0, np.inf),
}
VANISHING = {"exp": 0, "sigmoid": 5, "softplus": 6}  # towards minus infinity


@pytest.fixture(scope="module", params=builds_here() or ["none"])
def functions(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> ctypes.CDLL:
    """The core's functions, compiled as the core of each build is."""
    compiler = shutil.which("g++")
    if (compiler is None or request.param == "none") and not os.environ.get("NNLAB_REQUIRE_NATIVE"):
        pytest.skip(f"NOT TESTED: the native engine's functions: {library.why_missing() or 'no g++ here'}")
    assert compiler is not None
    made = tmp_path_factory.mktemp("native") / f"functions_{request.param}.so"
    march = "armv8-a" if platform.machine() == "aarch64" else f"x86-64-{request.param}"
    flags = f"@{library.BUILT.parent / 'flags.txt'}"
    source = Path(__file__).with_name("native_functions.cpp")
    command = [compiler, flags, f"-march={march}", "-w", "-fvisibility=default", "-fPIC", "-shared"]
    subprocess.run([*command, f"-I{ROOT}", str(source), "-o", str(made)], check=True, cwd=ROOT)
    return ctypes.CDLL(str(made))


def applied(functions: ctypes.CDLL, which: int, x: NDArray[np.float32]) -> NDArray[np.float32]:
    y = np.empty_like(x)
    places = ctypes.c_void_p(x.ctypes.data), ctypes.c_void_p(y.ctypes.data)
    functions.apply(which, *places, ctypes.c_int64(len(x)))
    return y


def dense(low: float, high: float) -> NDArray[np.float32]:
    """Give numbers of every size between two bounds, denormal ones too, and many of everyday size."""
    rng = np.random.default_rng(0)
    words = rng.integers(0, 2**32, 400_000, dtype=np.uint32)
    everyday = rng.uniform(-20.0, 20.0, 200_000).astype(np.float32)
    found = np.concatenate(
        [words.view(np.float32), everyday, np.array([0.0, -0.0, 1.0, low, high], np.float32)]
    )
    return np.ascontiguousarray(found[(found >= low) & (found <= high) & np.isfinite(found)])


@pytest.mark.parametrize("name", FUNCTIONS)
def test_elementary_functions_are_right_to_a_few_units_in_the_last_place(
    name: str, functions: ctypes.CDLL
) -> None:
    formula, low, high = FUNCTIONS[name]
    x = dense(low, high)
    found = applied(functions, list(FUNCTIONS).index(name), x).astype(np.float64)
    with np.errstate(over="ignore", under="ignore"):
        expected = formula(x.astype(np.float64))
        unit = np.spacing(np.abs(expected).astype(np.float32)).astype(np.float64)
    errors = np.abs(found - expected) / unit
    assert len(x) > 1000
    bound = UNFUSED_ULPS if "v2" in functions._name else ULPS
    assert errors.max() <= bound, f"{errors.max():.1f} units at {x[errors.argmax()]!r}"


@pytest.mark.parametrize("name", FUNCTIONS)
def test_nan_stays_visible(name: str, functions: ctypes.CDLL) -> None:
    x = np.full(37, np.nan, np.float32)
    assert np.isnan(applied(functions, list(FUNCTIONS).index(name), x)).all()


@pytest.mark.parametrize("name", FUNCTIONS)
def test_infinity_has_the_functions_limit(name: str, functions: ctypes.CDLL) -> None:
    formula, low, high = FUNCTIONS[name]
    limits = [limit for limit in (low, high) if np.isinf(limit)]
    if name in VANISHING:
        limits.append(-np.inf)
    for limit in limits:
        (found,) = applied(functions, list(FUNCTIONS).index(name), np.array([limit], np.float32))
        with np.errstate(invalid="ignore"):
            assert found == pytest.approx(formula(np.array(limit)), rel=3e-7, abs=2e-38), limit


@pytest.mark.parametrize(("name", "which"), VANISHING.items())
def test_what_is_smaller_than_any_normal_number_is_next_to_0(
    name: str, which: int, functions: ctypes.CDLL
) -> None:
    found = applied(functions, which, np.linspace(-1e4, SMALLEST_POWER, 1000, dtype=np.float32))
    assert found.min() >= 0.0
    assert found.max() < 2e-38


@pytest.mark.parametrize("count", [1, 2, 3, 16, 255, 256, 2047, 2048, 2049, 17_000])
def test_orders_are_those_of_the_reference(count: int, functions: ctypes.CDLL) -> None:
    rng = np.random.default_rng(count)
    found, scratch = np.empty(count, np.uint32), np.empty(2 * count, np.uint64)
    for key in [0, 2**64 - 1, *(int(value) for value in rng.integers(0, 2**64, 20, dtype=np.uint64))]:
        places = ctypes.c_void_p(found.ctypes.data), ctypes.c_void_p(scratch.ctypes.data)
        functions.order(ctypes.c_uint64(key), ctypes.c_int64(count), *places)
        np.testing.assert_array_equal(found, permutation(key, count))


def test_words_and_keys_are_those_of_the_reference(functions: ctypes.CDLL) -> None:
    functions.mix.restype = ctypes.c_uint64
    found = np.empty(1001, np.uint32)
    for value in np.random.default_rng(0).integers(0, 2**64, (20, 2), dtype=np.uint64):
        key, part = (int(word) for word in value)
        assert functions.mix(ctypes.c_uint64(key), ctypes.c_uint64(part)) == mixed(key, part)
        functions.draw(ctypes.c_uint64(key), ctypes.c_void_p(found.ctypes.data), ctypes.c_int64(len(found)))
        np.testing.assert_array_equal(found, random_words(key, len(found)))
