"""Functional analysis of variance of a forest: how much of what trees predict each knob explains."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]
Term = tuple[int, ...]


@dataclass(frozen=True)
class Knobs:
    """The levels of each knob, as numbers from 0.

    Shapes: ``codes`` (configurations, knobs).

    Args:
        levels: number of levels of each knob.
        ordered: whether a knob's levels have an order, so that only neighbours may share a side of a split.
    """

    codes: IntArray
    levels: tuple[int, ...]
    ordered: tuple[bool, ...]

    @cached_property
    def cells(self) -> IntArray:
        """The codes as places in a table of all levels of all knobs, one row a knob."""
        return self.codes + np.arange(len(self.levels)) * max(self.levels)


@dataclass(frozen=True)
class Tree:
    """A regression tree as the boxes of its leaves.

    Shapes: ``values`` (leaves,); ``sides`` one (leaves, levels) a knob: the levels that a leaf holds.
    """

    values: FloatArray
    sides: tuple[BoolArray, ...]


def grow(knobs: Knobs, values: FloatArray, weights: FloatArray, *, least: int = 2) -> Tree:
    """Grow a tree until each leaf holds few configurations or equal values.

    Splits lessen the squared error most (Breiman and others 1984); the levels of a knob without an order are
    put in the order of their means first, which finds the best of all their subsets (section 8.8 there).
    Levels that a node has not seen go with the side that has more weight.

    Args:
        weights: how often each configuration counts; 0 leaves it out.
        least: configurations of a node that is split; 2 for a leaf to each.
    """
    leaves: list[tuple[float, list[BoolArray]]] = []
    everything = [np.ones(count, np.bool_) for count in knobs.levels]
    waiting = [(np.flatnonzero(weights > 0), everything)]
    while waiting:
        rows, box = waiting.pop()
        split = _best_split(knobs, rows, values[rows], weights[rows]) if len(rows) >= least else None
        if split is None:
            leaves.append((float((weights[rows] * values[rows]).sum() / weights[rows].sum()), box))
            continue
        knob, left = split
        goes_left = left[knobs.codes[rows, knob]]
        for side, kept in ((left, goes_left), (~left, ~goes_left)):
            waiting.append((rows[kept], [*box[:knob], box[knob] & side, *box[knob + 1 :]]))
    sides = tuple(np.array([box[knob] for _, box in leaves]) for knob in range(len(knobs.levels)))
    return Tree(np.array([value for value, _ in leaves]), sides)


def predict(tree: Tree, codes: IntArray) -> FloatArray:
    """Read the tree at configurations."""
    inside = np.ones((len(codes), len(tree.values)), np.bool_)
    for knob, side in enumerate(tree.sides):
        inside &= side[:, codes[:, knob]].T
    found: FloatArray = tree.values[inside.argmax(axis=1)]
    return found


def variances(tree: Tree) -> tuple[float, dict[Term, float]]:
    """Split the variance of a tree over the whole space, every level of a knob as likely as every other.

    Returns:
        The whole variance, and the part of each knob and of each pair of knobs.

    Source: Hutter, Hoos and Leyton-Brown 2014, "An efficient approach for assessing hyperparameter
    importance", algorithm 2; ours sums over leaves by matrix products.
    """
    shares = np.array([side.mean(axis=1) for side in tree.sides])
    volume = shares.prod(axis=0)
    mean = float(tree.values @ volume)
    offsets = tree.values - mean
    whole = float(offsets**2 @ volume)
    main = [
        side.T @ (offsets * volume / share)  # the mean at each level, the others averaged
        for side, share in zip(tree.sides, shares, strict=True)
    ]
    parts: dict[Term, float] = {(knob,): float(np.mean(at**2)) for knob, at in enumerate(main)}
    for one, other in combinations(range(len(main)), 2):
        weight = offsets * volume / (shares[one] * shares[other])
        both = tree.sides[one].T @ (weight[:, None] * tree.sides[other])
        parts[one, other] = float(np.mean((both - main[one][:, None] - main[other]) ** 2))
    return whole, parts


def _best_split(
    knobs: Knobs, rows: IntArray, values: FloatArray, weights: FloatArray
) -> tuple[int, BoolArray] | None:
    """Find the knob and the levels on its left side; None where nothing is left to tell apart."""
    low, high = values.min(), values.max()
    if high - low <= 1e-12 * max(abs(low), abs(high)):
        return None
    # Distances to the mean, so that equal gains are equal to the last digit.
    offsets = values - (weights * values).sum() / weights.sum()
    weight, total = _by_level(knobs, rows, weights), _by_level(knobs, rows, weights * offsets)
    order = _level_order(knobs, weight, total)
    across = np.arange(len(order))[:, None]
    weight, total = weight[across, order], total[across, order]
    left = np.cumsum(weight, axis=1)
    right = left[:, -1:] - left  # whole numbers: exact
    with np.errstate(divide="ignore", invalid="ignore"):
        gains = np.where(right > 0, np.cumsum(total, axis=1) ** 2 * (1 / left + 1 / right), -1.0)
    places = np.argmax(gains, axis=1).tolist()
    best = _first_best([row[place] for row, place in zip(gains.tolist(), places, strict=True)])
    if best is None:
        return None
    at, seen = places[best], order[best, : np.count_nonzero(weight[best])]
    heavier = left[best, at] > right[best, at]
    return best, _left_side(seen, at, knobs.levels[best], ordered=knobs.ordered[best], heavier=heavier)


def _by_level(knobs: Knobs, rows: IntArray, amounts: FloatArray) -> FloatArray:
    """Add amounts up at each level of every knob at once. Shape: (knobs, most levels)."""
    cells = knobs.cells[rows]
    most, count = max(knobs.levels), len(knobs.levels)
    added = np.bincount(cells.ravel(), weights=np.repeat(amounts, count), minlength=count * most)
    return np.asarray(added, np.float64).reshape(count, most)


def _level_order(knobs: Knobs, weight: FloatArray, total: FloatArray) -> IntArray:
    """Sort the levels of each knob for its splits; those that no row has come last."""
    with np.errstate(divide="ignore", invalid="ignore"):
        keys = np.where(np.array(knobs.ordered)[:, None], np.arange(weight.shape[1]), total / weight)
    return np.argsort(np.where(weight > 0, keys, np.inf), axis=1, kind="stable")


def _first_best(gains: Sequence[float]) -> int | None:
    """Return the knob that gains most, of equal ones the first; None where no knob splits the rows."""
    best: int | None = None
    for knob, gain in enumerate(gains):
        if gain >= 0 and (best is None or gain > gains[best] * (1 + 1e-9)):
            best = knob
    return best


def _left_side(seen: IntArray, at: int, count: int, *, ordered: bool, heavier: np.bool_) -> BoolArray:
    levels = np.arange(count)
    if ordered:
        return np.asarray(levels <= (seen[at] + seen[at + 1]) / 2)
    left = np.zeros(count, np.bool_)
    left[seen[: at + 1]] = True
    if heavier:  # takes along what the node has not seen
        unseen = np.ones(count, np.bool_)
        unseen[seen] = False
        left |= unseen
    return left


def out_of_sample(predictions: Sequence[FloatArray], counts: Sequence[FloatArray]) -> FloatArray:
    """Average, for each configuration, the trees that have not seen it; NaN where all have.

    Shapes: each (configurations,).
    """
    unseen = np.array(counts) == 0
    votes = unseen.sum(axis=0)
    total = np.where(unseen, np.array(predictions), 0.0).sum(axis=0)
    return np.where(votes > 0, total / np.maximum(votes, 1), np.nan)
