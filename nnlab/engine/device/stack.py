"""A stack of networks in lock step: what the reference does with one, in each array operation for all."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from nnlab.engine.device.evaluation import Evaluator
from nnlab.engine.device.heads import DeviceHead, Rows
from nnlab.engine.device.network import Network, Pass
from nnlab.engine.device.optimizers import Optimizer
from nnlab.engine.device.penalties import Penalties, square_sum
from nnlab.engine.device.probes import Sampler, samples
from nnlab.engine.device.random_words import orders
from nnlab.engine.heads import fitted_head
from nnlab.engine.network import Network as Reference
from nnlab.engine.network import with_ones
from nnlab.engine.probes import samples_norm
from nnlab.engine.snapshots import Camera

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from nnlab.engine.config import TrainingConfig
    from nnlab.engine.device.backend import Array, Backend
    from nnlab.engine.device.probes import Burst
    from nnlab.engine.problem import Problem
    from nnlab.engine.records import FloatArray, Sample


class Examples:
    """A problem on the device, for all stacks of a population."""

    def __init__(self, backend: Backend, config: TrainingConfig, problem: Problem) -> None:
        head = fitted_head(config, problem)
        with np.errstate(all="ignore"):  # values beyond float32 become inf and are reported as such
            x_train, x_val = (with_ones(x, config.dtype) for x in (problem.x_train, problem.x_val))
        self.training = Rows.of(backend, head, x_train, problem.y_train)
        self.validation = Rows.of(backend, head, x_val, problem.y_val)
        self.head = DeviceHead(backend, head)
        self.problem, self.inputs, self.outputs = problem, problem.x_train.shape[1], problem.outputs
        self.camera = Camera(Reference(config, self.inputs, self.outputs), problem)


@dataclass(frozen=True)
class Chunk:
    """What a chunk of steps left, on the host. Shapes: (members, ...).

    Args:
        norms: of the gradients of each layer, (members, sampled steps, layers).
        norm_steps: the sampled steps.
        samples: a list of all members' for each burst that was completed.
        sums: of the evaluation after the last step, empty where none was asked for.
    """

    losses: FloatArray
    norms: FloatArray
    norm_steps: list[int]
    samples: list[list[Sample]]
    sums: dict[str, FloatArray]


class Parcel:
    """Collects arrays on the device, to copy them to the host in one piece."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._arrays: list[Array] = []

    def add(self, array: Array) -> int:
        """Put an array in; give its place. Shapes: (members, ...)."""
        self._arrays.append(array)
        return len(self._arrays) - 1

    def add_all(self, arrays: dict[str, Array]) -> dict[str, int]:
        """Put arrays in, by name."""
        return {name: self.add(array) for name, array in arrays.items()}

    def fetch(self) -> list[FloatArray]:
        """Copy all as float64."""
        members = len(self._arrays[0])
        flat = [array.reshape(members, -1).astype(np.float64) for array in self._arrays]
        ends = np.cumsum([part.shape[1] for part in flat])
        host = self._backend.download(self._backend.xp.concatenate(flat, axis=1))
        parts = np.split(host, ends[:-1], axis=1)
        return [part.reshape(array.shape) for part, array in zip(parts, self._arrays, strict=True)]


