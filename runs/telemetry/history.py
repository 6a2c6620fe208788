"""What has happened: attempts that ended, how long they took, and how long runs waited for their first."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client import Metric

from runs.models import Outcome
from runs.store.tallies import History, Spread
from runs.telemetry.families import Labels, counters, histogram


def families() -> Iterator[Metric]:
    """Ask the database, in three queries."""
    history = History()
    took = {str(outcome): history.took(outcome) for outcome in Outcome.values}
    ended = {outcome: spread.count for outcome, spread in took.items()}
    yield counters("nnlab_attempts_ended", "Attempts of workers that ended.", "outcome", ended)
    spreads: dict[Labels, Spread] = {(outcome,): spread for outcome, spread in took.items() if spread.count}
    yield histogram("nnlab_attempt_seconds", "How long attempts took.", ("outcome",), spreads)
    text = "How long runs waited between their submission and their first attempt."
    yield histogram("nnlab_start_wait_seconds", text, (), {(): history.waited()})
