"""JAX: jit and lax.scan over epochs of rows permuted beforehand, with donated state; vmap for populations."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np

from tests.benchmarks.engine.workloads import Workload, initial_layers, our_order

if TYPE_CHECKING:
    from numpy.typing import NDArray

BETA1, BETA2, EPS = 0.9, 0.999, 1e-8
MOST_STEPS_A_CALL, MOST_FLOPS_A_CALL = 2_000, 2e9


ACTIVATIONS = {
    "relu": jax.nn.relu,
    "sigmoid": jax.nn.sigmoid,
    "tanh": jnp.tanh,
    "leaky_relu": partial(jax.nn.leaky_relu, negative_slope=0.01),
}


class JaxScan:
    """Some epochs a call, so that small networks do not wait for Python."""

    def __init__(self, workload: Workload, option: str) -> None:
        self.workload, self.unroll = workload, int(option or 1)
        self.config = workload.config
        self.configs = workload.configs()
        problem = workload.problem()
        self.x = jnp.asarray(problem.x_train, jnp.float32)
        dtype = jnp.int32 if workload.task == "multiclass" else jnp.float32
        self.y = jnp.asarray(problem.y_train.reshape(workload.rows, -1), dtype)
        if workload.task == "multiclass":
            self.y = self.y[:, 0]
        steps = workload.steps_per_epoch
        most = min(MOST_STEPS_A_CALL, int(MOST_FLOPS_A_CALL / workload.flops / workload.members))
        self.epochs_a_call = max(1, most // steps)
        rates = jnp.asarray([config.learning_rate for config in self.configs], jnp.float32)
        self.rates = rates if workload.members > 1 else rates[0]
        self.train = self._program(drops=True)
        self.state = self._initial_state()
        self.rng = np.random.default_rng(1)

    def check(self, steps: int) -> NDArray[np.floating]:
        train = self._program(drops=False) if any(self.config.dropouts) else self.train
        state, found = self._initial_state(), []
        epochs = -(-steps // self.workload.steps_per_epoch)
        for first in range(0, epochs, self.epochs_a_call):
            orders = [
                [our_order(self.workload, config, first + epoch) for epoch in range(self.epochs_a_call)]
                for config in self.configs
            ]
            state, losses = train(state, self.rates, self.x, self.y, self._shaped(np.array(orders)))
            found.append(np.asarray(losses))
        return np.concatenate(found, axis=-1)[..., :steps]

    def run(self, steps: int) -> int:
        a_call = self.epochs_a_call * self.workload.steps_per_epoch
        calls = -(-steps // a_call)
        used = self.workload.steps_per_epoch * self.config.batch_size
        rows = np.arange(self.workload.rows, dtype=np.int32)
        for _ in range(calls):
            orders = np.broadcast_to(rows, (len(self.configs), self.epochs_a_call, len(rows)))
            orders = self.rng.permuted(orders, axis=2)[:, :, :used]
            self.state, losses = self.train(self.state, self.rates, self.x, self.y, self._shaped(orders))
            np.asarray(losses)
        return calls * a_call

    def versions(self) -> dict[str, str]:
        return {"jax": jax.__version__, "jaxlib": jax.lib.__version__}

    def _shaped(self, orders: NDArray[np.integer]) -> Any:
        shape = (-1, self.epochs_a_call, self.workload.steps_per_epoch, self.config.batch_size)
        shaped = orders.reshape(shape).astype(np.int32)
        return shaped if self.workload.members > 1 else shaped[0]

    def _initial_state(self) -> Any:
        states = []
        for config in self.configs:
            layers = [
                {name: jnp.asarray(values) for name, values in layer.items()}
                for layer in initial_layers(self.workload, config)
            ]
            zeros = jax.tree.map(jnp.zeros_like, layers)
            moments = (zeros,) * {"adam": 2, "momentum": 1, "sgd": 0}[config.optimizer]
            running = [(jnp.zeros(n), jnp.ones(n)) for n in config.hidden_units] if config.batch_norm else []
            states.append((layers, moments, running, jax.random.key(config.seed), jnp.zeros((), jnp.int32)))
        state = states[0]
        if self.workload.members > 1:
            state = jax.tree.map(lambda *leaves: jnp.stack(leaves), *states)
        return jax.tree.map(jnp.copy, state)  # each leaf a buffer of its own, to be donated

    def _program(self, *, drops: bool) -> Any:
        def epoch(carry: Any, order: Any, rate: Any, x: Any, y: Any) -> Any:
            flat = order.reshape(-1)
            batches = (x[flat].reshape(*order.shape, -1), y[flat].reshape(*order.shape, *y.shape[1:]))
            return jax.lax.scan(
                partial(self._step, rate=rate, drops=drops), carry, batches, unroll=self.unroll
            )

        def train(state: Any, rate: Any, x: Any, y: Any, orders: Any) -> Any:
            state, losses = jax.lax.scan(lambda carry, order: epoch(carry, order, rate, x, y), state, orders)
            return state, losses.reshape(-1)

        if self.workload.members > 1:
            train = jax.vmap(train, in_axes=(0, 0, None, None, 0))
        return jax.jit(train, donate_argnums=0)

    def _step(self, state: Any, batch: Any, rate: Any, *, drops: bool) -> Any:
        layers, moments, running, key, count = state
        x, y = batch
        count = count + 1
        uniforms = self._uniforms(jax.random.fold_in(key, count)) if drops else [None] * len(layers)
        (loss, seen), gradients = jax.value_and_grad(self._loss, has_aux=True)(layers, x, y, uniforms)
        running = [
            (0.9 * mean + 0.1 * m, 0.9 * variance + 0.1 * v)
            for (mean, variance), (m, v) in zip(running, seen, strict=True)
        ]
        gradients = self._penalised(gradients, layers)
        layers, moments = self._updated(layers, moments, gradients, rate, count)
        return (layers, moments, running, key, count), loss

    def _uniforms(self, key: Any) -> Any:
        """Draw for the dropout of all layers at once, which is faster than one by one."""
        widths = self.config.hidden_units
        drawn = jax.random.uniform(key, (self.config.batch_size, sum(widths)))
        return jnp.split(drawn, np.cumsum(widths)[:-1], axis=1)

    def _loss(self, layers: Any, x: Any, y: Any, uniforms: Any) -> Any:
        seen, config = [], self.config
        a = x
        for layer, name, rate, uniform in zip(
            layers, config.activations, config.dropouts, uniforms, strict=False
        ):
            z = a @ layer["weight"]
            if config.batch_norm:
                mean, variance = z.mean(0), z.var(0)
                z = (z - mean) * jax.lax.rsqrt(variance + 1e-5) * layer["gamma"] + layer["beta"]
                seen.append((mean, variance))
            else:
                z = z + layer["bias"]
            a = ACTIVATIONS[name](z)
            if rate and uniform is not None:
                a = jnp.where(uniform >= rate, a / (1.0 - rate), 0.0)
        z = a @ layers[-1]["weight"] + layers[-1]["bias"]
        return _data_loss(self.workload.task, z, y), seen

    def _penalised(self, gradients: Any, layers: Any) -> Any:
        config = self.config
        if config.clip_norm is not None:
            norm = jnp.sqrt(sum(jnp.vdot(g, g) for g in jax.tree.leaves(gradients)))
            factor = jnp.minimum(1.0, config.clip_norm / norm)
            gradients = jax.tree.map(lambda g: g * factor, gradients)
        if config.l2:
            gradients = [
                {**g, "weight": g["weight"] + config.l2 * layer["weight"]}
                for g, layer in zip(gradients, layers, strict=True)
            ]
        return gradients

    def _updated(self, layers: Any, moments: Any, gradients: Any, rate: Any, count: Any) -> Any:
        if self.config.optimizer == "sgd":
            return jax.tree.map(lambda p, g: p - rate * g, layers, gradients), ()
        if self.config.optimizer == "momentum":
            velocity = jax.tree.map(lambda v, g: self.config.momentum * v + g, moments[0], gradients)
            return jax.tree.map(lambda p, v: p - rate * v, layers, velocity), (velocity,)
        first = jax.tree.map(lambda m, g: BETA1 * m + (1 - BETA1) * g, moments[0], gradients)
        second = jax.tree.map(lambda v, g: BETA2 * v + (1 - BETA2) * g * g, moments[1], gradients)
        by_first = -jnp.expm1(count * np.float32(np.log(BETA1)))  # 1 - beta^t, with all its digits
        by_second = -jnp.expm1(count * np.float32(np.log(BETA2)))
        layers = jax.tree.map(
            lambda p, m, v: p - rate * (m / by_first) / (jnp.sqrt(v / by_second) + EPS), layers, first, second
        )
        return layers, (first, second)


def _data_loss(task: str, z: Any, y: Any) -> Any:
    if task == "regression":
        return jnp.square(z - y).mean()
    if task == "binary":
        return (jnp.maximum(z, 0.0) - z * y + jnp.log1p(jnp.exp(-jnp.abs(z)))).mean()
    return -jnp.take_along_axis(jax.nn.log_softmax(z), y[:, None], axis=1).mean()
