"""What a question's runs allow to be said: one sentence with its uncertainty."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from math import comb, prod
from typing import Any

from nnlab.stats.comparisons import Compared, all_pairs
from nnlab.stats.equivalence import Equivalence, equivalences
from runs.questions.cells import FACTORS, Budget
from runs.questions.outcomes import CellOutcome
from runs.questions.reading import DEFAULT_MARGINS
from runs.questions.words import difference_words, frame, joined, listed, score_words, unit_words
from runs.reading.metrics import higher_is_better


class Kind(StrEnum):
    """What became of a question."""

    CLEAR = "clear"
    PARTLY = "partly clear"
    NONE = "no difference found"
    EQUIVALENT = "equally good"
    UNKNOWN = "no verdict"


@dataclass(frozen=True)
class Terms:
    """What was asked, as far as it bears on the answer.

    Args:
        varied: the factors with several levels.
        rates: how many learning rates were tried on every cell.
        margin: the smallest difference that matters; None where nobody said.
        pairs: of networks, all of them compared.
    """

    budget: Budget
    metric: str
    varied: Sequence[str]
    rates: int
    tuning_seeds: int
    margin: float | None
    pairs: int

    @classmethod
    def of(cls, specification: Mapping[str, Any], metric: str) -> Terms:
        """Read them from a stored question."""
        kind, value = next(iter(specification["budget"].items()))
        return cls(
            Budget(kind, value),
            metric,
            [factor for factor in FACTORS if len(specification[factor]) > 1],
            len(specification["learning_rates"]),
            len(specification["tuning_seeds"]),
            specification.get("margin", DEFAULT_MARGINS.get(metric)),
            comb(prod(len(specification[factor]) for factor in FACTORS), 2),
        )


@dataclass(frozen=True)
class Pair:
    """Two cells against each other; ``compared.difference`` is of the second to the first.

    Args:
        equal: whether they are equally good within the margin; None where there is none, or no interval.
    """

    compared: Compared
    equal: Equivalence | None

    @property
    def verdict(self) -> str:
        """Say in a word what is known."""
        if self.compared.difference is None:
            return "no result"
        if self.compared.p_value is None:
            return "too few seeds"
        if self.compared.found:
            return "differ"
        if self.equal and self.equal.shown:
            return "equally good"
        return "not clear after correction" if self.compared.difference.found else "no difference found"


@dataclass(frozen=True)
class Verdict:
    """The answer.

    Args:
        best: label of the cell with the best mean; empty where there is none.
        pairs: all of them, their p values, and those of being equal, corrected after Holm for their number.
    """

    kind: Kind
    sentence: str
    best: str
    pairs: Sequence[Pair]


def judge(cells: Sequence[CellOutcome], terms: Terms) -> Verdict:
    """Compare all cells in pairs, and say what holds of the best one."""
    compared = all_pairs({one.cell.label: one.answer.values for one in cells})
    differences = [one.difference for one in compared]
    same = equivalences(differences, terms.margin) if terms.margin is not None else [None] * len(compared)
    pairs = [Pair(one, equal) for one, equal in zip(compared, same, strict=True)]
    known = [one for one in cells if one.answer.mean is not None]
    if len(known) < 2:
        has = f"only {known[0].cell.label} has one" if known else "none has one"
        return Verdict(Kind.UNKNOWN, f"No verdict: of {len(cells)} networks {has}.", "", pairs)
    sign = 1.0 if higher_is_better(terms.metric) else -1.0
    best = max(known, key=lambda one: sign * (one.answer.mean or 0.0))
    rivals = _Rivals.of(best, pairs)
    kind = _kind(rivals, [pair for pair in pairs if pair.compared.difference is not None])
    lost = [one.cell.label for one in cells if one.answer.mean is None]
    parts = [*_claims(kind, best, rivals, terms), *_lost(lost), _effort(known, terms), *_doubts(cells, terms)]
    sentence = f"{frame(terms.budget, [one.cell for one in cells])}, {'; '.join(parts)}."
    return Verdict(kind, sentence, best.cell.label, pairs)


@dataclass(frozen=True)
class _Rivals:
    """The other cells: those that are worse than the best, equally good, and not told apart from it."""

    worse: Sequence[tuple[str, Compared]]
    equal: Sequence[tuple[str, Compared]]
    open: Sequence[tuple[str, Compared]]

    @classmethod
    def of(cls, best: CellOutcome, pairs: Sequence[Pair]) -> _Rivals:
        found: dict[str, list[tuple[str, Compared]]] = {"worse": [], "equal": [], "open": []}
        for pair in pairs:
            ends = (str(pair.compared.before), str(pair.compared.after))
            if best.cell.label not in ends or pair.compared.difference is None:
                continue
            other = ends[ends[0] == best.cell.label]
            is_equal = pair.equal is not None and pair.equal.shown
            group = "worse" if pair.compared.found else ("equal" if is_equal else "open")
            found[group].append((other, pair.compared))
        return cls(**found)

    @property
    def all(self) -> list[tuple[str, Compared]]:
        return [*self.worse, *self.equal, *self.open]


def _kind(rivals: _Rivals, pairs: Sequence[Pair]) -> Kind:
    if all(pair.equal is not None and pair.equal.shown for pair in pairs):
        return Kind.EQUIVALENT
    if not rivals.worse:
        return Kind.NONE
    return Kind.PARTLY if rivals.equal or rivals.open else Kind.CLEAR


def _claims(kind: Kind, best: CellOutcome, rivals: _Rivals, terms: Terms) -> list[str]:
    lead = score_words(best, terms.metric)
    margin = f"within ±{unit_words(terms.margin or 0.0, terms.metric)}"

    def told(some: Sequence[tuple[str, Compared]]) -> str:
        return listed(difference_words(other, one, terms.metric) for other, one in some)

    if kind is Kind.EQUIVALENT:
        return [f"the networks are equally good {margin}: {lead}, {told(rivals.all)}"]
    if kind is Kind.NONE:
        claims = [f"{_nothing_found(rivals, terms)}: {lead}, {told(rivals.open or rivals.all)}"]
    else:
        claims = [lead, f"{_moral(best, rivals, terms)}: {told(rivals.worse)}"]
    if rivals.equal and (rivals.worse or rivals.open):
        claims.append(f"equally good {margin}: {told(rivals.equal)}")
    if rivals.open and kind is not Kind.NONE:
        after = " after correction" if any(_looks_found(one) for _, one in rivals.open) else ""
        claims.append(f"not told apart from it{after}: {told(rivals.open)}")
    return claims


def _nothing_found(rivals: _Rivals, terms: Terms) -> str:
    """Say so; an interval that excludes 0 needs a word why it does not count."""
    if not any(_looks_found(one) for _, one in rivals.open):
        return "no difference was found"
    return f"no difference is clear after correction for {terms.pairs} comparisons"


def _looks_found(compared: Compared) -> bool:
    return compared.difference is not None and compared.difference.found


def _moral(best: CellOutcome, rivals: _Rivals, terms: Terms) -> str:
    """Say what the differences mean for depth; of anything else, only that it is worse."""
    if list(terms.varied) == ["depth"]:
        worse = [int(label.split()[0]) for label, _ in rivals.worse]
        if all(depth > best.cell.depth for depth in worse):
            return "deeper is not better"
        if all(depth < best.cell.depth for depth in worse):
            return "deeper is better"
    if rivals.equal or rivals.open:
        return "worse are" if len(rivals.worse) > 1 else "worse is"
    return "the others are worse" if len(rivals.worse) > 1 else "the other is worse"


def _lost(labels: Sequence[str]) -> list[str]:
    return [f"{joined(labels)} never reached a finite result"] if labels else []


def _effort(known: Sequence[CellOutcome], terms: Terms) -> str:
    seeds = sorted({len(one.answer.finite) for one in known})
    span = f"{seeds[0]} to {seeds[-1]}" if len(seeds) > 1 else f"{seeds[0]}"
    tuned = f"tuned over {terms.rates} values per network" if terms.rates > 1 else "not tuned"
    return f"{span} seeds, learning rate {tuned}"


def _doubts(cells: Sequence[CellOutcome], terms: Terms) -> list[str]:
    """Say in the sentence itself what may make it wrong."""
    edge = [one.cell.label for one in cells if one.tuned.is_at_edge]
    if edge:
        where = f"the best learning rate of {joined(edge)} is at the edge of what was tried"
        return [f"this may be confounded, because {where}"]
    return ["this may be confounded by that"] if terms.rates == 1 else []
