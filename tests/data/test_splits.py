"""Splits: shares, classes and determinism."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nnlab.data.errors import DataError
from nnlab.data.splits import split


@given(
    labels=st.lists(st.integers(0, 4), min_size=10, max_size=200),
    share=st.floats(0.05, 0.5),
    seed=st.integers(0, 2**63 - 1),
    stratified=st.booleans(),
)
def test_every_row_lands_in_one_part(labels: list[int], share: float, seed: int, stratified: bool) -> None:
    y = np.array(labels, dtype=float)
    try:
        train, val = split(y, share, seed, stratified=stratified)
    except DataError:
        assert round(share * len(y)) == 0 or stratified
        return
    assert sorted([*train, *val]) == list(range(len(y)))
    if stratified:
        assert set(y[train]) == set(y)
        for label in set(labels):
            assert abs((y[val] == label).sum() - share * labels.count(label)) <= 1
    else:
        assert len(val) == round(share * len(y))


def test_a_split_is_the_same_on_every_machine() -> None:
    train, val = split(np.arange(10.0), 0.3, 42, stratified=False)
    assert (train.tolist(), val.tolist()) == ([9, 3, 6, 0, 7, 2, 5], [4, 8, 1])


def test_rows_come_in_random_order() -> None:
    train, val = split(np.arange(1000.0), 0.2, 0, stratified=False)
    for rows in (train, val):
        assert abs(np.corrcoef(rows, np.arange(len(rows)))[0, 1]) < 0.1


def test_other_seeds_split_otherwise() -> None:
    first, second = (split(np.arange(100.0), 0.2, seed, stratified=False)[1] for seed in (1, 2))
    assert set(first) != set(second)


def test_too_few_rows_are_refused() -> None:
    with pytest.raises(DataError, match=r"got 3 rows, share 0\.1"):
        split(np.arange(3.0), 0.1, 0, stratified=False)
