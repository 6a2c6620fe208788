"""PyTorch by functions of tensors: the whole step compiled at once; all members of a population in one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from tests.benchmarks.engine.contenders.torch_nets import LOSSES, tensors
from tests.benchmarks.engine.workloads import Workload, initial_layers, our_order

if TYPE_CHECKING:
    from numpy.typing import NDArray

BETA1, BETA2, EPS = 0.9, 0.999, 1e-8
ACTIVATIONS = {
    "relu": torch.relu,
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
    "leaky_relu": torch.nn.functional.leaky_relu,
}


class TorchFunctions:
    """``option`` is ``compiled`` or ``eager``."""

    def __init__(self, workload: Workload, option: str) -> None:
        torch.set_num_threads(1)
        torch.set_num_interop_threads(1)
        self.workload, self.config, self.configs = workload, workload.config, workload.configs()
        self.loss = LOSSES[workload.task]
        self.x, self.y = tensors(workload)
        rates = torch.tensor([config.learning_rate for config in self.configs])
        self.rates = rates if workload.members > 1 else rates[0]
        gradients = torch.func.grad(self._loss, has_aux=True)
        if workload.members > 1:
            gradients = torch.func.vmap(gradients, in_dims=(0, 0, 0, None), randomness="different")
        self.gradients = gradients
        self.step = torch.compile(self._step, dynamic=False) if option == "compiled" else self._step
        self.count = 0
        self.state = self._fresh()

    def check(self, steps: int) -> NDArray[np.floating]:
        state, per_epoch = self._fresh(), self.workload.steps_per_epoch
        found = []
        for step in range(steps):
            epoch, index = divmod(step, per_epoch)
            if index == 0:
                orders = np.stack([our_order(self.workload, config, epoch) for config in self.configs])
                x, y = self._permuted(torch.from_numpy(orders))
            found.append(self._one(state, x, y, step, drops=False))
        return np.asarray(torch.stack(found, dim=-1))

    def run(self, steps: int) -> int:
        per_epoch = self.workload.steps_per_epoch
        found = []
        for _ in range(steps):
            if self.count % per_epoch == 0:
                orders = torch.rand(self.workload.members, self.workload.rows).argsort(dim=1)
                self.x_epoch, self.y_epoch = self._permuted(orders)
            drops = any(self.config.dropouts)
            found.append(self._one(self.state, self.x_epoch, self.y_epoch, self.count, drops=drops))
            self.count += 1
        torch.stack(found, dim=-1).numpy()
        return steps

    def versions(self) -> dict[str, str]:
        return {"torch": torch.__version__}

    def _permuted(self, orders: Any) -> tuple[Any, Any]:
        """Give an epoch's batches. Shapes: (steps, members, batch, ...), or (steps, batch, ...) for one."""
        size, steps = self.config.batch_size, self.workload.steps_per_epoch
        orders = orders[:, : steps * size].reshape(len(self.configs), steps, size).transpose(0, 1)
        if self.workload.members == 1:
            orders = orders[:, 0]
        return self.x[orders], self.y[orders]

    def _one(self, state: Any, x: Any, y: Any, count: int, *, drops: bool) -> Any:
        index = count % self.workload.steps_per_epoch
        corrections = torch.tensor([1.0 - BETA1 ** (count + 1), 1.0 - BETA2 ** (count + 1)])
        return self.step(state, x[index], y[index], corrections, drops).clone()

    def _fresh(self) -> dict[str, Any]:
        members = [initial_layers(self.workload, config) for config in self.configs]
        layers = [
            {
                name: torch.from_numpy(
                    np.stack([layer[name] for layer in same]) if len(members) > 1 else same[0][name]
                )
                for name in same[0]
            }
            for same in zip(*members, strict=True)
        ]
        zeros = [{name: torch.zeros_like(value) for name, value in layer.items()} for layer in layers]
        more = [{name: torch.zeros_like(value) for name, value in layer.items()} for layer in layers]
        running = []
        if self.config.batch_norm:
            running = [(torch.zeros(n), torch.ones(n)) for n in self.config.hidden_units]
        return {"layers": layers, "first": zeros, "second": more, "running": running}

    def _step(self, state: Any, x: Any, y: Any, corrections: Any, drops: bool) -> Any:
        layers, config = state["layers"], self.config
        gradients, (loss, seen) = self.gradients(layers, x, y, drops)
        for (mean, variance), (m, v) in zip(state["running"], seen, strict=True):
            mean.lerp_(m, 0.1)
            variance.lerp_(v, 0.1)
        if config.clip_norm is not None:
            squares = [g.square().sum() for layer in gradients for g in layer.values()]
            factor = (config.clip_norm / torch.stack(squares).sum().sqrt()).clamp(max=1.0)
            gradients = [{name: g * factor for name, g in layer.items()} for layer in gradients]
        for layer, gradient, first, second in zip(
            layers, gradients, state["first"], state["second"], strict=True
        ):
            if config.l2:
                gradient["weight"] = gradient["weight"] + config.l2 * layer["weight"]
            for name, parameter in layer.items():
                self._update(parameter, gradient[name], first[name], second[name], corrections)
        return loss

    def _update(self, parameter: Any, gradient: Any, first: Any, second: Any, corrections: Any) -> None:
        rate = (
            self.rates.reshape(-1, *(1,) * (parameter.dim() - 1)) if self.workload.members > 1 else self.rates
        )
        if self.config.optimizer == "adam":
            first.mul_(BETA1).add_(gradient * (1.0 - BETA1))
            second.mul_(BETA2).add_(gradient * gradient * (1.0 - BETA2))
            root = (second / corrections[1]).sqrt() + EPS
            parameter.sub_(rate * (first / corrections[0]) / root)
        elif self.config.optimizer == "momentum":
            first.mul_(self.config.momentum).add_(gradient)
            parameter.sub_(rate * first)
        else:
            parameter.sub_(rate * gradient)

    def _loss(self, layers: Any, x: Any, y: Any, drops: bool) -> Any:
        config, seen = self.config, []
        a = x
        for layer, name, rate in zip(layers, config.activations, config.dropouts, strict=False):
            z = a @ layer["weight"]
            if config.batch_norm:
                variance, mean = torch.var_mean(z, 0, correction=0)
                seen.append((mean.detach(), variance.detach()))
                z = (z - mean) * torch.rsqrt(variance + 1e-5) * layer["gamma"] + layer["beta"]
            else:
                z = z + layer["bias"]
            a = ACTIVATIONS[name](z)
            if drops and rate:
                a = a * (torch.rand_like(a) >= rate) / (1.0 - rate)
        z = a @ layers[-1]["weight"] + layers[-1]["bias"]
        loss = self.loss(z, y)
        return loss, (loss.detach(), seen)
