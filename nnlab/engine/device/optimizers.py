"""Optimizers of all members at once: the reference's formulas, each one kernel.

Shapes: parameters, gradients and state (members, size); what is a member's own, as its rate, (members, 1);
``weights`` (1, size) is 1 for weights. ``alive`` is False for members that have diverged: their parameters
stay, so that what was not finite first can still be found.
"""

from __future__ import annotations

from math import sqrt
from typing import TYPE_CHECKING, Any

import numpy as np

from nnlab.engine import optimizers as reference

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nnlab.engine.config import TrainingConfig
    from nnlab.engine.device.backend import Array, Backend, Formula


def sgd(xp: Any, p: Array, g: Array, alive: Array, rate: Array) -> None:
    """Subtract lr g."""
    p -= xp.where(alive, g * rate, 0.0)


def momentum(xp: Any, p: Array, g: Array, alive: Array, rate: Array, velocity: Array, mu: Array) -> None:
    """With v = mu v + g, subtract lr v."""
    velocity *= mu
    velocity += g
    p -= xp.where(alive, velocity * rate, 0.0)


def nesterov(xp: Any, p: Array, g: Array, alive: Array, rate: Array, velocity: Array, mu: Array) -> None:
    """With v = mu v + g, subtract lr (g + mu v)."""
    velocity *= mu
    velocity += g
    p -= xp.where(alive, (velocity * mu + g) * rate, 0.0)


def adagrad(xp: Any, p: Array, g: Array, alive: Array, rate: Array, squares: Array) -> None:
    """Add g^2 to s, and subtract lr g / sqrt(s)."""
    squares += g * g
    p -= xp.where(alive, g / xp.sqrt(squares) * rate, 0.0)


def rmsprop(xp: Any, p: Array, g: Array, alive: Array, rate: Array, squares: Array) -> None:
    """With s the mean of g^2, subtract lr g / (sqrt(s) + eps)."""
    squares *= reference.RMSProp.RHO
    squares += g * g * (1.0 - reference.RMSProp.RHO)
    p -= xp.where(alive, g / (xp.sqrt(squares) + reference.RMSProp.EPS) * rate, 0.0)


def adam(xp: Any, p: Array, g: Array, alive: Array, rate: Array, *rest: Array) -> None:
    """With m and v the means of g and g^2, kept as sums, subtract lr m^ / (sqrt(v^) + eps)."""
    sums, square_sums, factor, eps = rest
    sums *= reference.Adam.BETA1
    sums += g
    square_sums *= reference.Adam.BETA2
    square_sums += g * g
    p -= xp.where(alive, sums / (xp.sqrt(square_sums) + eps) * (rate * factor), 0.0)


def adamw(xp: Any, p: Array, g: Array, alive: Array, rate: Array, *rest: Array) -> None:
    """Each weight shrinks by lr weight_decay of itself, then as Adam."""
    decay, weights, *state = rest
    p -= xp.where(alive, p * (decay * weights) * rate, 0.0)
    adam(xp, p, g, alive, rate, *state)


def ftrl(xp: Any, p: Array, g: Array, alive: Array, rate: Array, *rest: Array) -> None:
    """Follow the regularised leader, as the reference says."""
    l1, l2, weights, squares, linear = rest
    before = xp.sqrt(squares)
    squares += g * g
    root = xp.sqrt(squares)
    linear += g - g * g / (before + root) * p / rate
    bound = l1 * weights
    pulled = xp.minimum(xp.maximum(linear, -bound), bound) - linear
    p[...] = xp.where(alive, pulled / (root / rate + 2.0 * l2 * weights), p)


FORMULAS: dict[str, Formula] = {
    "sgd": sgd,
    "momentum": momentum,
    "nesterov": nesterov,
    "adagrad": adagrad,
    "rmsprop": rmsprop,
    "adam": adam,
    "adamw": adamw,
    "ftrl": ftrl,
}
# The state of each, by the names in a checkpoint, with its initial value; in the order of the formulas.
STATE: dict[str, dict[str, float]] = {
    "sgd": {},
    "momentum": {"velocity": 0.0},
    "nesterov": {"velocity": 0.0},
    "adagrad": {"squares": reference.Adagrad.INITIAL},
    "rmsprop": {"squares": 0.0},
    "adam": {"sums": 0.0, "square_sums": 0.0},
    "adamw": {"sums": 0.0, "square_sums": 0.0},
    "ftrl": {"squares": reference.FTRL.INITIAL, "linear": 0.0},
}
_OWN = {
    "momentum": ("momentum",),
    "nesterov": ("momentum",),
    "adamw": ("weight_decay",),
    "ftrl": ("l1", "l2"),
}
_BEFORE_STATE = ("adamw", "ftrl")  # formulas that take a member's own settings, and the weights, first


class Optimizer:
    """Moves all members' parameters.

    Attributes:
        state: by the names in a checkpoint.
    """

    def __init__(
        self, backend: Backend, configs: Sequence[TrainingConfig], like: Array, weights: Array
    ) -> None:
        self._name = configs[0].optimizer
        self._formula = backend.fused(FORMULAS[self._name])
        xp = backend.xp
        self.state = {name: xp.full_like(like, value) for name, value in STATE[self._name].items()}
        own = [column(backend, configs, field, like.dtype) for field in _OWN.get(self._name, ())]
        first = self._name in _BEFORE_STATE
        self._first = [*own, weights] if first else []
        self._last = [] if first else own

    def update(self, parameters: Array, gradients: Array, alive: Array, rate: Array, step: int) -> None:
        """Take a step, counted from 1."""
        scalars = corrections(step) if self._name in {"adam", "adamw"} else ()
        given = (*self._first, *self.state.values(), *self._last, *scalars)
        self._formula(parameters, gradients, alive, rate, *given)


def corrections(step: int) -> tuple[float, float]:
    """Give what Adam's bias corrections make of the rate's factor and of eps."""
    adam_ = reference.Adam
    first = (1.0 - adam_.BETA1) / (1.0 - adam_.BETA1**step)
    second = sqrt((1.0 - adam_.BETA2) / (1.0 - adam_.BETA2**step))
    return first / second, adam_.EPS / second


def column(backend: Backend, configs: Sequence[TrainingConfig], field: str, dtype: Any) -> Array:
    """Upload a setting of each member; infinity, which bounds nothing, for None. Shapes: (members, 1)."""
    values = [getattr(config, field) for config in configs]
    given = np.array([[np.inf if value is None else value] for value in values])
    with np.errstate(over="ignore"):
        return backend.upload(given.astype(dtype))
