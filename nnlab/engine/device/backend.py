"""What the device code asks of an array library, in NumPy's terms; a GPU's library overrides a few."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

Array: TypeAlias = Any  # an array of whatever library: nothing else is known of it
Formula: TypeAlias = "Callable[..., None]"


class Backend:
    """An array module, and the ways to and from it.

    Attributes:
        xp: the array module.
    """

    def __init__(self, xp: Any) -> None:
        self.xp = xp

    def upload(self, host: NDArray[Any]) -> Array:
        """Copy an array to the device."""
        return self.xp.array(host)

    def download(self, array: Array) -> NDArray[Any]:
        """Copy an array to the host, and wait for all that it depends on. Nothing else waits."""
        return np.array(array)

    def fused(self, formula: Formula) -> Callable[..., None]:
        """Make one kernel of an elementwise formula, a function of ``xp`` and arrays that it writes into."""
        return partial(formula, self.xp)

    def product(self, a: Array, b: Array, out: Array) -> None:
        """Multiply stacks of matrices.

        Shapes: a (members or 1, m, k), b (members or 1, k, n), out (members, m, n).
        """
        self.xp.matmul(a, b, out=out)