class Stack:
    """Networks of one shape that have done the same number of steps.

    Attributes:
        step: updates done.
        best: the best networks so far, by the names of a checkpoint; empty where no member stops early.
    """

    def __init__(self, backend: Backend, configs: Sequence[TrainingConfig], examples: Examples) -> None:
        self.step = 0
        self._backend, self._examples = backend, examples
        self._configs, self._xp = list(configs), backend.xp
        self._size = configs[0].batch_size
        self.network = Network(backend, configs, examples.inputs, examples.outputs)
        parameters = self.network.parameters
        weights = backend.upload(self.network.model.is_weight[None, :].astype(parameters.dtype))
        self._pass = Pass(backend, self.network, self._size, configs)
        self._optimizer = Optimizer(backend, configs, parameters, weights)
        self._penalties = Penalties(backend, configs, self.network, weights)
        head = examples.head
        self.sampler = Sampler(backend, self.network, self._size, head.head.activation)
        self._evaluator = Evaluator(backend, self.network, head, examples.validation, examples.problem)
        self._order: Array = None
        self._order_epoch = -1
        self._in_order = backend.upload(np.array([[not config.shuffle] for config in configs]))
        stops = any(config.early_stopping_epochs for config in configs)
        self.best: dict[str, Array] = {}
        if stops:
            self.best = {
                "best/parameters": parameters.copy(),
                "best/running": self.network.running.copy(),
            }

    def arrays(self) -> dict[str, Array]:
        """Give all state that the steps to come depend on, not copied. Shapes: (members, ...)."""
        found = {"parameters": self.network.parameters, "running": self.network.running}
        found |= {f"optimizer/{name}": array for name, array in self._optimizer.state.items()}
        found |= {f"burst/{name}": array for name, array in self.sampler.sums.items()}
        if self._penalties.pinned is not None:
            found["pinned"] = self._penalties.pinned
        return found | self.best

    def run(self, steps: int, rates: NDArray[np.float64], *, evaluates: bool, ranks: bool = False) -> Chunk:
        """Train for some steps within an epoch; nothing is copied to the host before their end.

        Args:
            rates: (steps, members).
            evaluates: whether to evaluate after the last step.
            ranks: whether to take effective ranks then, and to fetch the networks for snapshots.
        """
        self._prepare(steps)
        given = self._backend.upload(rates[:, :, None].astype(self.network.parameters.dtype))
        parcel = Parcel(self._backend)
        losses = self._xp.empty((len(self._configs), steps))
        alive = self._xp.ones((len(self._configs), 1), np.bool_)
        norms: list[int] = []
        norm_steps: list[int] = []
        bursts: list[tuple[Burst, dict[str, int]]] = []
        for index in range(steps):
            self.step += 1
            losses[:, index] = self._pass_through(self.step, index)
            alive &= self._xp.isfinite(losses[:, index : index + 1])
            if samples_norm(self.step):
                sizes = self._gradient_norms()
                norms.append(parcel.add(sizes))
                norm_steps.append(self.step)
                alive &= self._xp.isfinite(sizes).all(axis=1, keepdims=True)
            burst = self._update(alive, given[index])
            if burst is not None:
                bursts.append((burst, parcel.add_all(burst.sums)))
        placed = parcel.add_all({"losses": losses})
        sums = parcel.add_all(self._evaluated(ranks=ranks, networks=ranks) if evaluates else {})
        host = parcel.fetch()
        layers = self.network.layers
        return Chunk(
            losses=host[placed["losses"]],
            norms=np.stack([host[place] for place in norms], axis=1)
            if norms
            else np.empty((len(losses), 0, len(layers))),
            norm_steps=norm_steps,
            samples=[samples(burst, _named(host, places), layers) for burst, places in bursts],
            sums=_named(host, sums),
        )

    def evaluate(self, *, ranks: bool = False) -> dict[str, FloatArray]:
        """Evaluate the networks as they are, and fetch them for snapshots."""
        parcel = Parcel(self._backend)
        places = parcel.add_all(self._evaluated(ranks=ranks, networks=True))
        return _named(parcel.fetch(), places)

    def _evaluated(self, *, ranks: bool, networks: bool) -> dict[str, Array]:
        found = self._evaluator.evaluate(ranks=ranks)
        if networks:
            found |= {"parameters": self.network.parameters, "running": self.network.running}
        return found

    def origins(self, step: int) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Tell, for a step of the last chunk, which layers' weights and which activations are not finite.

        Only of use for members that diverged there: their parameters have stayed since.

        Shapes: (members, layers) each.
        """
        self._pass.prepare(step, 1)
        self._pass_through(step, 0, trains=False)
        parcel = Parcel(self._backend)
        layers = self.network.layers
        finite = self._xp.isfinite
        weights = [finite(self.network.parameters[:, layer.model.parameters]).all(axis=1) for layer in layers]
        activations = [finite(z).all(axis=(1, 2)) for z in self._pass.z]
        for flags in (*weights, *activations):
            parcel.add(flags)
        bad = np.stack(parcel.fetch(), axis=1) == 0.0
        return bad[:, : len(layers)], bad[:, len(layers) :]

    def keep_best(self, is_best: NDArray[np.bool_]) -> None:
        """Keep the networks of some members as their best."""
        chosen = self._backend.upload(is_best[:, None])
        for name, now in (("parameters", self.network.parameters), ("running", self.network.running)):
            kept = self.best[f"best/{name}"]
            kept[...] = self._xp.where(chosen, now, kept)

    def restore_best(self, members: NDArray[np.bool_]) -> None:
        """Give some members their best networks back."""
        chosen = self._backend.upload(members[:, None])
        for name, now in (("parameters", self.network.parameters), ("running", self.network.running)):
            now[...] = self._xp.where(chosen, self.best[f"best/{name}"], now)

    def _prepare(self, steps: int) -> None:
        """Draw the epoch's orders if it is a new one, and the keys of the steps to come."""
        rows = len(self._examples.training.x)
        epoch = self.step // (rows // self._size)
        if epoch != self._order_epoch:
            self._order_epoch = epoch
            drawn = orders(self._backend, [config.seed for config in self._configs], epoch, rows)
            self._order = self._xp.where(self._in_order, self._xp.arange(rows, dtype=np.int32), drawn)
        self._pass.prepare(self.step + 1, steps)

    def _pass_through(self, step: int, index: int, *, trains: bool = True) -> Array:
        """Go forward, and back where it trains; give the losses. Shapes: (members,)."""
        rows, size = self._examples.training, self._size
        start = (step - 1) % (len(rows.x) // size) * size
        chosen = self._order[:, start : start + size]
        x, targets, weights = rows.picked(lambda array: self._xp.take(array, chosen, axis=0).swapaxes(1, 2))
        z = self._pass.forward(x, index)
        losses = self._examples.head.losses(z, targets, weights, self._pass.d[-1])
        if trains:
            self._pass.keep_statistics()
            self._pass.backward()
        return losses

    def _gradient_norms(self) -> Array:
        """Measure each layer's gradient. Shapes: (members, layers)."""
        gradients = self.network.gradients
        parts = [gradients[:, layer.model.parameters] for layer in self.network.layers]
        return self._xp.sqrt(self._xp.concatenate([square_sum(part) for part in parts], axis=1))

    def _update(self, alive: Array, rate: Array) -> Burst | None:
        """Clip the raw gradient, then decay, then update, then bound the weights."""
        sampled = self.step == self.sampler.due
        if sampled:
            self.sampler.before_update(self._pass)
        self._penalties.before_update(rate)
        self._optimizer.update(self.network.parameters, self.network.gradients, alive, rate, self.step)
        self._penalties.after_update(alive)
        return self.sampler.after_update(self.step) if sampled else None


def _named(host: list[FloatArray], places: dict[str, int]) -> dict[str, FloatArray]:
    return {name: host[place] for name, place in places.items()}
