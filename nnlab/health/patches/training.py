"""Patches of training: rate, optimizer, penalties, batches, length."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from nnlab.engine.config import MAX_EPOCHS, MAX_STEPS
from nnlab.health.patches.case import one_digit, rounded

if TYPE_CHECKING:
    from nnlab.health.patches.case import Advice, Case

SAFE_RATE = 1e-3
LEAST_RATE = 1e-6
USUAL_UPDATE = 2e-2  # of the weights' size in a first step: large, and not harmful
SMALL_UPDATE = 3e-4
BRISK_UPDATE = 5e-3
MOST_RAISE = 1000
LARGEST_RATES = {"adam": 1e-2, "adamw": 1e-2, "rmsprop": 1e-2}
LARGEST_RATE = 0.5
WARM_UP_SHARE = 0.05
LONGER = 5
PATIENCE_SHARE, LEAST_PATIENCE = 0.05, 5
USUAL_BATCH, LARGER = 32, 4
NEEDS_MORE_STEPS = frozenset({"not_learning", "plateau", "slow", "update_ratio", "constant_prediction"})


def lower_rate(case: Case) -> Advice | None:
    """A3: divide the learning rate by ten, or by more where the first step was far too large."""
    rate = case.learning_rate
    if not rate > LEAST_RATE:
        return None
    new = min(rounded(rate / 10), _largest_rate(case))
    if case.first_update > 10 * USUAL_UPDATE:
        new = min(new, one_digit(rate * USUAL_UPDATE / case.first_update))
    title = f"Lower the learning rate from {rate:g} to {max(new, LEAST_RATE):g}"
    return case.advice(
        "A3", title, "Smaller steps do not overshoot.", {"learning_rate": max(new, LEAST_RATE)}
    )


def _largest_rate(case: Case) -> float:
    """The largest rate that advice leads to: beyond it hardly any network learns."""
    return LARGEST_RATES.get(str(case.get("optimizer")), LARGEST_RATE)


def raise_rate(case: Case) -> Advice | None:
    """A4: raise the learning rate where steps are tiny, or too small for so few, to what is usual."""
    update, rate = case.largest_update, case.learning_rate
    wanted = _wanted_update(case)
    if not case.may_raise_rate or not 0 < update < wanted:
        return None
    new = min(rate * min(max(wanted / update, 3.0), MOST_RAISE), _largest_rate(case))
    if not new > rate:
        return None
    title = f"Raise the learning rate from {rate:g} to {one_digit(new):g}"
    reason = f"No step changes the weights of a layer by more than {update:.1g} of their size."
    if not update < SMALL_UPDATE:
        reason += f" That is too little for {case.info.steps:,} steps."
    return case.advice("A4", title, reason, {"learning_rate": one_digit(new)})


def _wanted_update(case: Case) -> float:
    """The share of the weights' size that steps should have: 0 where they are large enough.

    In a slow run all steps together should be able to replace the weights.
    """
    update, steps = case.largest_update, case.info.steps
    if update < SMALL_UPDATE:
        return BRISK_UPDATE
    if case.check == "slow" and update * steps < 1:
        return min(max(BRISK_UPDATE, 1 / steps), USUAL_UPDATE)
    return 0.0


def use_adam(case: Case) -> Advice | None:
    """A5: let Adam scale the steps; where training is unstable no rate exceeds the present one."""
    rate = SAFE_RATE if case.may_raise_rate else min(SAFE_RATE, case.learning_rate)
    title = f"Use Adam with a learning rate of {rate:g}"
    reason = "Adam scales each weight's step by the size of its own gradients."
    return case.advice("A5", title, reason, {"optimizer": "adam", "learning_rate": rate})


def clip_gradients(case: Case) -> Advice | None:
    """A6: bound the gradient norm where nothing bounds it."""
    if any(case.get(name) is not None for name in ("clip_norm", "clip_layer_norm", "clip_value")):
        return None
    reason = "A single huge gradient then cannot throw the weights away."
    return case.advice("A6", "Clip the gradient norm at 1", reason, {"clip_norm": 1.0})


def add_l2(case: Case) -> Advice | None:
    """A12: penalise large weights where nothing does."""
    if case.get("l1", 0) or case.get("l2", 0):
        return None
    reason = "A small pull towards 0 keeps weights from growing."
    return case.advice("A12", "Add an L2 penalty of 0.0001", reason, {"l2": 1e-4})


def train_longer(case: Case) -> Advice | None:
    """A17: give the run five times its length."""
    name = "steps" if case.get("steps") is not None else "epochs"
    length = case.get(name)
    if length is None or length * LONGER > (MAX_STEPS if name == "steps" else MAX_EPOCHS):
        return None
    title = f"Train longer: {length * LONGER:,} {name} instead of {length:,}"
    reason = "Some networks stand still for a while before they begin to learn."
    return case.advice("A17", title, reason, {name: length * LONGER})


def stop_early(case: Case) -> Advice | None:
    """A18: end when validation has not improved for a while, with the best network."""
    if case.get("early_stopping_epochs") is not None:
        return None
    every = case.get("validate_every") or case.info.steps_per_epoch
    patience = max(LEAST_PATIENCE, math.ceil(PATIENCE_SHARE * case.info.steps / every))
    title = f"Stop early: after {patience} evaluations without a better validation loss"
    reason = "The network is then kept as it was before it began to learn by heart."
    return case.advice("A18", title, reason, {"early_stopping_epochs": patience})


def fit_batch(case: Case) -> Advice | None:
    """A19: average over more rows where training is unsteady; take more steps where they are too few."""
    size, quarter = case.get("batch_size"), case.info.train_rows // 4
    if size is None:
        return None
    if case.check in NEEDS_MORE_STEPS:
        if case.get("steps") is not None or not size > max(quarter, USUAL_BATCH):
            return None  # so many steps are taken whatever the batches are
        reason = "An epoch then has more steps, and each is as good as one over all rows."
        title = f"Use batches of {USUAL_BATCH} rows instead of {size:,}"
        return case.advice("A19", title, reason, {"batch_size": USUAL_BATCH})
    larger = min(LARGER * size, quarter)
    if not larger > size:
        return None
    reason = "The mean of more rows is steadier."
    title = f"Use batches of {larger:,} rows instead of {size:,}"
    return case.advice("A19", title, reason, {"batch_size": larger})


def use_cosine(case: Case) -> Advice | None:
    """A20: let a constant learning rate rise at the start and fall to 0 until the end."""
    if case.get("schedule", "constant") != "constant" or case.get("warmup_steps", 0):
        return None
    warm_up = max(1, round(WARM_UP_SHARE * case.info.steps))
    title = f"Warm the learning rate up over {warm_up:,} steps, then lower it to 0 along a cosine"
    reason = "The first steps, when gradients are largest, are small then, and so are the last."
    return case.advice("A20", title, reason, {"schedule": "cosine", "warmup_steps": warm_up})


def remove_penalties(case: Case) -> Advice | None:
    """A26: take L1 and L2 away."""
    wanted = {name: 0.0 for name in ("l1", "l2") if case.get(name, 0)}
    reason = "A strong penalty pulls weights to 0, and the units with them."
    return case.advice("A26", "Remove the L1 and L2 penalties", reason, wanted)
