"""What programs outside send and hear; for the API's document, since bodies are read without a schema."""

from __future__ import annotations

from typing import Any

from ninja import Schema


class BeginIn(Schema):
    """A run to begin."""

    project: str
    name: str
    config: dict[str, Any] = {}
    headline: str = ""
    client_id: str | None = None


class MetricIn(Schema):
    """A point; a value that is not finite is null (NaN) or the text NaN, Infinity or -Infinity."""

    key: str
    value: float | str | None
    step: int = 0
    timestamp: float | None = None
    layer: int | None = None


class LogIn(Schema):
    """Points of one run, at most 1,000; a body of MLflow's log-batch is one, too.

    Batches of a writer are numbered upward from 0. A number at or below the last is a repeat, which is
    answered and ignored; so is, within ten minutes, a body without writer and batch that came before.
    """

    writer: str | None = None
    batch: int | None = None
    metrics: list[MetricIn] = []
    params: list[dict[str, Any]] = []


class ReceiptOut(Schema):
    """What became of a batch; ``stop`` is true where the run's owner wants the program to end."""

    accepted: int
    repeated: bool
    stop: bool


class BeatOut(Schema):
    """Whether the run's owner wants the program to end."""

    stop: bool


class LineIn(Schema):
    """A line of a log; its level is info, warning or error."""

    text: str
    level: str = "info"
    step: int | None = None


class LinesIn(Schema):
    """Lines to add to a run's log, at most 100."""

    lines: list[LineIn]


class ConfigIn(Schema):
    """Parameters to add, flat or nested."""


class EndIn(Schema):
    """How a run ended: finished, failed or cancelled; and why it failed."""

    status: str
    error: str = ""


class ResumeIn(Schema):
    """The last step that stays; points after it are removed. Without it all stay."""

    step: int | None = None


def json_body(schema: type[Schema]) -> dict[str, Any]:
    """Describe a JSON body in the API's document."""
    return {"requestBody": {"content": {"application/json": {"schema": schema.model_json_schema()}}}}


BINARY_BODY = {
    "requestBody": {
        "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}
    }
}
