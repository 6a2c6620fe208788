"""What people do to runs that wait or train: the same words on pages, in the admin, API and command line."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from django.db.models import QuerySet

from runs import lifecycle, queue
from runs.models import Run, Status
from runs.models.runs import MAX_PRIORITY
from runs.retention import counted

STEER = "runs.stop_run"
SUBMIT = "runs.submit_sweep"
ENDS = ("first", "last")  # where runs can be put that are put before no other one
_MAX_DIGITS = 18  # what a database's big integer holds
MANY = 100  # runs that are not stopped without a question


@dataclass(frozen=True)
class Action:
    """A thing to do with runs.

    Args:
        right: what it needs. Who may stop anybody's run may as well let it wait.
        act: does it, to those runs to which it can be done; returns to how many.
        done: what became of one, and of several.
        refused: why it was done to none of them.
    """

    right: str
    act: Callable[[QuerySet[Run]], int]
    done: tuple[str, str]
    refused: str

    def told(self, runs: int, name: str = "") -> str:
        """Say what was done to so many runs, or to one of this name."""
        if not runs:
            return f"Nothing was changed: {self.refused}."
        return f"{name or counted(runs)} {self.done[runs != 1]}."


ACTIONS: Mapping[str, Action] = {
    "pause": Action(
        STEER,
        lifecycle.pause_all,
        (
            "is paused, or pauses as soon as its worker has saved how far it is",
            "are paused, or pause as soon as their workers have saved how far they are",
        ),
        "only runs that wait or train can be paused, and none that a program outside trains",
    ),
    "resume": Action(
        STEER,
        queue.resume,
        ("goes on from its old place in the queue", "go on from their old places in the queue"),
        "only paused runs can go on",
    ),
    "stop": Action(
        STEER,
        lifecycle.cancel_all,
        ("is being stopped", "are being stopped"),
        "what is already over stays as it is",
    ),
    "retry": Action(
        SUBMIT,
        queue.retry,
        ("waits again, at the end of the queue", "wait again, at the end of the queue"),
        "only runs that failed or were stopped can be tried again",
    ),
}


def move(runs: QuerySet[Run], target: str) -> int:
    """Put waiting runs elsewhere in their queue. Returns how many.

    Args:
        target: ``first``, ``last`` among those of their priority, or the number of a run to be put
            before; they take its priority then.

    Raises:
        ValueError: for anything else.
    """
    if target == "last":
        return lifecycle.move_all(runs)
    if target != "first":
        return lifecycle.move_all(runs, whole_number(target, "last, first or the number of a run"))
    waiting = runs.filter(status=Status.QUEUED)
    others = Run.objects.awaiting_worker().exclude(pk__in=waiting.values("pk"))
    front = others.filter(queue__in=waiting.values("queue")).values_list("pk", flat=True).first()
    return 0 if front is None else lifecycle.move_all(runs, front)


def prioritise(runs: QuerySet[Run], text: str) -> int:
    """Set the priority of runs that are not over. Returns how many.

    Raises:
        ValueError: for what is no priority.
    """
    return lifecycle.prioritise(
        runs, whole_number(text, f"a priority from -{MAX_PRIORITY} to {MAX_PRIORITY}")
    )


def whole_number(text: str, expected: str) -> int:
    """Read a whole number that somebody typed.

    Raises:
        ValueError: for what is none.
    """
    typed = text.strip().replace("−", "-")
    if (
        len(typed) > _MAX_DIGITS
        or not typed.removeprefix("-").isascii()
        or not typed.removeprefix("-").isdigit()
    ):
        raise ValueError(f"expected {expected}, got {text[:40]!r}")
    return int(typed)
