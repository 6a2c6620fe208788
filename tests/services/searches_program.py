"""What ``test_searching_at_once.py`` runs on each database: a search that many processes let go on, as JSON.

Run with DATABASE_URL set.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from typing import Any

import django

django.setup()  # before models are imported

from django.utils import timezone  # noqa: E402

from runs import lifecycle, submission  # noqa: E402
from runs.models import Run, Search, Status  # noqa: E402
from runs.searching import proposing  # noqa: E402
from tests.runs.submissions import build_submission  # noqa: E402
from tests.services.at_once_program import at_once  # noqa: E402

ASKERS = 4
SPACE = {"learning_rate": {"low": 1e-4, "high": 1.0, "log": True}}


def submitted() -> Search:
    """Submit a search of twenty trials."""
    search = {"method": "bayesian", "trials": 20, "space": SPACE, "goal": "val_loss"}
    return submission.submit(submission.parse(build_submission(search=search, seeds=2)), None).search


def end_all(search: Search) -> None:
    """Let all that waits end with a loss."""
    over: dict[str, Any] = {
        "status": Status.FINISHED,
        "started_at": timezone.now(),
        "ended_at": timezone.now(),
    }
    for run in Run.objects.filter(trial__search=search).not_over():
        Run.objects.filter(pk=run.pk).update(**over, summary={"val_loss": run.learning_rate})


def asked_at_once() -> dict[str, Any]:
    """Ask in several threads at once until the search is over; what it has come to."""
    search = submitted()
    while Search.objects.filter(pk=search.pk, closed_at=None).exists():
        end_all(search)
        at_once(ASKERS, lambda: proposing.go_on(search))
    runs = Counter(Run.objects.filter(trial__search=search).values_list("trial__number", flat=True))
    return {"trials": search.trials.count(), "runs": sorted(set(runs.values())), "numbers": sorted(runs)}


def cancelled_at_once() -> list[int]:
    """Cancel searches while they go on; the runs that are left with something before them."""
    return [_cancelled_at_once(submitted()) for _ in range(6)]


def _cancelled_at_once(search: Search) -> int:
    end_all(search)
    acts = [lambda: proposing.go_on(search), lambda: lifecycle.cancel_all(search.sweep.runs.all())]

    def act() -> None:
        acts.pop()()

    at_once(2, act)
    if not Search.objects.filter(pk=search.pk, closed_at=None).exists():
        proposing.go_on(search)
    return search.sweep.runs.not_over().filter(cancel_requested=False).count()


if __name__ == "__main__":
    sys.stdout.write(json.dumps({"asked": asked_at_once(), "left": cancelled_at_once()}))
