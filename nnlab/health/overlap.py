"""Validation rows that are training rows as well, found without comparing all pairs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from nnlab.engine.problem import Problem

MOST_ROWS = 5_000  # validation rows looked up: every k-th where there are more
KEY_COLUMNS = 16
BLOCK_VALUES = 4_000_000


@dataclass(frozen=True)
class Overlap:
    """How many of the validation rows are training rows, inputs and target alike.

    Args:
        rows: validation rows looked up.
        shared: those among them that are training rows.
        distinct: different rows among ``shared``.
        nothing_held_out: whether the validation rows simply are the training rows.
    """

    rows: int
    shared: int
    distinct: int
    nothing_held_out: bool

    @property
    def share(self) -> float:
        """Share of the validation rows that are training rows."""
        return self.shared / self.rows


def find_overlap(problem: Problem) -> Overlap:
    """Look validation rows up among the training rows, in memory for a few thousand rows.

    A key of a few columns picks the training rows that may be meant; only those are compared as a whole.
    """
    stride = -(-len(problem.x_val) // MOST_ROWS)
    x, y = problem.x_val[::stride], problem.y_val[::stride]
    columns = np.unique(np.linspace(0, x.shape[1] - 1, KEY_COLUMNS).astype(np.int64))
    wanted = _keys(x, y, columns)
    found = np.flatnonzero(np.isin(_keys(problem.x_train, problem.y_train, columns), wanted))
    known: set[int] = set()
    size = max(1, BLOCK_VALUES // x.shape[1])
    for start in range(0, len(found), size):
        rows = found[start : start + size]
        known.update(_digests(problem.x_train[rows], problem.y_train[rows]))
    shared = [digest for digest in _digests(x, y) if digest in known] if known else []
    return Overlap(
        rows=len(x),
        shared=len(shared),
        distinct=len(set(shared)),
        nothing_held_out=problem.x_val.shape == problem.x_train.shape and len(shared) == len(x),
    )


def _keys(x: NDArray[np.floating], y: NDArray[np.generic], columns: NDArray[np.int64]) -> NDArray[np.uint64]:
    """Mix some columns and the target into 64 bits a row; the sums wrap around."""
    bits = _bits(x[:, columns], y)
    factors = np.random.default_rng(0).integers(1, 2**63, bits.shape[1], dtype=np.uint64) | np.uint64(1)
    return np.asarray((bits * factors).sum(axis=1, dtype=np.uint64))


def _digests(x: NDArray[np.floating], y: NDArray[np.generic]) -> list[int]:
    """Hash whole rows to 64 bits: by chance, two of 100,000 rows agree once in a billion data sets."""
    return [hash(row.tobytes()) for row in _bits(x, y)]


def _bits(x: NDArray[np.floating], y: NDArray[np.generic]) -> NDArray[np.uint32]:
    """The inputs and targets of rows as the bits of float32; 0 and -0 are one."""
    with np.errstate(over="ignore"):  # of numbers that training could not hold either
        rows = np.concatenate([x, y.reshape(len(y), -1)], axis=1, dtype=np.float32, casting="unsafe")
    return np.add(rows, 0.0, out=rows).view(np.uint32)
