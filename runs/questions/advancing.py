"""From tuning to the answer, as runs end.

It may be called by many processes at once, and be cut off anywhere: the rates are chosen from the rows alone,
and the second sweep is stored in the transaction that closes the question. The scheduler calls it at every
look, and a worker when it has trained its runs.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping, Sequence

from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet
from django.db.models.functions import Now

from runs import submission
from runs.models import ACTIVE, Question, Run
from runs.questions.asking import planned
from runs.questions.outcomes import NOTHING, CellOutcome, outcomes
from runs.questions.reading import read
from runs.store.outage import each_apart
from runs.submitted.specification import Specification, SubmissionError
from runs.submitted.values import Faults

logger = logging.getLogger(__name__)

_FEWEST = 2  # cells, to compare anything


def answer_all() -> int:
    """Let every question go on whose tuning is over. Returns how many did."""
    return each_apart(go_on, _due())


def answer_for(run_ids: Collection[int]) -> int:
    """Let the questions that these runs tuned for go on. Returns how many did."""
    sweeps = Run.objects.filter(pk__in=run_ids).values("sweep")
    return each_apart(go_on, _due().filter(tuning__in=sweeps))


def go_on(question: Question) -> bool:
    """Start the second sweep of a question whose tuning is over, unless somebody else did."""
    found = outcomes(question)
    if why := _why_not(found):
        close(question, why)
        return False
    try:
        return _start(question, _parts(question, found))
    except SubmissionError as error:
        if "project" in error.errors:  # as many runs wait as may; later there will be room
            logger.info("question %s waits: %s", question.pk, error)
        else:
            close(question, f"What was asked can no longer be trained: {error}")
        return False


def close(question: Question, why: str) -> bool:
    """Let a question start no more runs; whether it was open."""
    closed = Question.objects.filter(pk=question.pk, closed_at=None).update(closed_at=Now(), error=why)
    if closed:
        logger.info("question %s ends: %s", question.pk, why)
    return bool(closed)


def reopen(question: Question) -> bool:
    """Let a question go on that was closed without a second sweep; whether it was."""
    closed = Question.objects.filter(pk=question.pk, confirmation=None, closed_at__isnull=False)
    return bool(closed.update(closed_at=None, error=""))


def _why_not(found: Sequence[CellOutcome]) -> str:
    """Say why there is no fair comparison: every rate has to have been tried on every cell."""
    asked = sorted({rate for one in found for rate in one.tuned.rates})
    for one in found:
        for rate in asked:
            if not one.tuned.rates.get(rate, NOTHING).values:
                return (
                    f"Tuning was cut short: the rate {rate:g} has no result for {one.cell.label}. Retry"
                    " the runs that failed or were stopped, and let the question go on."
                )
    if sum(one.tuned.best is not None for one in found) < _FEWEST:
        return "Every learning rate diverged: ask again with smaller ones."
    return "" if asked else "The runs that tuned were deleted."


def _due() -> QuerySet[Question]:
    """Return the open questions of which no run that tunes has anything before it."""
    tuning = Run.objects.filter(sweep=OuterRef("tuning"), status__in=ACTIVE)
    found = Question.objects.filter(~Exists(tuning), closed_at=None)
    return found.select_related("project", "created_by").order_by("pk")


def _parts(question: Question, found: Sequence[CellOutcome]) -> dict[str, Specification]:
    """Plan the second sweep, without cells of which every run diverged."""
    faults = Faults()
    # The slug is a name of the same project, whatever it is called by now.
    asked = read({**question.specification, "project": question.project.slug}, faults)
    if asked is None:
        raise SubmissionError({"question": [text for texts in faults.found.values() for text in texts]})
    return {
        one.cell.label: planned(asked, one.cell, "seeds", [one.tuned.best])
        for one in found
        if one.tuned.best is not None
    }


def _start(question: Question, parts: Mapping[str, Specification]) -> bool:
    """Close the question and store its second sweep, or neither."""
    with transaction.atomic():
        if not Question.objects.filter(pk=question.pk, closed_at=None).update(closed_at=Now()):
            return False
        # A run that was put back into the queue meanwhile may change which rate is best.
        if Run.objects.filter(sweep=question.tuning_id, status__in=ACTIVE).exists():
            transaction.set_rollback(True)
            return False
        sweep = submission.submit_together(parts, question.created_by)
        Question.objects.filter(pk=question.pk).update(confirmation=sweep)
    logger.info("question %s: sweep %s answers it", question.pk, sweep.pk)
    return True
