"""What training yields: plain arrays on the host, in chunks of consecutive steps.

The engine yields these and knows nothing of runs; recorder, health and tests pull them.
Layers are counted 0 .. L-1, the last being the output layer; hidden layers are 0 .. L-2.
Steps are 1-based and counted before the update: step 1 sees the initial weights.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from collections.abc import Mapping

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


class Ending(StrEnum):
    """Why training stopped by itself."""

    END = "end"
    EARLY_STOP = "early stop"
    DIVERGED = "diverged"


@dataclass(frozen=True)
class RunInfo:
    """What is known before the first step.

    Shapes: widths and activations have one entry a layer, output included.

    Args:
        baseline_loss: loss of the best constant prediction on the training labels (H0 of the health rules).
        baseline_metric: the headline metric of that prediction on the validation rows.
        tier: which implementation trains it: ``numpy``, ``native`` or ``cupy``.
        loss: its name, never ``auto``.
        test_rows: on which the run is measured once, when it has ended by itself.
    """

    task: str
    inputs: int
    widths: tuple[int, ...]
    activations: tuple[str, ...]
    parameters: int
    train_rows: int
    validation_rows: int
    batch_size: int
    steps: int
    steps_per_epoch: int
    baseline_loss: float
    headline: str
    baseline_metric: float
    tier: str = "numpy"
    loss: str = ""
    test_rows: int = 0

    @property
    def layers(self) -> int:
        """Number of layers with weights, the output layer included."""
        return len(self.widths)

    def layer_name(self, layer: int) -> str:
        """Name a layer as people read it: hidden 1 .. hidden L-1, output."""
        return "output" if layer == self.layers - 1 else f"hidden {layer + 1}"


@dataclass(frozen=True)
class Sample:
    """The probes' reading of one sampled step, or of a burst of steps where batches are small.

    Shapes: L entries for all layers, L-1 for hidden layers only; ``active_counts`` has one integer array
    of the layer's width for each hidden layer.

    Args:
        rows: examples seen in the sample.
        gradient_rms: root mean square of the loss gradient by the weights, before clipping.
        delta_rms: root mean square of the loss gradient by the pre-activations, with the batch mean inside.
        weight_norm: Euclidean norm of the weights, before the update.
        update_ratio: norm of the update really applied over ``weight_norm``; NaN where that is 0.
        spread: sqrt(mean over units of the variance over rows) over the RMS of the activations,
            hidden layers.
        zero_share: share of activations that are exactly 0. For display, never for alarms.
        saturated_share: share of units for which at least 95 % of rows have f'(z) < 0.05 max f'.
        active_counts: for each unit the rows with an activation above 0.
    """

    step: int
    rows: int
    gradient_rms: FloatArray
    delta_rms: FloatArray
    weight_norm: FloatArray
    update_ratio: FloatArray
    spread: FloatArray
    zero_share: FloatArray
    saturated_share: FloatArray
    active_counts: tuple[IntArray, ...]


@dataclass(frozen=True)
class Histogram:
    """How often values fall into bins of equal width between the least and the greatest of them.

    Shapes: ``counts`` (bins,), (1,) where all values are equal, (0,) where there is none.

    Args:
        low: the least finite value that is not 0; likewise ``high``.
        zeros: values that are exactly 0; no bin has them.
        broken: values that are not finite.
    """

    low: float
    high: float
    counts: IntArray
    zeros: int
    broken: int


@dataclass(frozen=True)
class Snapshot:
    """How a network looks inside after an evaluation's step.

    Shapes: ``weights`` one histogram a layer; ``outputs`` and ``active`` one entry a hidden layer, the latter
    with one number a unit.

    Args:
        weights: without biases.
        outputs: of the activations, over some validation rows, without dropout.
        active: for each unit how many of these rows give it an output above 0.
        rows: how many rows these are.
        parameters: all of them in the order of the network's flat vector; None for large networks.
    """

    weights: tuple[Histogram, ...]
    outputs: tuple[Histogram, ...]
    active: tuple[IntArray, ...]
    rows: int
    parameters: NDArray[np.float32] | None = None


@dataclass(frozen=True)
class Evaluation:
    """One pass over the validation rows, without dropout.

    Args:
        epoch: epochs completed; 0 is the untrained network.
        metrics: by name, ``val_loss`` always; accuracy as a share, errors in the target's own unit.
            The last of a run that ended by itself has those of the test rows, too, where there are some.
        dead_share: share of units of each hidden layer that are 0 for every row; NaN where the activation
            cannot die.
        zero_share: share of activations of each hidden layer that are 0; NaN where the activation cannot die.
        rows: validation rows seen.
        dormant_share: share of units of each hidden layer whose outputs vary or fire at most 1/40 of the
            layer's average, all where none does (Sokar et al., arXiv 2302.12902); NaN where sums overflow.
        mixed_share: share of units of each hidden layer whose pre-activation takes both signs over the rows.
        effective_rank: of the last hidden layer's outputs (Roy and Vetterli 2007), at most the number of
            units and below that of the rows it is taken of: 256, or 64 for layers wider than 64; 0 where no
            output varies, None where not taken (activity.py).
        predicted: for classes, for how many rows each is the answer; (2,) for a binary task.
        recall: for classes, the share of each one's rows that are answered right; NaN for one without rows.
        answer_variance: for regression, variance of the answers over the rows, over that of the targets.
        is_brief: whether it has the metrics alone, and NaN or None for all else: where evaluations follow
            each other so closely that looking into each would cost too much (activity.py).
        restored_step: where early stopping has given the best network back, the step that it is from. This
            evaluation, the run's last, then stands for the one that ended the run.
        snapshot: of the network, at first often, later rarely, and at the end.
    """

    step: int
    epoch: int
    metrics: Mapping[str, float]
    dead_share: FloatArray
    zero_share: FloatArray
    rows: int
    dormant_share: FloatArray | None = None
    mixed_share: FloatArray | None = None
    effective_rank: float | None = None
    predicted: IntArray | None = None
    recall: FloatArray | None = None
    answer_variance: float | None = None
    is_brief: bool = False
    restored_step: int | None = None
    snapshot: Snapshot | None = None


@dataclass(frozen=True)
class NonFinite:
    """Where numbers stopped being finite: the first bad quantity in forward order.

    Args:
        quantity: ``activations``, ``loss``, ``gradient`` or ``weights``.
        layer: index of the first bad layer, None where only the loss is bad.
        last_finite_loss: None if step 1 is already bad.
    """

    step: int
    quantity: str
    layer: int | None
    last_finite_loss: float | None


@dataclass(frozen=True)
class Records:
    """What a chunk of consecutive steps yielded.

    Shapes: ``losses`` and ``gradient_norms`` (n,), for steps first_step .. first_step + n - 1;
    ``learning_rates`` as well, or empty where the rate is the config's own in every step.

    Args:
        losses: mean data loss of each step's batch before the update, without penalties, with dropout on.
        gradient_norms: Euclidean norm of all gradients as one vector before clipping; NaN where not sampled.
            The native tier takes it at every step, the NumPy tier at the first 34 and then one in 16.
        learning_rates: the rate that each step took, as scheduled.
        ended: set on the last chunk only.
        probe_share: share of the run's training time so far that its probes took; None where not known. Alone
            among the records it is measured, so it differs from one machine or try to the next.
    """

    first_step: int
    losses: FloatArray
    gradient_norms: FloatArray
    samples: tuple[Sample, ...] = ()
    evaluations: tuple[Evaluation, ...] = ()
    nonfinite: NonFinite | None = None
    ended: Ending | None = None
    learning_rates: FloatArray = field(default_factory=lambda: np.empty(0))
    probe_share: float | None = None

    @property
    def last_step(self) -> int:
        """The last step of the chunk; first_step - 1 where it holds none."""
        return self.first_step + len(self.losses) - 1
