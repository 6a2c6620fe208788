"""What the compiled core is told of a network and its loss."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nnlab.engine.config import NATIVE_ACTIVATIONS
from nnlab.engine.counter_random import Stream, key
from nnlab.engine.error_losses import ErrorLoss
from nnlab.engine.native.structures import LayerStructure
from nnlab.engine.network import drop_threshold

if TYPE_CHECKING:
    from nnlab.engine.config import TrainingConfig
    from nnlab.engine.losses import Head
    from nnlab.engine.native.structures import RunStructure
    from nnlab.engine.network import Network

# In the order of the core's enums, as are NATIVE_ACTIVATIONS.
LOSSES = ("squared", "absolute", "huber", "binary_cross_entropy", "softmax_cross_entropy")
OPTIMIZERS = ("sgd", "momentum", "nesterov", "adagrad", "rmsprop", "adam", "adamw", "ftrl")
_LOSS_OF_HEAD = {"SquaredError": "squared", "AbsoluteError": "absolute", "HuberError": "huber"}


def describe_head(head: Head, run: RunStructure) -> None:
    """Tell the loss and its factors."""
    name = _LOSS_OF_HEAD.get(type(head).__name__)
    is_softmax = head.activation == "softmax"
    run.loss = LOSSES.index(name or ("softmax_cross_entropy" if is_softmax else "binary_cross_entropy"))
    run.output = 0 if is_softmax else NATIVE_ACTIVATIONS.index(head.activation)
    run.loss_factor = head.factor if isinstance(head, ErrorLoss) else 1.0
    run.slope_factor = head.slope_factor if isinstance(head, ErrorLoss) else 1.0


def describe_layers(network: Network, config: TrainingConfig) -> Any:
    """Describe the layers: where each begins in the flat vectors, and what it does."""
    found = (LayerStructure * len(network.layers))()
    running = 0
    for index, (layer, rate) in enumerate(zip(network.layers, (*network.dropouts, 0.0), strict=True)):
        into = found[index]
        into.inputs, into.units = layer.weight.shape
        into.activation = NATIVE_ACTIVATIONS.index(layer.name)
        into.affine, into.end = layer.weights.start, layer.end
        into.is_normalised = layer.normalised is not None
        into.gamma = layer.weights.stop + layer.units
        into.leaks = layer.end - layer.units
        into.running = running
        running += 2 * layer.units * into.is_normalised
        into.drops, into.threshold = rate > 0.0, drop_threshold(rate)
        into.dropout_key = key(config.seed, Stream.DROPOUT, index)
        into.keep_scale = 1.0 / (1.0 - rate)
    return found
