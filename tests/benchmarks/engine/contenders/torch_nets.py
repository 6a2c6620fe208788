"""PyTorch as most write it: modules, autograd and an optimizer; fused where the optimizer has that."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from tests.benchmarks.engine.workloads import Workload, initial_layers, our_order

if TYPE_CHECKING:
    from numpy.typing import NDArray

ACTIVATIONS = {"relu": nn.ReLU, "sigmoid": nn.Sigmoid, "tanh": nn.Tanh, "leaky_relu": nn.LeakyReLU}
LOSSES = {
    "regression": functional.mse_loss,
    "binary": functional.binary_cross_entropy_with_logits,
    "multiclass": functional.cross_entropy,
}


class TorchModules:
    """``option`` is ``plain`` or ``fused``: how the optimizer walks over the parameters."""

    def __init__(self, workload: Workload, option: str) -> None:
        torch.set_num_threads(1)
        torch.set_num_interop_threads(1)
        self.workload, self.config, self.option = workload, workload.config, option
        self.loss = LOSSES[workload.task]
        self.x, self.y = tensors(workload)
        self.model, self.optimizer = self._fresh(drops=True)
        self.epoch_steps = self.step = 0

    def check(self, steps: int) -> NDArray[np.floating]:
        model, optimizer = self._fresh(drops=False)
        losses = torch.empty(steps)
        for step in range(steps):
            epoch, index = divmod(step, self.workload.steps_per_epoch)
            if index == 0:
                rows = torch.from_numpy(our_order(self.workload, self.config, epoch))
                x, y = self.x[rows], self.y[rows]
            losses[step] = self._step(model, optimizer, *self._batch(x, y, index))
        return np.asarray(losses)

    def run(self, steps: int) -> int:
        losses = torch.empty(steps)
        for step in range(steps):
            index = self.step % self.workload.steps_per_epoch
            if index == 0:
                rows = torch.randperm(len(self.x))
                self.x_epoch, self.y_epoch = self.x[rows], self.y[rows]
            losses[step] = self._step(
                self.model, self.optimizer, *self._batch(self.x_epoch, self.y_epoch, index)
            )
            self.step += 1
        losses.numpy()
        return steps

    def versions(self) -> dict[str, str]:
        return {"torch": torch.__version__}

    def _batch(self, x: Any, y: Any, index: int) -> tuple[Any, Any]:
        size = self.config.batch_size
        return x[index * size : (index + 1) * size], y[index * size : (index + 1) * size]

    def _step(self, model: Any, optimizer: Any, x: Any, y: Any) -> Any:
        optimizer.zero_grad()
        loss = self.loss(model(x), y)
        loss.backward()
        if self.config.clip_norm is not None:
            nn.utils.clip_grad_norm_(model.parameters(), self.config.clip_norm)
        optimizer.step()
        return loss.detach()

    def _fresh(self, *, drops: bool) -> tuple[Any, Any]:
        config, modules = self.config, []
        layers = initial_layers(self.workload, config)
        for index, layer in enumerate(layers):
            linear = nn.Linear(*layer["weight"].shape, bias="bias" in layer)
            linear.weight.data = torch.from_numpy(layer["weight"].T.copy())
            modules.append(linear)
            if "bias" in layer:
                linear.bias.data = torch.from_numpy(layer["bias"])
            else:
                modules.append(nn.BatchNorm1d(linear.out_features, eps=1e-5, momentum=0.1))
            if index + 1 < len(layers):
                modules.append(ACTIVATIONS[config.activations[index]]())
                if drops and config.dropouts[index]:
                    modules.append(nn.Dropout(config.dropouts[index]))
        model = nn.Sequential(*modules)
        return model, self._optimizer(model)

    def _optimizer(self, model: Any) -> Any:
        config = self.config
        weights = [module.weight for module in model if isinstance(module, nn.Linear)]
        others = [p for p in model.parameters() if all(p is not weight for weight in weights)]
        groups = [{"params": weights, "weight_decay": config.l2}, {"params": others}]
        if not config.l2:
            groups = [{"params": list(model.parameters())}]
        walk = {"fused": self.option == "fused"}
        if config.optimizer == "adam":
            return torch.optim.Adam(groups, lr=config.learning_rate, **walk)
        momentum = config.momentum if config.optimizer == "momentum" else 0.0
        return torch.optim.SGD(groups, lr=config.learning_rate, momentum=momentum, **walk)


def tensors(workload: Workload) -> tuple[Any, Any]:
    """Give the training rows as the losses of torch want them."""
    problem = workload.problem()
    dtype = np.int64 if workload.task == "multiclass" else np.float32
    shape = (workload.rows,) if workload.task == "multiclass" else (workload.rows, -1)
    y = problem.y_train.astype(dtype).reshape(shape)
    return torch.from_numpy(problem.x_train), torch.from_numpy(y)
