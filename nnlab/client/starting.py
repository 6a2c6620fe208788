"""Starts runs, and ends those that the program leaves open."""

from __future__ import annotations

import atexit
import logging
import os
import sys
import uuid
from collections.abc import Mapping
from typing import Any

from nnlab.client import spool
from nnlab.client.backlog import Backlog
from nnlab.client.connection import Connection
from nnlab.client.delivery import Delivery
from nnlab.client.errors import ClientError
from nnlab.client.run import Run, open_runs
from nnlab.client.spool import Spool
from nnlab.client.values import plain

logger = logging.getLogger("nnlab.client")

DEFAULT_URL = "http://127.0.0.1:8000"
START_TIMEOUT = 5.0  # seconds that a start may wait for the server; it goes on without


def start(
    project: str = "",
    name: str = "",
    config: Mapping[str, Any] | None = None,
    *,
    headline: str | None = None,
    url: str | None = None,
    token: str | None = None,
    resume: int | None = None,
    resume_step: int | None = None,
) -> Run:
    """Start a run on the server, or continue one.

    Waits 5 seconds at most; where there is no answer the program goes on, and what it logs is sent later.

    Args:
        project: made if there is none of this name.
        name: of the run, for people.
        config: hyperparameters, nested as you like.
        headline: the metric that the runs table shows first.
        url: of the server; else NNLAB_URL, else this machine.
        token: of the API; else NNLAB_TOKEN.
        resume: the number of a run to continue; instead of project and name.
        resume_step: the last step that is kept of it; later points are removed.

    Raises:
        ClientError: if the arguments cannot describe a run. Whatever the server says is logged, not raised.
    """
    facts: dict[str, Any] = {"writer": uuid.uuid4().hex}
    if resume is None:
        facts["start"] = _start_body(project, name, config, headline, resume_step)
    else:
        facts |= {"id": _whole("resume", resume), "resume": _resume_body(resume_step)}
        name = name or f"run {resume}"
    url = url or os.environ.get("NNLAB_URL") or DEFAULT_URL
    connection = Connection(url, (token or os.environ.get("NNLAB_TOKEN") or "").strip())
    folder = _spool({**facts, "url": connection.url, "name": name})
    backlog = Backlog(folder)
    run = Run(name, backlog, Delivery(folder.meta if folder else facts, backlog, connection, folder))
    if resume is not None and config:
        run.update_config(config)
    run.await_start(START_TIMEOUT)
    return run


def _start_body(
    project: str, name: str, config: Mapping[str, Any] | None, headline: str | None, resume_step: int | None
) -> dict[str, Any]:
    _check_text("project", project)
    _check_text("name", name)
    if not isinstance(config, Mapping | None):
        raise ClientError(f"expected config to be a dictionary, got {type(config).__name__}")
    if resume_step is not None:
        raise ClientError("expected resume, a run's number, with resume_step")
    body = {"project": project, "name": name, "config": plain(config or {}), "client_id": str(uuid.uuid4())}
    return body if headline is None else {**body, "headline": str(headline)}


def _resume_body(step: int | None) -> dict[str, int]:
    return {} if step is None else {"step": _whole("resume_step", step)}


def _check_text(field: str, value: object) -> None:
    if not isinstance(value, str) or not value:
        raise ClientError(f"expected {field}, a text, for a new run, got {value!r}")


def _whole(field: str, value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise ClientError(f"expected {field} to be a whole number, got {value!r}")
    return value


def _spool(meta: dict[str, Any]) -> Spool | None:
    """Make the run's folder; without one the run waits in memory."""
    try:
        return Spool.made(spool.root(), meta)
    except OSError as error:
        logger.warning(
            "cannot make a folder for what waits to be sent, so it waits in memory: %s; set NNLAB_SPOOL",
            error,
        )
        return None


@atexit.register
def _end_open_runs() -> None:
    """End what the program left open, as failed where an exception that nobody caught ended it.

    An interpreter notes that exception before it prints it. One that is interactive notes every exception and
    goes on, so that there it says nothing about the end.
    """
    interactive = hasattr(sys, "ps1") or bool(sys.flags.interactive)
    error = None if interactive else getattr(sys, "last_value", None)
    for run in list(open_runs):
        run.end_by(error)


def _leave_open_runs() -> None:
    for run in list(open_runs):
        run.leave()
    open_runs.clear()


if hasattr(os, "register_at_fork"):  # where there are forks
    os.register_at_fork(after_in_child=_leave_open_runs)
