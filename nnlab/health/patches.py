"""The changes that advice is made of: typed, with the words that recommend them and their preconditions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

RELU_FAMILY = ("relu", "leaky_relu", "prelu", "relu6", "elu", "softplus")
REPLACED_BY_RELU = ("sigmoid", "tanh", "linear")
FITTING_INITIALIZERS = {
    **dict.fromkeys(RELU_FAMILY, ("he_normal", "he_uniform")),
    **dict.fromkeys(("sigmoid", "tanh", "linear"), ("glorot_normal", "glorot_uniform")),
}
RAW_RECIPE, SCALED_RECIPE = "raw", "default"
MOST_LAYERS = 3
SAFE_RATE = 1e-3
LEAST_RATE = 1e-6
SMALL_UPDATE = 3e-4
LEAST_NORMALISED_BATCH = 16  # the statistics of fewer rows are too noisy to normalise by
WARM_UP_SHARE = 0.05


@dataclass(frozen=True)
class Op:
    """One typed change of a config; ``old`` makes it reversible.

    Args:
        op: what is done; so far only ``set``.
        path: name in the config; a dot leads into a part, as in ``data.recipe``.
    """

    op: str
    path: str
    value: Any
    old: Any


@dataclass(frozen=True)
class Advice:
    """A recommended change: code, words, and the ops that make it."""

    code: str
    title: str
    reason: str
    ops: tuple[Op, ...]


@dataclass(frozen=True)
class Case:
    """What a patch may look at when it decides whether and what it changes.

    Args:
        config: a run's training config in plain values, with its data config under ``data`` where known.
        steps: the run's length as planned.
        largest_update: largest update ratio of a layer; NaN if unknown.
        is_short: whether the run is shorter than what a verdict on its progress needs.
        is_unstable: whether an exploding gradient or a dead layer was found in the run.
        is_born_dead: whether a dead layer was so from the first step on.
        steps_are_too_large: whether training made the network worse than a constant answer.
    """

    config: Mapping[str, Any]
    steps: int
    largest_update: float
    is_short: bool
    is_unstable: bool
    is_born_dead: bool
    steps_are_too_large: bool

    def get(self, path: str, default: Any = None) -> Any:
        """Look a value up by its path."""
        value: Any = self.config
        for name in path.split("."):
            if not isinstance(value, Mapping) or name not in value:
                return default
            value = value[name]
        return value

    @property
    def learning_rate(self) -> float:
        """The learning rate, 0 where the config has none."""
        return float(self.get("learning_rate", 0.0))

    @property
    def activations(self) -> list[str]:
        """The hidden activations: one for all layers, or one for each."""
        value = self.get("activation", [])
        return [value] if isinstance(value, str) else list(value)

    def with_activations(self, names: list[str]) -> str | list[str]:
        """Write activations the way this config does."""
        return names[0] if isinstance(self.get("activation"), str) else names

    def fits(self, initializer: str, activations: list[str]) -> bool:
        """Whether an initializer suits all these activations."""
        return initializer == "auto" or all(
            initializer in FITTING_INITIALIZERS.get(name, (initializer,)) for name in activations
        )


Patch = Callable[[Case], Advice | None]


def use_relu(case: Case) -> Advice | None:
    """Replace shrinking activations by ReLU, with weights drawn for it."""
    old = case.activations
    new = ["relu" if name in REPLACED_BY_RELU else name for name in old]
    if new == old:
        return None
    wanted: dict[str, Any] = {"activation": case.with_activations(new)}
    if not case.fits(case.get("initializer", "auto"), new):
        wanted["initializer"] = "he_normal"
    replaced = " and ".join(name for name in REPLACED_BY_RELU if name in old)
    reason = "The derivative of ReLU is 1 where a unit is active, so depth does not shrink the gradient."
    return _advice(case, "A1", f"Use ReLU with He initialisation instead of {replaced}", reason, wanted)


def fit_initializer(case: Case) -> Advice | None:
    """Draw the initial weights as the activation wants them."""
    if case.fits(case.get("initializer", "auto"), case.activations):
        return None
    title = (
        "Initialise the weights to suit the activation: He for the ReLU family, Glorot for sigmoid and tanh"
    )
    reason = "Weights of the right size keep signals and gradients at their size from layer to layer."
    return _advice(case, "A2", title, reason, {"initializer": "auto"})


def lower_rate(case: Case) -> Advice | None:
    """Divide the learning rate by ten."""
    if not case.learning_rate > LEAST_RATE:
        return None
    new = _rounded(case.learning_rate / 10)
    title = f"Lower the learning rate from {case.learning_rate:g} to {new:g}"
    return _advice(case, "A3", title, "Smaller steps do not overshoot.", {"learning_rate": new})


def raise_rate(case: Case) -> Advice | None:
    """Triple the learning rate where the updates are tiny."""
    is_slow = 0 < case.largest_update < SMALL_UPDATE and case.learning_rate <= SAFE_RATE
    if case.is_unstable or case.steps_are_too_large or not is_slow:
        return None
    new = _rounded(case.learning_rate * 3)
    title = f"Raise the learning rate from {case.learning_rate:g} to {new:g}"
    reason = f"No step changes the weights of a layer by more than {case.largest_update:.1g} of their size."
    return _advice(case, "A4", title, reason, {"learning_rate": new})


def use_adam(case: Case) -> Advice | None:
    """Let Adam scale the steps, with a rate that never exceeds the present one."""
    rate = min(SAFE_RATE, case.learning_rate)
    title = f"Use Adam with a learning rate of {rate:g}"
    reason = "Adam scales each weight's step by the size of its own gradients."
    return _advice(case, "A5", title, reason, {"optimizer": "adam", "learning_rate": rate})


def clip_gradients(case: Case) -> Advice | None:
    """Bound the gradient norm where nothing bounds it."""
    if case.get("clip_norm") is not None or case.get("clip_value") is not None:
        return None
    reason = "A single huge gradient then cannot throw the weights away."
    return _advice(case, "A6", "Clip the gradient norm at 1", reason, {"clip_norm": 1.0})


def normalise_batches(case: Case) -> Advice | None:
    """Normalise what each hidden activation sees, where batches are large enough to do so."""
    if not case.get("hidden_units") or not case.get("batch_size", 0) >= LEAST_NORMALISED_BATCH:
        return None
    title = "Use batch normalisation before each hidden activation"
    reason = "What a layer hands on then keeps its size, whatever the size of its weights."
    return _advice(case, "A7", title, reason, {"batch_norm": True})


def keep_fewer_layers(case: Case) -> Advice | None:
    """Keep the three widest hidden layers, in their order."""
    units = list(case.get("hidden_units", []))
    if len(units) <= MOST_LAYERS:
        return None
    kept = sorted(sorted(range(len(units)), key=lambda layer: -units[layer])[:MOST_LAYERS])
    wanted: dict[str, Any] = {"hidden_units": [units[layer] for layer in kept]}
    for name in ("activation", "dropout"):
        values = case.get(name)
        if isinstance(values, list | tuple):
            wanted[name] = [values[layer] for layer in kept]
    title = f"Keep {MOST_LAYERS} hidden layers instead of {len(units)}"
    return _advice(case, "A8", title, "Each layer more is one more factor that shrinks the gradient.", wanted)


def scale_inputs(case: Case) -> Advice | None:
    """Prepare the data with the scaling recipe where the raw one is used."""
    if case.get("data.recipe") != RAW_RECIPE:
        return None
    reason = "Inputs of similar size give all weights gradients of similar size."
    return _advice(case, "A9", "Scale the inputs", reason, {"data.recipe": SCALED_RECIPE})


def use_leaky_relu(case: Case) -> Advice | None:
    """Let units pass a small gradient below 0, so that they cannot die."""
    new = ["leaky_relu" if name in ("relu", "relu6") else name for name in case.activations]
    reason = "Leaky ReLU has a small slope below 0, so a silent unit still gets a gradient and can recover."
    wanted = {"activation": case.with_activations(new)} if new else {}
    return _advice(case, "A11", "Use leaky ReLU instead of ReLU", reason, wanted)


def add_l2(case: Case) -> Advice | None:
    """Penalise large weights where nothing does."""
    if case.get("l1", 0) or case.get("l2", 0):
        return None
    reason = "A small pull towards 0 keeps weights from growing."
    return _advice(case, "A12", "Add an L2 penalty of 0.0001", reason, {"l2": 1e-4})


def draw_again(case: Case) -> Advice | None:
    """Start from other initial weights."""
    seed = case.get("seed")
    if seed is None:
        return None
    reason = "In deep, narrow ReLU networks a layer can be dead from the start by chance."
    return _advice(case, "A15", f"Start again with seed {seed + 1}", reason, {"seed": seed + 1})


def train_longer(case: Case) -> Advice | None:
    """Give the run five times its length."""
    name = "steps" if case.get("steps") is not None else "epochs"
    length = case.get(name)
    if length is None:
        return None
    title = f"Train longer: {length * 5:,} {name} instead of {length:,}"
    reason = "Some networks stand still for a while before they begin to learn."
    return _advice(case, "A17", title, reason, {name: length * 5})


def use_cosine(case: Case) -> Advice | None:
    """Let a constant learning rate rise at the start and fall to 0 until the end."""
    if case.get("schedule", "constant") != "constant" or case.get("warmup_steps", 0):
        return None
    warm_up = max(1, round(WARM_UP_SHARE * case.steps))
    title = f"Warm the learning rate up over {warm_up:,} steps, then lower it to 0 along a cosine"
    reason = "The first steps, when gradients are largest, are small then, and so are the last."
    return _advice(case, "A20", title, reason, {"schedule": "cosine", "warmup_steps": warm_up})


def remove_penalties(case: Case) -> Advice | None:
    """Take L1 and L2 away."""
    wanted = {name: 0.0 for name in ("l1", "l2") if case.get(name, 0)}
    reason = "A strong penalty pulls weights to 0, and the units with them."
    return _advice(case, "A26", "Remove the L1 and L2 penalties", reason, wanted)


PATCHES: Mapping[str, Patch] = {
    "A1": use_relu,
    "A2": fit_initializer,
    "A3": lower_rate,
    "A4": raise_rate,
    "A5": use_adam,
    "A6": clip_gradients,
    "A7": normalise_batches,
    "A8": keep_fewer_layers,
    "A9": scale_inputs,
    "A11": use_leaky_relu,
    "A12": add_l2,
    "A15": draw_again,
    "A17": train_longer,
    "A20": use_cosine,
    "A26": remove_penalties,
}


def _advice(case: Case, code: str, title: str, reason: str, wanted: Mapping[str, Any]) -> Advice | None:
    """Make advice of the values that differ from the config's; None if none does."""
    ops = tuple(
        Op("set", path, value, case.get(path)) for path, value in wanted.items() if case.get(path) != value
    )
    return Advice(code, title, reason, ops) if ops else None


def _rounded(rate: float) -> float:
    """Cut the tail of binary fractions, so that 0.05 / 10 reads 0.005."""
    return float(f"{rate:.6g}")
