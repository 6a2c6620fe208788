"""Operations by which programs outside write their runs.

Bodies are read as they are, not through the framework's schemas: a thousand points shall cost a millisecond.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson
from django.http import HttpRequest, HttpResponse
from ninja import Router, Status
from ninja.errors import HttpError

from nnlab.series.batch import CLOCK, decode_batch, points_in, series_in
from runs.api import writing_schemas as schemas
from runs.api.access import require
from runs.api.answers import found, run_answer
from runs.api.batches import read_log, read_metrics
from runs.api.bodies import check_keys, read_body, read_json
from runs.api.listing import router as collection
from runs.api.schemas import ErrorsOut, Key, RunOut, Word
from runs.models import Level
from runs.models import Status as RunStatus
from runs.outside import beginning, ending, intake, saying
from runs.outside.intake import Batch, Receipt
from runs.store import writers
from runs.store.log import Line
from runs.store.numbers import MAX_SERIES

MAX_METRICS = 1_000
MAX_POINTS = 1_000_000
MAX_JSON = 2**20  # bytes
MAX_COLUMNS = 8 * 2**20
MAX_THINNED = 62  # of 64 bits of steps
MAX_ERROR = 10_000  # characters
MAX_LINES = 100  # of a log, in one request
_MAX_INT64 = 2**63 - 1
_ENDS = (RunStatus.FINISHED, RunStatus.FAILED, RunStatus.CANCELLED)

router = Router()


# In the router of the listing, because an address belongs to one router.
@collection.post(
    "/runs",
    response={200: RunOut, 201: RunOut, 422: ErrorsOut},
    summary="Begin a run that a program outside trains",
    openapi_extra=schemas.json_body(schemas.BeginIn),
)
def begin_run(request: HttpRequest) -> Status[Any]:
    """Begin a run; a ``client_id`` that is known gives the run that it began, if that is yours and kept."""
    user = require(request, "runs.submit_sweep")
    wanted = beginning.parse(read_json(read_body(request, MAX_JSON)))
    run, is_new = beginning.begin(wanted, user)
    return Status(201 if is_new else 200, run_answer(run))


@router.post(
    "/runs/{run_id}/log",
    response=schemas.ReceiptOut,
    summary="Log points as JSON",
    openapi_extra=schemas.json_body(schemas.LogIn),
)
def log(request: HttpRequest, run_id: Key) -> HttpResponse:
    """Store at most 1,000 points. Tags of MLflow's clients are left out; its parameters join the run's."""
    require(request, "runs.submit_sweep")
    body = read_body(request, MAX_JSON)
    table = read_log(body)
    _check_run(table.get("run_id"), run_id)
    items = _list(table, "metrics")
    if len(items) > MAX_METRICS:
        raise HttpError(
            413, f"expected at most {MAX_METRICS:,} metrics, got {len(items):,}; send them in parts"
        )
    writer, number = _numbered(table.get("writer"), table.get("batch"))
    points, clock = read_metrics(items)
    parameters = _parameters(_list(table, "params"))
    return _receipt(intake.accept(run_id, Batch(body, points, clock, writer, number, parameters=parameters)))


@router.post(
    "/runs/{run_id}/columns",
    response=schemas.ReceiptOut,
    summary="Log points as a binary batch",
    openapi_extra=schemas.BINARY_BODY,
)
def columns(
    request: HttpRequest,
    run_id: Key,
    writer: Word | None = None,
    batch: int | None = None,
    thinned: int = 0,
    run: Key | None = None,
) -> HttpResponse:
    """Store at most 1,000,000 points, in the format of the module ``nnlab.series.batch``.

    The series ``_t`` is the run's clock: the time of each step in milliseconds since 1970.
    ``thinned=k`` says that the writer kept one step in 2^k; ``run`` guards against a batch of another run.
    """
    require(request, "runs.submit_sweep")
    _check_run(run, run_id)
    name, number = _numbered(writer, batch)
    if not 0 <= thinned <= MAX_THINNED:
        raise HttpError(422, f"expected thinned from 0 to {MAX_THINNED}, got {thinned}")
    body = read_body(request, MAX_COLUMNS)
    _check_size(body)
    points = {key: found for key, found in decode_batch(body).items() if len(found[0])}
    clock = points.pop(CLOCK, None)
    if any(metric == CLOCK[0] for metric, _ in points):
        raise HttpError(422, f"expected the clock {CLOCK[0]!r} for the whole run, got it for a layer")
    return _receipt(intake.accept(run_id, Batch(body, points, clock, name, number, thinned)))


@router.post("/runs/{run_id}/beat", response=schemas.BeatOut, summary="Say that the program lives")
def beat(request: HttpRequest, run_id: Key) -> dict[str, bool]:
    """Prolong the run by five minutes, after which a silent run is taken for lost."""
    require(request, "runs.submit_sweep")
    return {"stop": intake.beat(run_id)}


@router.post(
    "/runs/{run_id}/log-lines",
    response=schemas.BeatOut,
    summary="Say something in the run's log",
    openapi_extra=schemas.json_body(schemas.LinesIn),
)
def log_lines(request: HttpRequest, run_id: Key) -> dict[str, bool]:
    """Add at most 100 lines; the run keeps its last 2,000. A request that is repeated adds them again."""
    require(request, "runs.submit_sweep")
    table = read_json(read_body(request, MAX_JSON))
    check_keys(table, {"lines"})
    items = _list(table, "lines")
    if not 1 <= len(items) <= MAX_LINES:
        raise HttpError(422, f"expected 1 to {MAX_LINES} lines, got {len(items)}")
    return {"stop": saying.say(run_id, [_line(place, item) for place, item in enumerate(items)])}


@router.post(
    "/runs/{run_id}/config",
    response={200: RunOut, 422: ErrorsOut},
    summary="Add parameters",
    openapi_extra=schemas.json_body(schemas.ConfigIn),
)
def configure(request: HttpRequest, run_id: Key) -> dict[str, Any]:
    """Add parameters to the run's configuration; tables are merged, and new values replace old ones."""
    require(request, "runs.submit_sweep")
    beginning.configure(run_id, read_json(read_body(request, MAX_JSON)))
    return run_answer(found(run_id))


