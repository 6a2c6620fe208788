"""Questions for tests: a good one, and runs that end as a test needs it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.utils import timezone

from runs.models import Question, Run, Status
from runs.questions import advancing, asking

RATES = [0.001, 0.01, 0.1]
DEPTHS = [1, 2]


def build_asked(**changes: Any) -> dict[str, Any]:
    """Describe a good question; tables among the changes are laid over its tables."""
    good: dict[str, Any] = {
        "project": "Digits",
        "name": "Is deeper better?",
        "data": {"dataset": "digits"},
        "training": {"steps": 5},
        "depth": DEPTHS,
        "budget": {"parameters": 2035},
        "learning_rates": RATES,
        "tuning_seeds": 1,
        "seeds": 3,
    }
    return {key: value for key, value in {**good, **changes}.items() if value is not None}


def build_question(**changes: Any) -> Question:
    """Ask a question; its runs wait."""
    return asking.ask(asking.parse(build_asked(**changes)), None)


def end(run: Run, value: float | str | None, *, loss: float = 0.1, metric: str = "val_accuracy") -> None:
    """Let a run end with a final value; None for one that diverged."""
    columns: dict[str, Any] = {
        "status": Status.FINISHED,
        "stop_reason": "diverged" if value is None else "end",
        "started_at": timezone.now(),
        "ended_at": timezone.now(),
        "summary": {metric: "NaN" if value is None else value, "val_loss": loss},
        "headline": metric,
        "score": value if isinstance(value, float) else None,
        "steps_run": 5,
    }
    Run.objects.filter(pk=run.pk).update(**columns)


def best_at(rate: float) -> Callable[[Run], float]:
    """Make a value that is best at a learning rate."""
    return lambda run: 0.9 if run.learning_rate == rate else 0.5


def tune(question: Question, value: Callable[[Run], float | None] | None = None) -> None:
    """End the runs that tune, best at 0.01 unless told otherwise, and let the question go on."""
    value = value or best_at(0.01)
    for run in question.tuning.runs.all():
        end(run, value(run))
    advancing.answer_all()
    question.refresh_from_db()


def answer(question: Question, value: Callable[[Run], float | None]) -> None:
    """End the runs that answer."""
    assert question.confirmation is not None
    for run in question.confirmation.runs.all():
        end(run, value(run))
