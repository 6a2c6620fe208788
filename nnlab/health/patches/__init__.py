"""The changes that advice is made of: typed, with the words that recommend them and their preconditions."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from nnlab.health.patches import data, network, training
from nnlab.health.patches.case import Advice, Case, Op

__all__ = ["PATCHES", "Advice", "Case", "Op", "Patch"]

Patch = Callable[[Case], Advice | None]

PATCHES: Mapping[str, Patch] = {
    "A1": network.use_relu,
    "A2": network.fit_initializer,
    "A3": training.lower_rate,
    "A4": training.raise_rate,
    "A5": training.use_adam,
    "A6": training.clip_gradients,
    "A7": network.normalise_batches,
    "A8": network.keep_fewer_layers,
    "A9": data.scale_inputs,
    "A10": data.scale_target,
    "A11": network.use_elu,
    "A12": training.add_l2,
    "A13": network.fit_output,
    "A14": network.fit_dropout,
    "A15": network.draw_again,
    "A16": network.change_widths,
    "A17": training.train_longer,
    "A18": training.stop_early,
    "A19": training.fit_batch,
    "A20": training.use_cosine,
    "A21": data.weigh_classes,
    "A22": data.drop_bad_rows,
    "A23": data.drop_constant,
    "A24": data.drop_duplicates,
    "A25": network.bend_linear_layers,
    "A26": training.remove_penalties,
}
