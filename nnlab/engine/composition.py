"""Activations applied one after another, for diagnosis: ``tanh>tanh`` is tanh(tanh(z))."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from nnlab.engine.activations import ACTIVATION, Activation, Array, Trace

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Composed(Activation):
    """f(x) = g(... h(x)), with f' by the chain rule.

    Keeps nothing of a pass: to go back, the values between are computed again.
    """

    def __init__(self, names: list[str]) -> None:
        self._parts = [ACTIVATION[name] for name in names]
        self.can_die = all(part.can_die for part in self._parts)

    def forward(self, t: Trace) -> None:
        """Write what the last gives."""
        np.copyto(t.a, self._traces(t.z)[-1].a)

    def backward(self, t: Trace) -> None:
        """Multiply by the derivative of each, the last first."""
        for part, trace in reversed(list(zip(self._parts, self._traces(t.z), strict=True))):
            np.copyto(trace.d, t.d)
            part.backward(trace)
            np.copyto(t.d, trace.d)

    def saturated(self, z: Array) -> NDArray[np.bool_] | None:
        """Tell where any of them is saturated."""
        found: NDArray[np.bool_] | None = None
        for part, trace in zip(self._parts, self._traces(z), strict=True):
            stuck = part.saturated(trace.z)
            if stuck is not None:
                found = stuck if found is None else found | stuck
        return found

    def _traces(self, z: Array) -> list[Trace]:
        """Apply each to what the one before gives."""
        traces: list[Trace] = []
        for part in self._parts:
            a, d, work = (np.empty_like(z) for _ in range(3))
            traces.append(Trace(z, a, d, work, np.empty(z.shape, np.bool_)))
            part.forward(traces[-1])
            z = a
        return traces


def activation_of(name: str) -> Activation:
    """Give the activation of a name, or of names with > between them."""
    parts = name.split(">")
    return ACTIVATION[name] if len(parts) == 1 else Composed(parts)
