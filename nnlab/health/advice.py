"""Which changes a finding recommends, best first, and how they are applied to a config."""

from __future__ import annotations

import copy
from dataclasses import replace
from math import log10, sqrt
from typing import TYPE_CHECKING, Any

from nnlab.engine.initializers import DEVIATION, HALF_WIDTH
from nnlab.health.patches import PATCHES, Advice, Case, Op, network
from nnlab.health.signals import CAN_DIE
from nnlab.health.suppression import OF_DATA_AND_CONFIG, RANKS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

__all__ = ["RANKED", "Advice", "Case", "Op", "advise", "apply"]

# Best first, as the benchmark's ranking.py has measured. Vanishing gradients never get a higher learning rate
# or more layers.
RANKED: Mapping[str, tuple[str, ...]] = {
    "born_dead": ("A11", "A16", "A8", "A15"),
    "class_balance": ("A21",),
    "constant_prediction": ("A13", "A10", "A9", "A5", "A7", "A4", "A3", "A1"),
    "dead_layer": ("A10", "A9", "A3", "A5", "A11", "A7", "A2", "A20", "A26"),
    "divergence": ("A3", "A5", "A6", "A7", "A12"),
    "dormant": ("A16", "A3"),
    "dropout": ("A14", "A16"),
    "dying_units": ("A10", "A9", "A3", "A11", "A8", "A5", "A2", "A7", "A20", "A26"),
    "exploding": ("A10", "A3", "A9", "A5", "A6", "A7", "A2", "A12"),
    "forward_collapse": ("A1", "A26", "A7", "A2", "A8", "A5"),
    "initial_loss": ("A13", "A10", "A9", "A2"),
    "leak": ("A24",),
    "linear_collapse": ("A25", "A9", "A2"),
    "nonfinite": ("A22", "A3", "A10", "A9", "A5", "A7", "A6", "A12"),
    "not_learning": ("A5", "A4", "A13", "A3", "A10", "A9", "A1", "A17"),
    "oscillation": ("A3", "A19", "A20", "A5"),
    "output_mismatch": ("A13", "A10"),
    "overfitting": ("A14", "A18", "A12", "A16"),
    "plateau": ("A4", "A5", "A1", "A13", "A17"),
    "rank_collapse": ("A2", "A7"),
    "saturated": ("A9", "A3", "A2", "A1", "A7"),
    "slow": ("A4", "A5", "A19", "A17"),
    "symmetry": ("A2",),
    "unscaled_data": ("A22", "A10", "A9", "A23"),
    "update_ratio": ("A4", "A5"),
    "vanishing": ("A1", "A26", "A7", "A2", "A8", "A5"),
}
# What the training shows does not change what helps against these.
OF_THEIR_OWN = OF_DATA_AND_CONFIG | {"born_dead", "dormant", "dropout", "linear_collapse", "overfitting"}
# These only say that something is wrong: what was found to cause it says more.
SYMPTOMS = ("not_learning", "constant_prediction", "plateau", "initial_loss", "rank_collapse")

# What these say of units has to do with the network and not with its rate alone.
OF_UNITS = {"dead_layer", "dying_units", "vanishing", "forward_collapse", *SYMPTOMS}
# Rare classes alone can be the reason of these.
OF_CLASSES = {"overfitting", "slow", *SYMPTOMS}

CONSTANT_INITIALIZERS = frozenset({"zeros", "ones", "constant"})
# Deviations of weights that do not look at the width of a layer.
FIXED_SIZES = {
    "normal": DEVIATION,
    "truncated_normal": DEVIATION,
    "uniform": HALF_WIDTH / sqrt(3),
    "playground": sqrt(1 / 12),
}
LARGE_UPDATES = ("A3", "A6")
LARGE_UPDATE = 0.03
TINY_UPDATE = 3e-4
STRONG_PENALTY = 1e-2
STRONG_DROPOUT = 0.5


def advise(check: str, case: Case) -> tuple[Advice, ...]:
    """Rank the changes that apply to this case; what would change nothing is left out."""
    case = replace(case, check=check)
    offered = {code: PATCHES[code](case) for code in _codes(check, case)}
    if offered.get("A4") is not None:
        offered.pop("A3", None)  # nobody is told to raise the rate and to lower it
    return tuple(advice for advice in offered.values() if advice is not None)


