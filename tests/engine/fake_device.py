"""A device that is none: arrays in host memory that no code can read but by asking for a copy.

Where CuPy would copy silently, or raise, this raises: conversions to numbers and arrays, truth, iteration,
and host arrays among device arrays. Only functions that CuPy has are offered.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from nnlab.engine.device.backend import Backend

FUNCTIONS = (
    *("abs", "exp", "expm1", "hypot", "isfinite", "isinf", "log", "log1p", "maximum", "minimum"),
    *("sign", "sort", "sqrt", "take", "tanh", "where", "concatenate", "matmul"),
    *("arange", "empty", "empty_like", "full_like", "ones", "ones_like", "zeros", "zeros_like"),
)
REFUSED = ("__array__", "__float__", "__int__", "__bool__", "__index__", "__iter__", "__contains__")
BINARY = ("add", "sub", "mul", "truediv", "and", "or", "xor", "lshift", "rshift")
COMPARISONS = ("eq", "ne", "lt", "le", "gt", "ge")
METHODS = ("all", "any", "argmax", "astype", "copy", "max", "mean", "min", "reshape", "sum", "swapaxes")


class HostCopyError(AssertionError):
    """Device code tried to read the device behind the backend's back."""


class FakeArray:
    """An array on the device that is none."""

    __array_ufunc__ = None  # NumPy's own operators then leave a mixed operation to us
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, held: NDArray[Any]) -> None:
        self.held = held
        self.dtype, self.shape, self.ndim = held.dtype, held.shape, held.ndim
        self.size, self.strides = held.size, held.strides

    def __len__(self) -> int:
        return len(self.held)

    def __getitem__(self, place: Any) -> FakeArray:
        return FakeArray(np.asarray(self.held[_opened(place)]))

    def __setitem__(self, place: Any, value: Any) -> None:
        self.held[_opened(place)] = _opened(value)

    def __neg__(self) -> FakeArray:
        return FakeArray(-self.held)

    def __invert__(self) -> FakeArray:
        return FakeArray(~self.held)

    def __getattr__(self, name: str) -> NoReturn:
        raise HostCopyError(f"a device array has no {name} here; is it a copy to the host?")


def _opened(value: Any) -> Any:
    """Take the held array of ours; refuse arrays of the host."""
    if isinstance(value, FakeArray):
        return value.held
    if isinstance(value, np.ndarray):
        raise HostCopyError(f"an array of the host, {value.shape}, among those of the device")
    if isinstance(value, tuple | list):
        return type(value)(_opened(part) for part in value)
    return value


def _closed(value: Any) -> Any:
    return FakeArray(np.asarray(value)) if isinstance(value, np.ndarray | np.generic) else value


def _on_device(function: Callable[..., Any]) -> Callable[..., Any]:
    def called(*given: Any, **named: Any) -> Any:
        return _closed(function(*map(_opened, given), **{name: _opened(x) for name, x in named.items()}))

    return called


def _operator(name: str) -> Callable[..., Any]:
    def called(self: FakeArray, other: Any) -> Any:
        return _closed(getattr(self.held, name)(_opened(other)))

    return called


def _in_place(name: str) -> Callable[..., Any]:
    def called(self: FakeArray, other: Any) -> FakeArray:
        getattr(self.held, name)(_opened(other))
        return self

    return called


def _refused(name: str) -> Callable[..., Any]:
    def called(self: FakeArray, *_: Any, **__: Any) -> NoReturn:
        raise HostCopyError(f"{name} would copy a device array to the host")

    return called


for _name in REFUSED:
    setattr(FakeArray, _name, _refused(_name))
for _name in BINARY:
    setattr(FakeArray, f"__{_name}__", _operator(f"__{_name}__"))
    setattr(FakeArray, f"__r{_name}__", _operator(f"__r{_name}__"))
    setattr(FakeArray, f"__i{_name}__", _in_place(f"__i{_name}__"))
for _name in COMPARISONS:
    setattr(FakeArray, f"__{_name}__", _operator(f"__{_name}__"))
for _name in METHODS:
    setattr(FakeArray, _name, _on_device(getattr(np.ndarray, _name)))


class FakeModule:
    """An array module with the functions that CuPy has as well."""

    def __getattr__(self, name: str) -> Any:
        if name not in FUNCTIONS:
            raise AttributeError(f"the device code has not used {name} so far; is it in CuPy, does it wait?")
        return _on_device(getattr(np, name))


class FakeBackend(Backend):
    """Counts what passes between host and device."""

    def __init__(self) -> None:
        super().__init__(FakeModule())
        self.uploads = self.downloads = 0

    def upload(self, host: NDArray[Any]) -> FakeArray:
        self.uploads += 1
        return FakeArray(np.array(host))

    def download(self, array: Any) -> NDArray[Any]:
        self.downloads += 1
        return np.array(array.held)
