"""What may make an answer wrong, each in a sentence: nothing of it is hidden."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from nnlab.stats.differences import difference
from nnlab.stats.errors import StatsError
from runs.questions.outcomes import CellOutcome, Tuned
from runs.questions.verdicts import Terms
from runs.questions.words import joined

_FEW_SEEDS = 5


def caveats(cells: Sequence[CellOutcome], terms: Terms) -> list[str]:
    """List what has to be known beside the verdict, the gravest first."""
    return [*_of_tuning(cells, terms), *_of_size(cells, terms), *_of_answers(cells, terms)]


def _of_tuning(cells: Sequence[CellOutcome], terms: Terms) -> Iterator[str]:
    edge = _labels(one for one in cells if one.tuned.is_at_edge)
    if edge:
        yield (
            f"The best learning rate of {edge} is at the edge of what was tried; the answer may be"
            " confounded: a rate beyond it might be better still."
        )
    if terms.rates == 1:
        yield "The learning rate was not tuned: networks may differ only because one rate suits one of them."
    flat = _labels(one for one in cells if one.tuned.is_flat)
    if flat:
        yield f"All learning rates gave {flat} the same score, so its choice was made by the validation loss."
    unsure = [one for one in cells if not one.tuned.is_flat and _is_unsure(one.tuned)]
    if unsure:
        seeds = "one seed" if terms.tuning_seeds == 1 else f"{terms.tuning_seeds} seeds"
        yield (
            f"Tuning is noisy: with {seeds} a rate, the best of {_labels(unsure)} could not be told apart"
            " from another."
        )
    diverged = sum(shown.diverged for one in cells for shown in one.tuned.rates.values())
    if diverged:
        verb = "run" if diverged == 1 else "runs"
        yield f"{diverged} {verb} diverged while tuning, which counts as worse than any result."
    if dead := _labels(one for one in cells if one.tuned.best is None):
        yield f"With {dead} every run that tuned diverged, so that it was left out."


def _of_size(cells: Sequence[CellOutcome], terms: Terms) -> Iterator[str]:
    if not terms.budget.is_equal:
        yield "The networks are of unequal size: what is larger may be better for that alone."
        return
    tapered = _labels(one for one in cells if len(set(one.cell.hidden_units)) > 1)
    if tapered:
        yield f"No equal layers came within 1 % for {tapered}, so its last layer differs from the others."


def _of_answers(cells: Sequence[CellOutcome], terms: Terms) -> Iterator[str]:
    diverged = [one for one in cells if one.answer.diverged]
    for one in diverged:
        runs = one.answer.diverged
        yield (
            f"{runs} of {len(one.answer.values)} runs of {one.cell.label} diverged and"
            f" {'is' if runs == 1 else 'are'} left out of its mean, which flatters it."
        )
    absent = sum(one.answer.absent for one in cells)
    if absent:
        yield f"{absent} of the runs that answer failed or were stopped; fewer seeds count."
    seeds = [len(one.answer.finite) for one in cells if one.answer.finite]
    if seeds and min(seeds) < _FEW_SEEDS:
        yield f"{min(seeds)} seeds give wide intervals: only large differences can be found."
    if terms.metric.startswith("val_"):
        yield (
            "Learning rates were chosen on the same held-back rows that the answer is measured on, with other"
            " seeds: all scores are a little too good, alike for all networks."
        )


def _is_unsure(tuned: Tuned) -> bool:
    """Whether another rate may be as good as the best: the paired interval of some other holds 0."""
    if tuned.best is None:
        return False
    best = tuned.rates[tuned.best].values
    for rate, shown in tuned.rates.items():
        if rate == tuned.best:
            continue
        try:
            if not difference(best, shown.values).found:
                return True
        except StatsError:  # of another rate nothing is finite
            continue
    return False


def _labels(cells: Iterator[CellOutcome] | Sequence[CellOutcome]) -> str:
    return joined([one.cell.label for one in cells])
