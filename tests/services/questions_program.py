"""What ``test_questions_at_once.py`` runs on each database: questions that many let go on at once, as JSON.

Run with DATABASE_URL set.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import Any

import django

django.setup()  # before models are imported

from runs import queue  # noqa: E402
from runs.models import Question, Run, Sweep  # noqa: E402
from runs.questions import advancing  # noqa: E402
from tests.runs.questions import best_at, build_question, end  # noqa: E402
from tests.services.at_once_program import at_once  # noqa: E402

ASKERS, ROUNDS = 4, 5


def answered_at_once() -> dict[str, Any]:
    """Let several go on with the same questions at once; how many sweeps and runs there are for each."""
    went_on: list[int] = []
    for _ in range(ROUNDS):
        question = build_question()
        for run in question.tuning.runs.all():
            end(run, best_at(0.01)(run))
        at_once(ASKERS, lambda: went_on.append(advancing.answer_all()))
    answers = [question.confirmation for question in Question.objects.all()]
    return {
        "went_on": sum(went_on),
        "sweeps": Sweep.objects.count(),
        "runs": [sweep.runs.count() if sweep else 0 for sweep in answers],
    }


def retried_at_once() -> list[bool]:
    """Put a run that tuned back into the queue while a question goes on; whether it began to answer."""
    return [_began_though_retried(build_question()) for _ in range(ROUNDS)]


def _began_though_retried(question: Question) -> bool:
    runs = Run.objects.filter(sweep=question.tuning_id)
    for run in runs:
        end(run, 0.5)
    runs.filter(pk=min(run.pk for run in runs)).update(status="failed", summary={})
    acts: list[Callable[[], object]] = [advancing.answer_all, lambda: queue.retry(runs)]

    def act() -> None:
        acts.pop()()

    at_once(2, act)
    question.refresh_from_db()
    return question.confirmation is not None


if __name__ == "__main__":
    sys.stdout.write(json.dumps({"answered": answered_at_once(), "retried": retried_at_once()}))
