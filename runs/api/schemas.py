"""What the API takes and answers."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from ninja import Schema
from pydantic import Field

# What a database can compare: a big integer, and text without NUL.
Key = Annotated[int, Field(ge=1, le=2**63 - 1)]
Word = Annotated[str, Field(pattern=r"^[^\x00]*$")]


class SweepIn(Schema):
    """A submission, as in a sweep file; see the README for its keys.

    For the API's document only: a body is checked whole, so that a misspelt key is refused, not dropped.
    """

    project: Any = None
    name: Any = None
    data: Any = {}
    training: Any = {}
    grid: Any = {}
    search: Any = {}
    seeds: Any = 1
    job: Any = {}


class TrialOut(Schema):
    """A trial of a search; ``value`` is the mean over its seeds, null where it is not finite."""

    number: int
    point: dict[str, Any]
    state: str
    value: float | None
    steps: int
    runs: list[int]


class RungOut(Schema):
    """A rung of successive halving, 1 the first."""

    level: int
    arrived: int
    went_on: int
    best: float | None


class SearchOut(Schema):
    """How a search stands: ``over`` of ``wanted`` trials have ended; ``best`` is null before the first."""

    method: str
    metric: str
    wanted: int
    made: int
    over: int
    stopped: int
    failed: int
    is_open: bool
    steps: int
    why_ended: str
    best: TrialOut | None
    rungs: list[RungOut]


class SweepOut(Schema):
    """A stored sweep; ``search`` is null where every combination of a grid is trained."""

    id: int
    project: str
    name: str
    runs: list[int]
    search: SearchOut | None = None


class ErrorsOut(Schema):
    """What is wrong with a submission, by field."""

    errors: dict[str, list[str]]


class RunOut(Schema):
    """A run and where it stands."""

    id: int
    name: str
    project: str
    sweep: int
    source: str
    status: str
    queue: str
    priority: int
    time_limit: int | None
    memory_limit_mb: int | None
    stop_reason: str
    error: str
    attempt: int
    tier: str
    isa: str
    probe_share: float | None
    steps_run: int
    steps_requested: int | None
    headline: str
    score: float | None
    summary: dict[str, Any]
    config: dict[str, Any]
    started_at: datetime | None
    ended_at: datetime | None
    archived_at: datetime | None
    tags: list[str]


class SeriesOut(Schema):
    """Points of one series; values that are not finite are spelled as text."""

    metric: str
    layer: int | None
    steps: list[int]
    values: list[float | str]


class AlertOut(Schema):
    """An alert of a run; ``state`` is the check's word, acknowledged and muted are people's."""

    id: int
    run: int
    project: str
    check: str
    state: str
    severity: str
    first_step: int
    opened_step: int
    last_step: int
    resolved_step: int | None
    at_end: bool
    count: int
    reopened: int
    value: float | None
    worst_value: float | None
    threshold: float | None
    layers: list[str]
    title: str
    cause: str
    advice: list[dict[str, Any]]
    evidence: dict[str, Any]
    thresholds_hash: str
    created_at: datetime
    acknowledged_at: datetime | None
    is_muted: bool
    muted_at: datetime | None
    muted_until: datetime | None
    mute_reason: str
