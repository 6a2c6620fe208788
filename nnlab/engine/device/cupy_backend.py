"""CuPy, which nothing else imports: whether it is there, its kernels, and its products."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np

from nnlab.engine.device.backend import Array, Backend, Formula
from nnlab.engine.errors import EngineError

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray


@cache
def why_missing() -> str:
    """Tell why there is no cupy tier on this machine; an empty string where there is one."""
    try:
        cupy = import_module("cupy")
        cupy.cuda.cublas  # noqa: B018, loaded at the first look
    except ImportError as error:
        return f"CuPy cannot be imported ({error}); install cupy-cuda12x[ctk], or the one of your CUDA"
    try:
        devices = cupy.cuda.runtime.getDeviceCount()
    except cupy.cuda.runtime.CUDARuntimeError as error:
        return f"CuPy finds no GPU ({error})"
    return "" if devices else "CuPy finds no GPU"


def available() -> bool:
    """Tell whether CuPy is installed and finds a GPU."""
    return not why_missing()


class CupyBackend(Backend):
    """CuPy on the current device.

    Raises:
        EngineError: where there is none, saying why.
    """

    def __init__(self) -> None:
        if not available():
            raise EngineError(f"expected the cupy tier, which is not here: {why_missing()}")
        super().__init__(import_module("cupy"))
        cublas = self.xp.cuda.cublas
        self._products: dict[str, Callable[..., None]] = {
            "float32": cublas.sgemmStridedBatched,
            "float64": cublas.dgemmStridedBatched,
        }
        self._one, self._zero = ({name: np.array(x, name) for name in self._products} for x in (1.0, 0.0))

    def download(self, array: Array) -> NDArray[Any]:
        """Copy an array to the host."""
        found: NDArray[Any] = self.xp.asnumpy(array)
        return found

    def fused(self, formula: Formula) -> Callable[..., None]:
        """Let CuPy trace the formula, and compile what it saw."""

        def traced(*arrays: Array) -> None:
            formula(self.xp, *arrays)

        kernel: Callable[..., None] = self.xp.fuse(kernel_name=formula.__name__)(traced)
        return kernel

    def product(self, a: Array, b: Array, out: Array) -> None:
        """Multiply by cuBLAS, which reads transposed operands where they lie; CuPy would copy them first."""
        name = out.dtype.name
        shape = strided_product(a, b, out)
        self._products[name](
            self.xp.cuda.device.get_cublas_handle(),
            *(shape.transposed_b, shape.transposed_a),
            *(shape.columns, shape.rows, shape.inner),
            self._one[name].ctypes.data,
            *(b.data.ptr, shape.lead_b, shape.stride_b),
            *(a.data.ptr, shape.lead_a, shape.stride_a),
            self._zero[name].ctypes.data,
            *(out.data.ptr, shape.lead_out, shape.stride_out),
            shape.count,
        )


@dataclass(frozen=True)
class StridedProduct:
    """A stack of products as BLAS describes it, whose matrices are column by column.

    What is row by row here is its own transpose there, so out' = b' a' is asked for, with b first.

    Args:
        transposed_a: 1 where ``a`` is itself a transposed view, which then is what BLAS calls transposed.
        lead_a: elements from one row to the next; of the view's columns where it is transposed.
        stride_a: elements from one matrix to the next, 0 for one that all members share.
    """

    count: int
    rows: int
    inner: int
    columns: int
    transposed_a: int
    lead_a: int
    stride_a: int
    transposed_b: int
    lead_b: int
    stride_b: int
    lead_out: int
    stride_out: int


def strided_product(a: Array, b: Array, out: Array) -> StridedProduct:
    """Describe a product of stacks by their strides.

    Raises:
        ValueError: for matrices without contiguous rows or columns.
    """
    count, rows, columns = out.shape
    (transposed_a, lead_a, stride_a), (transposed_b, lead_b, stride_b) = _strides(a), _strides(b)
    transposed_out, lead_out, stride_out = _strides(out)
    if transposed_out:
        raise ValueError(f"expected a product's output with contiguous rows, got strides {out.strides}")
    return StridedProduct(
        *(count, rows, a.shape[2], columns),
        *(transposed_a, lead_a, stride_a),
        *(transposed_b, lead_b, stride_b),
        *(lead_out, stride_out),
    )


def _strides(stack: Array) -> tuple[int, int, int]:
    """Tell whether a stack's matrices are transposed, and how far apart their lines, and they, lie."""
    count, rows, columns = stack.shape
    member, row, column = (stride // stack.dtype.itemsize for stride in stack.strides)
    stride = member if count > 1 else 0
    if column == 1 or (columns == 1 and row != 1):
        return 0, max(row, columns), stride
    if row == 1 or rows == 1:
        return 1, max(column, rows), stride
    raise ValueError(f"expected matrices with contiguous rows or columns, got strides {stack.strides}")
