"""Points that are chosen before anything is known: at random, or spread evenly over every axis.

All are functions of the seed. Trial k's random point does not depend on how many are drawn.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from itertools import chain, count, islice

import numpy as np

from nnlab.search.errors import SearchError
from nnlab.search.space import Point, Space, key_of

_MASK = 2**64 - 1


def random_points(space: Space, number: int, seed: int, *, taken: Collection[Point] = ()) -> list[Point]:
    """Draw different points, each axis by itself.

    Args:
        taken: points that are not drawn again.

    Raises:
        SearchError: for more points than the space has.
    """
    return _distinct(space, _stream(space, seed), number, taken)


def latin_hypercube(space: Space, number: int, seed: int) -> list[Point]:
    """Spread points so that each of ``number`` equal slices of every axis holds one.

    Where axes have few values points can fall together; then random ones take the place of the repeated.

    Raises:
        SearchError: for more points than the space has.

    Source: McKay, Beckman and Conover, Technometrics 21 (1979); scipy's, scrambled within the slices.
    """
    from scipy.stats import qmc  # noqa: PLC0415 - half a second of import, for who asks for it alone

    generator = np.random.Generator(np.random.Philox(seed & _MASK))
    shares = qmc.LatinHypercube(d=len(space.axes), rng=generator).random(number)
    design = (space.at(row) for row in shares.tolist())
    return _distinct(space, chain(design, _stream(space, seed)), number, ())


def _stream(space: Space, seed: int) -> Iterator[Point]:
    """Draw points without end; the counter of the generator is the number of the draw."""
    for draw in count():
        philox = np.random.Philox(key=np.array([seed & _MASK, 0], np.uint64), counter=draw << 64)
        yield space.at(np.random.Generator(philox).random(len(space.axes)).tolist())


def _distinct(space: Space, points: Iterable[Point], number: int, taken: Collection[Point]) -> list[Point]:
    """Take the first points that differ from each other and from those taken."""
    seen = {key_of(point) for point in taken}
    if space.count is not None and number > space.count - len(seen):
        raise SearchError(
            f"expected at most {space.count - len(seen):,} trials, as many points as the space has,"
            f" got {number:,}"
        )

    def unseen() -> Iterator[Point]:
        for point in points:
            if key_of(point) not in seen:
                seen.add(key_of(point))
                yield point

    return list(islice(unseen(), number))
