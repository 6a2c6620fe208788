"""How a network is built and trained: one flat, checked set of hyperparameters."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Self

from nnlab.engine.config_checks import chain, choice, flag, integer, listing, number, suggestion
from nnlab.engine.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping

# In the order of the compiled core's enum; the NumPy tier alone has the others, for diagnosis.
NATIVE_ACTIVATIONS = ("linear", "sigmoid", "tanh", "relu", "softplus", "leaky_relu", "prelu", "relu6", "elu")
ACTIVATIONS = (*NATIVE_ACTIVATIONS, "exponential")
INITIALIZERS = (
    "auto",
    "he_normal",
    "he_uniform",
    "glorot_normal",
    "glorot_uniform",
    "lecun_normal",
    "lecun_uniform",
    "normal",
    "truncated_normal",
    "uniform",
    "zeros",
    "ones",
    "constant",
    "playground",
)
NATIVE_OUTPUTS = ("auto", "linear", "tanh", "sigmoid", "softmax")
OUTPUT_ACTIVATIONS = (*NATIVE_OUTPUTS, "relu", "softplus", "exponential")
ERROR_LOSSES = ("mse", "half_mse", "mae", "huber")
PROBABILITY_LOSSES = ("clipped_binary_cross_entropy", "cross_entropy")
LOSSES = ("auto", *ERROR_LOSSES, "binary_cross_entropy", "softmax_cross_entropy", *PROBABILITY_LOSSES)
OPTIMIZERS = ("sgd", "momentum", "nesterov", "adagrad", "rmsprop", "adam", "adamw", "ftrl")
SCHEDULES = ("constant", "step", "exponential", "cosine", "reduce_on_plateau")
DTYPES = ("float32", "float64")

MAX_LAYERS = 64
MAX_WIDTH = 65_536
MAX_BATCH = 1_000_000
MAX_EPOCHS = 10_000_000
MAX_STEPS = 1_000_000_000
MAX_SEED = 2**63 - 1  # what a database's big integer holds
DEFAULT_EPOCHS = 20

# Binary and softmax cross-entropy are computed on the logits, so each belongs to one output activation.
OUTPUTS_OF_LOSS = {
    "auto": OUTPUT_ACTIVATIONS,
    **dict.fromkeys(ERROR_LOSSES, OUTPUT_ACTIVATIONS),
    "binary_cross_entropy": ("auto", "sigmoid"),
    "softmax_cross_entropy": ("auto", "softmax"),
    **dict.fromkeys(PROBABILITY_LOSSES, OUTPUT_ACTIVATIONS),
}


@dataclass(frozen=True, kw_only=True)
class TrainingConfig:
    """Hyperparameters of one training run.

    Args:
        hidden_units: width of each hidden layer, 1 to 65,536, at most 64 layers; () is a linear model.
        activation: one name for all hidden layers, or one for each. For diagnosis, ``tanh>tanh`` applies
            several one after another (composition.py).
        batch_norm: normalise each hidden layer's pre-activations over the batch (batch_norm.py).
        dropout: drop probability in [0, 1) after each hidden activation; one for all, or one for each.
        initializer: ``auto`` is He for the ReLU family, softplus and ELU, Glorot for the others.
            ``normal``, ``truncated_normal`` and ``uniform`` are of fixed size (initializers.py). One name
            for all layers, or one for each, the output layer's last.
        bias_initializer: the same names, for biases; ``auto`` is 0, or 0.1 with ``playground`` weights.
        output_activation: ``auto`` follows the loss and the task; errors may be taken of any.
        loss: ``auto`` follows the task; all are means over rows and outputs. ``half_mse`` is half the mean
            squared error, on labels -1 and +1 where the output is tanh, as the playground has it.
            ``huber`` is half the square of errors up to 1, and linear beyond. For diagnosis,
            ``cross_entropy`` is that of each row's outputs over their sum, and
            ``clipped_binary_cross_entropy`` that of outputs cut off near 0 and 1 (probability_losses.py).
        class_weights: weight rows by n / (K n_k) of their class in training; all losses told are weighted.
        momentum: used by ``momentum`` and ``nesterov``, in [0, 1).
        weight_decay: used by ``adamw``: weights shrink by learning_rate * weight_decay a step.
        schedule: how the learning rate changes from step to step (schedules.py).
        warmup_steps: the rate grows linearly over so many steps before the schedule begins.
        decay_rate: what ``step`` and ``exponential`` multiply the rate by every ``decay_every`` steps, and
            ``reduce_on_plateau`` after ``plateau_epochs`` epochs without a better validation loss.
        l1: each step moves weights by learning_rate * l1 towards 0; one that would cross 0 stays 0.
            ``ftrl`` has its own l1 and l2, as its docstring says.
        l2: adds l2 * weight to the gradient, whatever the optimizer.
        max_norm: bounds the Euclidean norm of each unit's incoming weights, after the step.
        clip_norm: bounds the Euclidean norm of all gradients as one vector, after ``clip_layer_norm``.
        clip_layer_norm: bounds that of each layer's gradients, after ``clip_value``.
        clip_value: bounds each entry of the gradient.
        epochs: passes over the training rows; this or ``steps``, 20 epochs where neither is given.
        validate_every: evaluate after every so many steps, and at the end; None after every epoch.
            ``plateau_epochs`` and ``early_stopping_epochs`` count evaluations where it is set.
        early_stopping_epochs: end after so many epochs without a better validation loss; at any end the
            network that had the best is restored.
        shuffle: False keeps the rows in their order in every epoch.

    Raises:
        ConfigError: for a value of the wrong type or out of range; its ``field`` names the culprit.
    """

    hidden_units: tuple[int, ...] = (64,)
    activation: str | tuple[str, ...] = "relu"
    batch_norm: bool = False
    dropout: float | tuple[float, ...] = 0.0
    initializer: str | tuple[str, ...] = "auto"
    bias_initializer: str | tuple[str, ...] = "auto"
    output_activation: str = "auto"
    loss: str = "auto"
    class_weights: bool = False
    optimizer: str = "adam"
    learning_rate: float = 0.01
    momentum: float = 0.9
    weight_decay: float = 0.01
    schedule: str = "constant"
    warmup_steps: int = 0
    decay_rate: float = 0.5
    decay_every: int = 1000
    plateau_epochs: int = 5
    l1: float = 0.0
    l2: float = 0.0
    max_norm: float | None = None
    clip_norm: float | None = None
    clip_layer_norm: float | None = None
    clip_value: float | None = None
    batch_size: int = 32
    epochs: int | None = None
    steps: int | None = None
    validate_every: int | None = None
    early_stopping_epochs: int | None = None
    shuffle: bool = True
    seed: int = 0
    dtype: str = "float32"

    def __post_init__(self) -> None:
        self._check_layers()
        choice("output_activation", self.output_activation, OUTPUT_ACTIVATIONS)
        choice("loss", self.loss, LOSSES)
        choice("optimizer", self.optimizer, OPTIMIZERS)
        choice("schedule", self.schedule, SCHEDULES)
        choice("dtype", self.dtype, DTYPES)
        self._check_rates()
        self._check_length()
        flag("shuffle", self.shuffle)
        flag("batch_norm", self.batch_norm)
        flag("class_weights", self.class_weights)
        self._set("seed", integer("seed", self.seed, 0, MAX_SEED))
        if self.output_activation not in OUTPUTS_OF_LOSS[self.loss]:
            raise ConfigError(
                "output_activation",
                f"expected {listing(OUTPUTS_OF_LOSS[self.loss])} with the loss {self.loss},"
                f" got {self.output_activation!r}; auto always fits",
            )

    def _check_layers(self) -> None:
        units = self.hidden_units
        if not isinstance(units, tuple | list):
            raise ConfigError("hidden_units", f"expected a list of layer widths, got {units!r}; write [64]")
        if len(units) > MAX_LAYERS:
            raise ConfigError(
                "hidden_units", f"expected at most {MAX_LAYERS} hidden layers, got {len(units)}"
            )
        self._set("hidden_units", tuple(integer("hidden_units", width, 1, MAX_WIDTH) for width in units))
        for name in self._per_layer("activation"):
            chain("activation", name, ACTIVATIONS, alone="prelu")
        for field in ("initializer", "bias_initializer"):
            for name in self._per_layer(field, outputs=1):
                choice(field, name, INITIALIZERS)
        rates = self._per_layer("dropout")
        checked = tuple(number("dropout", rate, 0.0, below=1.0) for rate in rates)
        self._set("dropout", checked if isinstance(self.dropout, tuple) else checked[0])

    def _per_layer(self, field: str, outputs: int = 0) -> tuple[Any, ...]:
        """The field's values as a tuple; a list is stored as one, with one for each layer."""
        value = getattr(self, field)
        if not isinstance(value, tuple | list):
            return (value,)
        count = len(self.hidden_units) + outputs
        if len(value) != count:
            which = "all layers, the output's last" if outputs else "the hidden layers"
            raise ConfigError(field, f"expected one value, or {count} for {which}, got {len(value)}")
        self._set(field, tuple(value))
        return tuple(value)

    def _check_rates(self) -> None:
        self._set("learning_rate", number("learning_rate", self.learning_rate, 0.0, above=True))
        self._set("momentum", number("momentum", self.momentum, 0.0, below=1.0))
        self._set("decay_rate", number("decay_rate", self.decay_rate, 0.0, above=True, below=1.0))
        self._set("warmup_steps", integer("warmup_steps", self.warmup_steps, 0, MAX_STEPS))
        self._set("decay_every", integer("decay_every", self.decay_every, 1, MAX_STEPS))
        self._set("plateau_epochs", integer("plateau_epochs", self.plateau_epochs, 1, MAX_EPOCHS))
        for field in ("weight_decay", "l1", "l2"):
            self._set(field, number(field, getattr(self, field), 0.0))
        for field in ("max_norm", "clip_norm", "clip_layer_norm", "clip_value"):
            value = getattr(self, field)
            if value is not None:
                self._set(field, number(field, value, 0.0, above=True))

    def _check_length(self) -> None:
        self._set("batch_size", integer("batch_size", self.batch_size, 1, MAX_BATCH))
        self._check_validation()
        if self.batch_norm and self.batch_size == 1:
            raise ConfigError(
                "batch_size", "expected at least 2 with batch_norm, got 1; one row has no variance"
            )
        if self.epochs is not None and self.steps is not None:
            raise ConfigError(
                "steps",
                f"expected epochs or steps, got {self.epochs!r} epochs and {self.steps!r} steps; drop one",
            )
        if self.steps is not None:
            self._set("steps", integer("steps", self.steps, 1, MAX_STEPS))
            return
        epochs = DEFAULT_EPOCHS if self.epochs is None else self.epochs
        self._set("epochs", integer("epochs", epochs, 1, MAX_EPOCHS))

    def _check_validation(self) -> None:
        for field, most in (("validate_every", MAX_STEPS), ("early_stopping_epochs", MAX_EPOCHS)):
            value = getattr(self, field)
            if value is not None:
                self._set(field, integer(field, value, 1, most))

    def _set(self, field: str, value: object) -> None:
        object.__setattr__(self, field, value)

    @property
    def activations(self) -> tuple[str, ...]:
        """The activation of each hidden layer."""
        one = self.activation
        return one if isinstance(one, tuple) else (one,) * len(self.hidden_units)

    @property
    def dropouts(self) -> tuple[float, ...]:
        """The drop probability after each hidden layer."""
        one = self.dropout
        return one if isinstance(one, tuple) else (one,) * len(self.hidden_units)

    @property
    def initializers(self) -> tuple[str, ...]:
        """The initializer of each layer's weights, the output layer's last."""
        one = self.initializer
        return one if isinstance(one, tuple) else (one,) * (len(self.hidden_units) + 1)

    @property
    def bias_initializers(self) -> tuple[str, ...]:
        """The initializer of each layer's biases, the output layer's last."""
        one = self.bias_initializer
        return one if isinstance(one, tuple) else (one,) * (len(self.hidden_units) + 1)

    @classmethod
    def from_dict(cls, mapping: Mapping[str, Any]) -> Self:
        """Build a config from plain values, as they come from a form or from JSON.

        Raises:
            ConfigError: also for a key that is no field; the message names the nearest one.
        """
        known = [field.name for field in fields(cls)]
        for key in mapping:
            if key not in known:
                near = suggestion(key, known) or f"; known are {listing(known)}"
                raise ConfigError(str(key), f"no such hyperparameter{near}")
        return cls(**mapping)

    def to_dict(self) -> dict[str, Any]:
        """Give the fields in their order as plain values: lists for tuples, None where not set.

        ``bias_initializer`` is left out where it is ``auto``: configs from before it keep their hashes.
        """
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        if self.bias_initializer == "auto":
            del values["bias_initializer"]
        return {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}