def _codes(check: str, case: Case) -> tuple[str, ...]:
    """Rank codes for a check, with what this case shows about the cause in front."""
    if check in OF_THEIR_OWN:
        return ("A21", *RANKED[check]) if _rare_classes_suffer(case) else RANKED[check]
    codes = RANKED[check]
    if check == "update_ratio" and case.largest_update > LARGE_UPDATE:
        codes = LARGE_UPDATES
    if check in SYMPTOMS:
        codes = (*_of_causes(check, case), *codes)
    codes = (*(code for code, is_shown in EVIDENCE if is_shown(case)), *codes)
    if check == "dead_layer" and case.is_born_dead:
        # No update has done it, so a lower learning rate does not help.
        codes = (*codes[: codes.index("A3")], *RANKED["born_dead"], "A2")
    if not case.inputs_out_of_scale:
        codes = (*(code for code in codes if code != "A9"), "A9") if "A9" in codes else codes
    return tuple(code for code in codes if code != "A4" or case.may_raise_rate)


def _of_causes(check: str, case: Case) -> tuple[str, ...]:
    """What is advised against the finding that is nearest to the root."""
    cause = min((found for found in case.found if found != check), key=RANKS.index, default=None)
    return () if cause is None or cause in SYMPTOMS else _codes(cause, replace(case, check=cause))


def _is_symmetric(case: Case) -> bool:
    return bool(CONSTANT_INITIALIZERS & set(case.initializers))


def _weights_have_a_wrong_size(case: Case) -> bool:
    """Whether weights of a fixed size make signals ten times smaller or larger on their way up.

    Sigmoids shrink them whatever the weights are.
    """
    if "sigmoid" in case.activations:
        return False
    sizes = zip(case.initializers, (case.info.inputs, *case.units), strict=False)
    gain = sum(log10(FIXED_SIZES[name] * sqrt(inputs / 2)) for name, inputs in sizes if name in FIXED_SIZES)
    return abs(gain) > 1


def _relu_is_narrow(case: Case) -> bool:
    """Whether ReLU layers are so narrow that one may start dead, and A1 does not replace them."""
    if case.check not in OF_UNITS or network.having(case.activations, network.REPLACED_BY_RELU):
        return False
    return case.may_be_born_dead(network.having(case.activations, CAN_DIE))


def _rare_classes_suffer(case: Case) -> bool:
    return case.check in OF_CLASSES and case.classes_are_unequal


def _has_exponential(case: Case) -> bool:
    return any("exponential" in name for name in case.activations)


def _has_strong_penalty(case: Case) -> bool:
    return any(case.get(name, 0.0) >= STRONG_PENALTY for name in ("l1", "l2"))


def _has_strong_dropout(case: Case) -> bool:
    return max(case.dropouts, default=0.0) > STRONG_DROPOUT


def _is_mismatched(case: Case) -> bool:
    return "output_mismatch" in case.found


def _steps_are_tiny(case: Case) -> bool:
    return case.may_raise_rate and case.largest_update < TINY_UPDATE


def _batches_are_huge(case: Case) -> bool:
    return case.info.batch_size > case.info.train_rows / 4


# What a case can show of the cause of a symptom, the strongest evidence first.
EVIDENCE: tuple[tuple[str, Callable[[Case], bool]], ...] = (
    ("A13", _is_mismatched),
    ("A2", _is_symmetric),  # nothing else helps weights that are all the same
    ("A1", _has_exponential),
    ("A7", _has_exponential),  # where a lower rate has mended none
    ("A10", lambda case: case.target_out_of_scale),  # with a large target scaled inputs alone do not help
    ("A9", lambda case: case.inputs_are_harmful),
    ("A26", _has_strong_penalty),
    ("A14", _has_strong_dropout),
    ("A11", _relu_is_narrow),  # draws weights that fit as well
    ("A2", _weights_have_a_wrong_size),
    ("A3", lambda case: case.steps_are_too_large),
    ("A21", _rare_classes_suffer),
    ("A19", _batches_are_huge),
    ("A4", _steps_are_tiny),
    ("A17", lambda case: case.is_short),
)


def apply(config: Mapping[str, Any], ops: Sequence[Op]) -> dict[str, Any]:
    """Make the changes on a copy of a config.

    Raises:
        ValueError: for an unknown op, or a config that no longer holds the value that the op replaces.
    """
    changed = copy.deepcopy(dict(config))
    for op in ops:
        if op.op != "set":
            raise ValueError(f"expected the op set, got {op.op!r}")
        *parts, name = op.path.split(".")
        place = changed
        for part in parts:
            place = place.setdefault(part, {})
        if place.get(name) != op.old:
            raise ValueError(
                f"expected {op.path} to be {op.old!r}, got {place.get(name)!r}; the config has changed since"
            )
        place[name] = op.value
    return changed
