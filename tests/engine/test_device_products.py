"""What BLAS is asked for on a GPU, against its definition, and what is said where there is no GPU."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from nnlab.engine.device.cupy_backend import CupyBackend, available, strided_product, why_missing
from nnlab.engine.errors import EngineError

if TYPE_CHECKING:
    from typing import TypeAlias

    from numpy.typing import NDArray

    from nnlab.engine.device.cupy_backend import StridedProduct

    Stack: TypeAlias = NDArray[np.float64]


def column_major(
    memory: Stack, lead: int, stride: int, index: int, shape: tuple[int, int]
) -> NDArray[np.float64]:
    """View one matrix as BLAS does: the entry (i, j) lies at stride * index + i + j * lead."""
    rows, columns = shape
    assert lead >= rows
    start, size = memory.ctypes.data, memory.itemsize
    base = memory if memory.base is None else memory.base
    assert isinstance(base, np.ndarray)
    offset = (start - base.ctypes.data) // size + stride * index
    flat = base.reshape(-1)
    return np.lib.stride_tricks.as_strided(flat[offset:], (rows, columns), (size, lead * size))


def blas(asked: StridedProduct, a: Stack, b: Stack, out: Stack) -> None:
    """Do what gemmStridedBatched is defined to do with the arguments that ours are: b first, then a."""
    m, n, k = asked.columns, asked.rows, asked.inner
    for index in range(asked.count):
        first = column_major(b, asked.lead_b, asked.stride_b, index, (k, m) if asked.transposed_b else (m, k))
        second = column_major(
            a, asked.lead_a, asked.stride_a, index, (n, k) if asked.transposed_a else (k, n)
        )
        target = column_major(out, asked.lead_out, asked.stride_out, index, (m, n))
        target[:] = (first.T if asked.transposed_b else first) @ (second.T if asked.transposed_a else second)


@pytest.mark.parametrize("members", [1, 3])
@pytest.mark.parametrize(("inputs", "units", "rows"), [(4, 3, 5), (1, 1, 5), (4, 1, 1), (1, 6, 2), (2, 5, 1)])
def test_products_of_views_are_asked_for_where_they_lie(
    members: int, inputs: int, units: int, rows: int
) -> None:
    rng = np.random.default_rng(0)
    size = (inputs + 1) * units
    vector, gradient = rng.standard_normal((2, members, size + 7))
    weights = vector[:, 2 : 2 + size].reshape(members, inputs + 1, units)
    weight_gradient = gradient[:, 2 : 2 + size].reshape(members, inputs + 1, units)
    assert np.shares_memory(weights, vector)
    x = rng.standard_normal((members, rows, inputs + 1)).swapaxes(1, 2)
    shared = rng.standard_normal((rows, inputs + 1)).swapaxes(0, 1)[None]
    above = rng.standard_normal((members, inputs + 1, rows))
    d = rng.standard_normal((members, units, rows))
    z, below = np.empty((members, units, rows)), np.empty((members, inputs, rows))
    for a, b, out in (
        *((weights.swapaxes(1, 2), inputs_, z) for inputs_ in (x, shared, above)),
        *((inputs_, d.swapaxes(1, 2), weight_gradient) for inputs_ in (x, above)),
        (weights[:, :-1], d, below),
    ):
        blas(strided_product(a, b, out), a, b, out)
        np.testing.assert_allclose(out, a @ b, rtol=1e-12)


def test_matrices_with_gaps_in_rows_and_columns_are_refused() -> None:
    gaps = np.zeros((2, 6, 6))[:, ::2, ::2]
    with pytest.raises(ValueError, match="contiguous rows or columns"):
        strided_product(gaps, gaps, np.zeros((2, 3, 3)))
    with pytest.raises(ValueError, match="output with contiguous rows"):
        strided_product(np.zeros((2, 3, 4)), np.zeros((2, 4, 5)), np.zeros((2, 5, 3)).swapaxes(1, 2))


@pytest.mark.skipif(available(), reason="this machine has a GPU")
def test_a_missing_tier_says_why() -> None:
    assert "CuPy" in why_missing()
    with pytest.raises(EngineError, match="cupy tier, which is not here: CuPy"):
        CupyBackend()