@router.post(
    "/runs/{run_id}/end", response=RunOut, summary="End a run", openapi_extra=schemas.json_body(schemas.EndIn)
)
def end_run(request: HttpRequest, run_id: Key) -> dict[str, Any]:
    """Say how a run ended."""
    require(request, "runs.submit_sweep")
    table = read_json(read_body(request, MAX_JSON))
    check_keys(table, {"status", "error"})
    status, error = table.get("status"), table.get("error") or ""
    if status not in _ENDS:
        raise HttpError(422, f"expected status {', '.join(_ENDS)}, got {str(status)[:40]!r}")
    if not isinstance(error, str):
        raise HttpError(422, f"expected error, a text, got {type(error).__name__}")
    ending.end(run_id, RunStatus(status), error.replace("\x00", "")[:MAX_ERROR])
    return run_answer(found(run_id))


@router.post(
    "/runs/{run_id}/resume",
    response=RunOut,
    summary="Go on with a run",
    openapi_extra=schemas.json_body(schemas.ResumeIn),
)
def resume_run(request: HttpRequest, run_id: Key) -> dict[str, Any]:
    """Let a run go on, over or not; with ``step`` its points after that step are removed."""
    require(request, "runs.submit_sweep")
    table = read_json(read_body(request, MAX_JSON))
    check_keys(table, {"step"})
    step = table.get("step")
    if step is not None and not _is_whole(step, -(2**63)):
        raise HttpError(422, f"expected step, a whole number of 64 bits, got {str(step)[:40]!r}")
    ending.resume(run_id, step)
    return run_answer(found(run_id))


def _numbered(writer: Any, batch: Any) -> tuple[str, int | None]:
    """Read what makes a batch known when it comes again; both or neither."""
    if writer is None and batch is None:
        return "", None
    if not isinstance(writer, str) or not writers.is_name(writer):
        raise HttpError(
            422,
            f"expected writer, a text of 1 to 36 printable characters, with batch; got {str(writer)[:40]!r}",
        )
    if not _is_whole(batch, 0):
        raise HttpError(422, f"expected batch, a whole number from 0, with writer; got {str(batch)[:40]!r}")
    return writer, int(batch)


def _check_run(named: Any, run_id: int) -> None:
    """Refuse a batch that names another run; what MLflow's clients call a run is no number."""
    if isinstance(named, str) and named.isdecimal() and len(named) < 19:
        named = int(named)
    if isinstance(named, int) and named != run_id:
        raise HttpError(422, f"expected a batch of run {run_id}, got one of run {named}")


def _list(table: Mapping[str, Any], field: str) -> list[Any]:
    value = table.get(field)
    if value is not None and not isinstance(value, list):
        raise HttpError(422, f"expected {field}, a list, got {type(value).__name__}")
    return value or []


def _line(place: int, item: Any) -> Line:
    text = item.get("text") if isinstance(item, dict) else None
    if not isinstance(text, str) or not text.strip():
        raise HttpError(422, f"lines[{place}]: expected a table with text")
    check_keys(item, {"text", "level", "step"})
    level, step = item.get("level", "info"), item.get("step")
    if level not in Level.values:
        raise HttpError(422, f"lines[{place}]: expected level {', '.join(Level)}, got {str(level)[:40]!r}")
    if step is not None and not _is_whole(step, 0):
        raise HttpError(422, f"lines[{place}]: expected step, a whole number from 0, got {str(step)[:40]!r}")
    return Line(text, Level(level), step)


def _parameters(items: list[Any]) -> dict[str, Any]:
    for position, item in enumerate(items):
        if not isinstance(item, dict) or not isinstance(item.get("key"), str) or "value" not in item:
            raise HttpError(422, f"params[{position}]: expected a table with key, a text, and value")
    return {item["key"]: item["value"] for item in items}


def _is_whole(value: Any, low: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and low <= value <= _MAX_INT64


def _check_size(batch: bytes) -> None:
    """Refuse a batch that says it holds too much, before it is read."""
    if points_in(batch) > MAX_POINTS:
        raise HttpError(
            413, f"expected at most {MAX_POINTS:,} points, got {points_in(batch):,}; send them in parts"
        )
    if series_in(batch) > MAX_SERIES + 1:
        raise HttpError(
            422,
            f"expected at most {MAX_SERIES:,} series and a clock in a batch, got {series_in(batch):,}; "
            "a run takes no more",
        )


def _receipt(receipt: Receipt) -> HttpResponse:
    return HttpResponse(orjson.dumps(receipt._asdict()), content_type="application/json")
