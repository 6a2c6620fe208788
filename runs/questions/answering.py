"""A question as pages and the API show it: how far it is, what is known, and what may make that wrong."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from runs.models import Question
from runs.questions.caveats import caveats
from runs.questions.outcomes import CellOutcome, outcomes, outcomes_of
from runs.questions.verdicts import Terms, Verdict, judge


class Stage(StrEnum):
    """Where a question stands."""

    TUNING = "tuning"
    ANSWERING = "answering"
    ANSWERED = "answered"
    ENDED = "ended without an answer"


@dataclass(frozen=True)
class Answer:
    """A question at this moment.

    Args:
        verdict: None before the last run has ended: nobody shall stop at a result that they like.
        tuning: runs that tune, those that are over and all of them.
        answering: likewise.
    """

    question: Question
    stage: Stage
    terms: Terms
    cells: Sequence[CellOutcome]
    verdict: Verdict | None
    caveats: Sequence[str]
    tuning: tuple[int, int]
    answering: tuple[int, int]

    @property
    def is_over(self) -> bool:
        """Whether nothing more happens by itself."""
        return self.stage in {Stage.ANSWERED, Stage.ENDED}

    @property
    def is_confounded(self) -> bool:
        """Whether networks may differ for another reason than what was asked about."""
        return self.at_edge or self.terms.rates == 1 or not self.terms.budget.is_equal

    @property
    def at_edge(self) -> bool:
        """Whether rates beyond those that were tried are worth a try."""
        is_tuned = self.stage is not Stage.TUNING and self.terms.rates > 1
        return is_tuned and any(one.tuned.is_at_edge for one in self.cells)


def answer(question: Question) -> Answer:
    """Read what a question has come to, in one query."""
    return _answer(question, outcomes(question))


def answers(questions: Sequence[Question]) -> list[Answer]:
    """Read what several questions have come to, in one query."""
    found = outcomes_of(questions)
    return [_answer(question, found[question.pk]) for question in questions]


def _answer(question: Question, cells: Sequence[CellOutcome]) -> Answer:
    terms = Terms.of(question.specification, question.metric)
    tuning = [shown for one in cells for shown in one.tuned.rates.values()]
    answering = [one.answer for one in cells]
    stage = _stage(question, sum(shown.waiting for shown in answering))
    is_over = stage is Stage.ANSWERED
    asked = len(question.specification["seeds"]) * sum(one.tuned.best is not None for one in cells)
    return Answer(
        question,
        stage,
        terms,
        cells,
        judge(cells, terms) if is_over else None,
        caveats(cells, terms) if is_over else [],
        (sum(shown.runs - shown.waiting for shown in tuning), sum(shown.runs for shown in tuning)),
        (sum(shown.runs - shown.waiting for shown in answering), asked),
    )


def _stage(question: Question, waiting: int) -> Stage:
    if question.confirmation_id is None:
        return Stage.TUNING if question.closed_at is None else Stage.ENDED
    return Stage.ANSWERING if waiting else Stage.ANSWERED
