"""Logs: lines for people, or a JSON object a line for machines; never a secret in either.

The product logs with the standard library's loggers. What a line is about (a request, a task and its runs)
is bound once, and stands in every line that is written meanwhile, Django's and Celery's included.
"""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Callable, Iterable
from typing import Any, TypeAlias
from urllib.parse import quote, unquote, urlsplit

from structlog import contextvars, dev, processors, stdlib
from structlog.typing import EventDict, Processor, WrappedLogger

FORMATS = ("lines", "json")
EXTRA = ("method", "path", "status", "duration_ms")  # what a record may bring along beside its message
SHORTEST_SECRET = 8  # a shorter one would black out ordinary words
REMOVED = "[removed]"

bound = contextvars.bound_contextvars
bind = contextvars.bind_contextvars
forget = contextvars.clear_contextvars

Redact: TypeAlias = Callable[[WrappedLogger, str, str], str]

# What is a secret by its form alone, whoever it belongs to.
_FORMS = (
    (re.compile(r"\bnnlab_[\w-]{20,}"), REMOVED),  # tokens of the API
    (re.compile(r"\bnnhook_[\w-]{20,}"), REMOVED),  # what webhooks are signed with
    (re.compile(r"(?i)\b(bearer|basic) +[\w.~+/-]{8,}=*"), rf"\1 {REMOVED}"),
    (re.compile(r"(\b[a-z][a-z0-9+.-]*://[^\s:/@]*:)[^\s@]+@"), rf"\1{REMOVED}@"),  # passwords in addresses
)
_CONTROL = {code: repr(chr(code))[1:-1] for code in (*range(32), 127)}


def configuration(form: str, level: str, secrets: Iterable[str]) -> dict[str, Any]:
    """Return the LOGGING of Django's settings.

    Args:
        form: ``lines`` or ``json``.
        secrets: texts, or addresses with a password, that must not be printed.

    Raises:
        ValueError: if the form is unknown.
    """
    if form not in FORMATS:
        raise ValueError(f"expected NNLAB_LOG to be one of {', '.join(FORMATS)}, got {form!r}")
    formatter = {
        "()": stdlib.ProcessorFormatter,
        "foreign_pre_chain": _gathering(),
        "processors": [
            stdlib.ProcessorFormatter.remove_processors_meta,
            *(_for_machines() if form == "json" else _for_people()),
            redaction(secrets),
        ],
    }
    passed_on = {"handlers": [], "propagate": True}  # in one format with all others
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"chosen": formatter},
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "chosen"}},
        "loggers": {
            "axes.apps": {"level": "WARNING"},  # it greets at every start
            **dict.fromkeys(("django", "uvicorn", "uvicorn.error"), passed_on),
            "uvicorn.access": {"handlers": [], "propagate": False},  # its lines hold whole addresses
        },
        "root": {"handlers": ["stderr"], "level": level},
    }


def redaction(secrets: Iterable[str]) -> Redact:
    """Return the last step of a line: known secrets, and what has the form of one, are taken out of it."""
    spellings = {spelling for secret in secrets for spelling in _spellings(secret)}
    known = re.compile(
        "|".join(re.escape(one) for one in sorted(spellings, key=len, reverse=True)) or r"(?!)"
    )

    def redact(_: WrappedLogger, __: str, line: str) -> str:
        line = known.sub(REMOVED, line)
        for form, replacement in _FORMS:
            line = form.sub(replacement, line)
        return line

    return redact


def _spellings(secret: str) -> Iterable[str]:
    """Give the ways in which a secret may be written; of an address its password is the secret."""
    if "://" in secret:
        secret = urlsplit(secret).password or ""
    plain = {secret, unquote(secret)}
    written = plain | {quote(one, safe="") for one in plain} | {json.dumps(one)[1:-1] for one in plain}
    return (one for one in written if len(one) >= SHORTEST_SECRET)


def _gathering() -> list[Processor]:
    return [
        contextvars.merge_contextvars,
        stdlib.add_log_level,
        stdlib.add_logger_name,
        stdlib.ExtraAdder(allow=EXTRA),
        processors.TimeStamper(fmt="iso", utc=True),
    ]


def _for_machines() -> list[Processor]:
    # Tracebacks as text, without the values of local variables: those may hold anything.
    return [processors.format_exc_info, processors.JSONRenderer(default=str, ensure_ascii=False)]


def _for_people() -> list[Processor]:
    is_terminal = sys.stderr.isatty() and not os.environ.get("NO_COLOR")
    style = dev.ConsoleRenderer.get_default_column_styles(colors=is_terminal)
    levels = dev.ConsoleRenderer.get_default_level_styles(colors=is_terminal)

    def plain(before: str = "", after: str = "", colour: str = "") -> dev.KeyValueColumnFormatter:
        return dev.KeyValueColumnFormatter(
            None, colour, style.reset if colour else "", str, prefix=before, postfix=after
        )

    columns = [
        dev.Column("timestamp", plain(colour=style.timestamp)),
        dev.Column("level", dev.LogLevelColumnFormatter(levels, style.reset if is_terminal else "")),
        dev.Column("logger", plain(after=":", colour=style.logger_name)),
        dev.Column("event", plain()),
        dev.Column("", dev.KeyValueColumnFormatter(style.kv_key, style.kv_value, style.reset, str)),
    ]
    return [
        _on_one_line,
        # A traceback without the values of local variables, which the default would show.
        dev.ConsoleRenderer(columns=columns, exception_formatter=dev.plain_traceback),
    ]


def _on_one_line(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """Spell control characters out: what a stranger sent must not look like a line of ours."""
    return {
        key: value.translate(_CONTROL) if isinstance(value, str) else value for key, value in event.items()
    }
