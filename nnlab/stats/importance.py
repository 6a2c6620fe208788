"""Hyperparameter importance: which knobs explain a metric's variance over a set of runs, and how surely."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from nnlab.stats.designs import Design, read_design
from nnlab.stats.errors import StatsError
from nnlab.stats.forest import Term, grow, out_of_sample, predict, variances

FloatArray = NDArray[np.float64]
RESAMPLES = 400  # of seeds, where every cell has some
TREES = 100
LEAST_CONFIGURATIONS = 8  # for a forest: a tree leaves about three unseen, to check it with
_LEAVES = 64  # of a tree, about: more would follow the noise of hundreds of runs
_PERCENTS = (2.5, 97.5)


@dataclass(frozen=True)
class Share:
    """A part of the variance: of one knob alone, or of two beyond what each does alone.

    Args:
        share: of the variance of single runs, 0 to 1.
        low: lower end of the 95 % bootstrap interval.
        high: upper end, likewise.
    """

    knobs: tuple[str, ...]
    share: float
    low: float
    high: float


@dataclass(frozen=True)
class Importance:
    """What each knob explains of the variance of a metric.

    Args:
        knobs: the largest share first.
        pairs: interactions of two knobs, likewise.
        higher: what three or more knobs do together.
        rest: what no knob explains: the noise of seeds and, in a forest, what it could not learn.
        noise: of ``rest``, the part that differs between seeds of one configuration; None for one seed each.
        exact: by analysis of variance of a full grid; else by a forest.
        ranked: values were replaced by their ranks, because runs diverged.
        together: knobs that always change together and count as one.
    """

    knobs: tuple[Share, ...]
    pairs: tuple[Share, ...]
    higher: float
    rest: float
    noise: float | None
    exact: bool
    configurations: int
    runs: int
    diverged: int
    ranked: bool
    together: tuple[tuple[str, ...], ...]

    @property
    def method(self) -> str:
        """Say how the shares came about, and between what the intervals lie."""
        if self.exact:
            how = (
                f"Every combination was run with several seeds ({self.configurations} configurations), so the"
                " shares are exact: analysis of variance, corrected for the noise of seeds (omega squared)."
                " Interval: 95 % over resampled seeds."
            )
        else:
            how = (
                f"Not every combination was run with several seeds, so {TREES} regression trees fill in the"
                f" rest from {self.configurations} configurations (functional ANOVA)."
                " Interval: the middle 95 % of trees, each grown on a resample of the configurations."
            )
        if self.ranked:
            runs = f"{self.diverged} run{'' if self.diverged == 1 else 's'}"
            how += f" {runs} diverged, so ranks count in place of values, diverged runs sharing the worst."
        return how


def importance(
    rows: Sequence[Mapping[str, object]], knobs: Sequence[str], seed: str, metric: str, *, higher: bool
) -> Importance:
    """Share out the variance of a metric among the knobs, each level of a knob as likely as every other.

    A full grid with several seeds in every cell is taken apart exactly. Anything else, such as a random
    search or a grid with holes, goes through a forest of regression trees that fills in the other cells.
    There the shares are of what is not noise between seeds or, where hardly any configuration has several,
    of what the forest foretells of configurations that its trees have not seen. Knobs that always change
    together count as one.

    Args:
        rows: one mapping a run that has ended, the metric None, NaN or infinite where it diverged.
        knobs: keys whose values differ; numbers keep their order, anything else has none.
        seed: key of the seed; runs of one configuration and seed are averaged.
        metric: key of the metric.
        higher: whether a larger metric is better, which decides which rank is the worst.

    Raises:
        StatsError: where the runs cannot say, with the reason in words.

    Source: Hays 1963 (omega squared), McCarthy and Snowden 1985 (resampling all seeds but one),
    Hutter, Hoos and Leyton-Brown 2014 (functional ANOVA of forests).
    """
    design = read_design(rows, knobs, seed, metric, higher=higher)
    if not design.spread > 0:
        raise StatsError("all runs have the same value, so there is no variance to explain")
    if len(design.names) < 2:
        raise StatsError(_one_knob(design))
    if design.is_full and min(map(len, design.values)) >= 2:
        return _exact(design)
    if len(design.values) < LEAST_CONFIGURATIONS:
        raise StatsError(
            f"{len(design.values)} configurations are too few to tell {len(design.names)} knobs apart; "
            f"run at least {LEAST_CONFIGURATIONS}, or every combination with two seeds"
        )
    return _learned(design)


def _one_knob(design: Design) -> str:
    if design.together:
        names = " and ".join(design.together[0])
        return f"{names} always change together, so their effects cannot be told apart; vary one alone"
    named = f"only {design.names[0]} was varied" if design.names else "nothing was varied"
    return f"{named}, and importance compares knobs; vary two or more"


def _exact(design: Design) -> Importance:
    """Take a full grid apart. The variance of means is less than it looks by what seeds add to it."""
    rng = np.random.default_rng(0)
    drawn = [
        # All seeds but one, drawn with putting back: their variance is then the right one.
        values[rng.integers(0, len(values), (RESAMPLES, len(values) - 1))].mean(axis=1)
        for values in design.values
    ]
    cells = np.column_stack([[values.mean() for values in design.values], drawn])
    shape = design.knobs.levels
    grid = cells.T.reshape(-1, *shape)  # configurations are in the order of their codes
    noise = _noise(design)
    freedom = sum(len(values) - 1 for values in design.values)
    # Drawn anew for each resample: an estimate of noise from few seeds is noisy itself.
    noises = noise * np.r_[1.0, rng.chisquare(freedom, RESAMPLES) / freedom]
    per_mean = float(np.mean([1 / len(values) for values in design.values]))
    doubled = per_mean * noise * np.r_[1.0, np.full(RESAMPLES, 2.0)]  # a resample is noisy twice
    parts, whole = _parts(grid)
    between = whole - doubled * (1 - 1 / math.prod(shape))
    corrected = {term: part - doubled * _freedom(shape, term) for term, part in parts.items()}
    higher = between - sum(corrected.values())
    # An estimate below 0 counts as 0; the others then give way, so that all together stay one whole.
    whole = noises + np.maximum(higher, 0) + sum(np.maximum(part, 0) for part in corrected.values())
    shares = {term: np.maximum(part, 0) / whole for term, part in corrected.items()}
    estimated = {term: float(share[0]) for term, share in shares.items()}
    resampled = {term: share[1:] for term, share in shares.items()}
    rest = noise / float(whole[0])
    return _result(design, estimated, resampled, rest, rest, exact=True)


def _noise(design: Design) -> float:
    """Pool the variance between seeds of one configuration."""
    several = [values for values in design.values if len(values) > 1]
    freedom = sum(len(values) - 1 for values in several)
    return sum(float(values.var() * len(values)) for values in several) / freedom


def _freedom(shape: Sequence[int], term: Term) -> float:
    """The share of the noise of means that falls on a term: its degrees of freedom by cells."""
    return math.prod(shape[knob] - 1 for knob in term) / math.prod(shape)


def _parts(grid: FloatArray) -> tuple[dict[Term, FloatArray], FloatArray]:
    """Split the variance of grids of means. Shapes: grid (grids, levels of knob 0, ...); parts (grids,)."""
    axes = tuple(range(1, grid.ndim))
    offsets = grid - grid.mean(axis=axes, keepdims=True)
    main = [offsets.mean(axis=tuple(axis for axis in axes if axis != knob), keepdims=True) for knob in axes]
    parts: dict[Term, FloatArray] = {(knob,): (at**2).mean(axis=axes) for knob, at in enumerate(main)}
    for one, other in combinations(range(len(main)), 2):
        both = offsets.mean(axis=tuple(axis for axis in axes if axis - 1 not in {one, other}), keepdims=True)
        parts[one, other] = ((both - main[one] - main[other]) ** 2).mean(axis=axes)
    return parts, (offsets**2).mean(axis=axes)


def _learned(design: Design) -> Importance:
    """Grow a forest, each tree on a resample of configurations and of their seeds."""
    rng = np.random.default_rng(0)
    count = len(design.values)
    found: list[dict[Term, float]] = []
    predictions, counts = [], []
    for _ in range(TREES):
        weights = np.bincount(rng.integers(0, count, count), minlength=count).astype(np.float64)
        tree = grow(design.knobs, _resampled_means(design, rng), weights, least=max(2, count // _LEAVES))
        whole, parts = variances(tree)
        found.append({term: part / whole if whole > 0 else 0.0 for term, part in parts.items()})
        predictions.append(predict(tree, design.knobs.codes))
        counts.append(weights)
    replicated = sum(len(values) > 1 for values in design.values)
    noise = min(_noise(design) / design.spread, 1.0) if replicated else None
    if noise is not None and replicated * 2 >= count:
        explained = 1 - noise
    else:
        explained = _foretold(design, out_of_sample(predictions, counts))
    shares = {term: explained * np.array([one[term] for one in found]) for term in found[0]}
    estimated = {term: float(share.mean()) for term, share in shares.items()}
    noise = None if noise is None else min(noise, 1 - explained)
    return _result(design, estimated, shares, 1 - explained, noise, exact=False)


def _resampled_means(design: Design, rng: np.random.Generator) -> FloatArray:
    """Average, for each configuration, as many of its values as it has, drawn with putting back."""
    values = np.concatenate(design.values)
    counts = np.array([len(one) for one in design.values])
    starts = np.cumsum(counts) - counts
    drawn = np.repeat(starts, counts) + (rng.random(len(values)) * np.repeat(counts, counts)).astype(np.int64)
    means: FloatArray = np.add.reduceat(values[drawn], starts) / counts
    return means


def _foretold(design: Design, predicted: FloatArray) -> float:
    """The share of the variance of single runs that trees foretell for configurations they have not seen."""
    seen = np.isfinite(predicted)
    errors = [
        float(np.square(values - guess).sum())
        for values, guess in zip(design.values, predicted, strict=True)
        if math.isfinite(guess)
    ]
    runs = sum(len(values) for values, one in zip(design.values, seen, strict=True) if one)
    explained = 1 - sum(errors) / runs / design.spread
    if not explained > 0:
        raise StatsError(
            f"{len(design.values)} configurations do not show which knobs matter: trees that learn from some"
            " of them foretell the others no better than their mean does; run more configurations or seeds"
        )
    return explained


def _result(
    design: Design,
    estimated: Mapping[Term, float],
    resampled: Mapping[Term, FloatArray],
    rest: float,
    noise: float | None,
    *,
    exact: bool,
) -> Importance:
    def share(term: Term) -> Share:
        low, high = np.clip(np.percentile(resampled[term], _PERCENTS), 0, 1).tolist()
        at = min(max(estimated[term], 0.0), 1.0)
        return Share(tuple(design.names[knob] for knob in term), at, min(low, at), max(high, at))

    shares = sorted((share(term) for term in estimated), key=lambda one: (-one.share, one.knobs))
    return Importance(
        knobs=tuple(one for one in shares if len(one.knobs) == 1),
        pairs=tuple(one for one in shares if len(one.knobs) == 2),
        higher=max(0.0, 1 - rest - sum(estimated.values())),
        rest=rest,
        noise=noise,
        exact=exact,
        configurations=len(design.values),
        runs=design.runs,
        diverged=design.diverged,
        ranked=design.diverged > 0,
        together=design.together,
    )
