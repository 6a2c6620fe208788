"""Splits into training and validation rows, the same on every machine."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from nnlab.data.errors import DataError

if TYPE_CHECKING:
    from nnlab.data.frames import FloatArray, IntArray


def split(
    y: FloatArray, validation_share: float, seed: int | tuple[int, int], *, stratified: bool
) -> tuple[IntArray, IntArray]:
    """Draw the training and the validation rows, each in random order.

    The order matters to training without reshuffling. It comes from raw uniform numbers and a stable sort,
    because NumPy does not promise that ``permutation`` stays the same between versions.

    Args:
        y: targets, one a row.
        validation_share: more than 0, less than 1.
        seed: equal seeds give equal splits; a pair is a seed and a stream of its random numbers.
        stratified: take the share from every class of ``y``; a class keeps at least one training row.

    Raises:
        DataError: if one of the two parts would be empty.
    """
    order = np.argsort(np.random.Generator(np.random.PCG64(seed)).random(len(y)), kind="stable")
    wanted = round(validation_share * len(y))
    chosen = np.zeros(len(y), dtype=bool)
    if stratified:
        labels = y[order]
        for label, count in zip(*_validation_counts(y, validation_share, wanted), strict=True):
            chosen[order[labels == label][: int(count)]] = True
    else:
        chosen[order[:wanted]] = True
    if not 0 < chosen.sum() < len(y):
        raise DataError(
            "validation_share",
            f"expected rows for training and for validation, got {len(y)} rows, share {validation_share:g}",
        )
    return order[~chosen[order]], order[chosen[order]]


def ordered_split(cells: FloatArray, validation_share: float) -> tuple[IntArray, IntArray]:
    """Let the rows that come last in an order validate, so that no training row is of a later time.

    Args:
        cells: what rows are ordered by; of equal ones the order of the rows decides.
        validation_share: more than 0, less than 1.
    """
    order = np.argsort(cells, kind="stable")
    wanted = min(max(round(validation_share * len(order)), 1), len(order) - 1)
    return order[:-wanted], order[-wanted:]


def _validation_counts(y: FloatArray, share: float, wanted: int) -> tuple[FloatArray, IntArray]:
    """Divide the wanted rows among the classes by largest remainder."""
    labels, sizes = np.unique(y, return_counts=True)
    exact = share * sizes
    counts = np.floor(exact).astype(np.int64)
    for index in np.argsort(counts - exact, kind="stable")[: wanted - int(counts.sum())]:
        counts[index] += 1
    return labels, np.minimum(counts, sizes - 1)
