"""Patches of the data: what is left out, how it is scaled, what each class counts."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nnlab.health.patches.case import Advice, Case

SCALED_RECIPES = {"raw": "default", "lab6": "lab6_scaled"}
LARGEST = 1e15  # what rows may hold that are not bad ones
CLASSES = ("binary", "multiclass")


def scale_inputs(case: Case) -> Advice | None:
    """A9: scale by the dataset's own recipe where there is one for that, else standardise each input."""
    if not case.has_data or case.get("data.standardise_inputs"):
        return None
    reason = "Inputs of similar size give all weights gradients of similar size."
    twin = SCALED_RECIPES.get(str(case.get("data.recipe")))
    if twin is not None and not _is_refused_by_scaling(case):
        return case.advice("A9", "Scale the inputs", reason, {"data.recipe": twin})
    if not case.inputs_out_of_scale:
        return None
    title = "Standardise the inputs: mean 0 and standard deviation 1 in each column"
    return case.advice("A9", title, reason, {"data.standardise_inputs": True})


def _is_refused_by_scaling(case: Case) -> bool:
    """Whether a column of a file does not vary, which recipes of z-scores do not take."""
    if case.facts is None or not str(case.get("data.dataset")).endswith(".csv"):
        return False
    return bool((case.facts.columns.low == case.facts.columns.high).any())


def scale_target(case: Case) -> Advice | None:
    """A10: let the network learn a target of mean 0 and standard deviation 1."""
    if not case.has_data or not case.target_out_of_scale:
        return None
    title = "Standardise the target; predictions and errors are told in its own unit"
    reason = "Errors, and with them gradients, are then of size 1, whatever the target's unit is."
    return case.advice("A10", title, reason, {"data.standardise_target": True})


def weigh_classes(case: Case) -> Advice | None:
    """A21: let rare classes count as much as frequent ones."""
    if case.info.task not in CLASSES or _has_one_class(case):
        return None
    reason = "Each class then has the same say, however few rows it has."
    return case.advice("A21", "Weight the classes by 1 / their frequency", reason, {"class_weights": True})


def _has_one_class(case: Case) -> bool:
    counts = None if case.facts is None else case.facts.train_counts
    return counts is not None and int((counts > 0).sum()) < 2


def drop_bad_rows(case: Case) -> Advice | None:
    """A22: leave out rows with numbers that cannot be meant."""
    if not case.has_data or case.facts is None or not case.facts.columns.largest.max() > LARGEST:
        return None
    title = "Leave out rows with missing numbers or numbers beyond 1e15"
    reason = "Their squares overflow, and one such row spoils every weight."
    return case.advice("A22", title, reason, {"data.drop_bad_rows": True})


def drop_constant(case: Case) -> Advice | None:
    """A23: leave out columns that do not vary."""
    if not case.has_data or case.facts is None or not len(case.facts.columns.constant):
        return None
    reason = "A column that is the same in every row cannot tell rows apart."
    return case.advice("A23", "Leave out columns that do not vary", reason, {"data.drop_constant": True})


def drop_duplicates(case: Case) -> Advice | None:
    """A24: leave out rows that repeat another, before the split."""
    if not case.has_data or case.facts is None or not case.facts.overlap.shared:
        return None
    reason = "No validation row has then been seen in training."
    title = "Leave out rows that repeat another, then split"
    return case.advice("A24", title, reason, {"data.drop_duplicates": True})
