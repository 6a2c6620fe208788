"""``nnlab submit sweep.toml``: queue what a file describes."""

from __future__ import annotations

import json
import sys
import tomllib
from pathlib import Path
from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.models import AbstractBaseUser
from django.core.management.base import BaseCommand, CommandError, CommandParser

from runs import console, submission
from runs.estimating.estimate import Estimate, Span, estimate
from runs.pages.formats import duration
from runs.preflight import forecast
from runs.submitted.specification import SubmissionError


class Command(BaseCommand):
    """Submits a sweep."""

    help = "Submit the sweep that a TOML or JSON file describes ('-' reads TOML from standard input)."

    def add_arguments(self, parser: CommandParser) -> None:
        """Take the file and who submits."""
        parser.add_argument("file", help="such as sweep.toml")
        parser.add_argument("--user", help="submit in this user's name")
        parser.add_argument(
            "--check",
            action="store_true",
            help="only check it: how many runs, what is wrong with them, and what they would cost",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Read, check, submit."""
        console.require_installation()
        try:
            spec = submission.parse(_read(options["file"]))
            for line in forecast(spec).lines:
                self.stderr.write(line, self.style.WARNING)
            if options["check"]:
                self.stdout.write("\n".join(_cost(estimate(spec))))
                self.stdout.write(f"{spec.all_runs} run(s), nothing submitted")
                return
            sweep = submission.submit(spec, _user(options["user"]))
        except SubmissionError as error:
            lines = [message for messages in error.errors.values() for message in messages]
            raise CommandError("nothing was submitted:\n  " + "\n  ".join(lines)) from error
        self.stdout.write(
            f"Submitted {len(spec.runs)} run(s) as sweep {sweep.pk}: {sweep.get_absolute_url()}"
        )


def _cost(found: Estimate) -> list[str]:
    """Say what a submission would cost."""
    work = "" if found.work is None else f"work: {_range(found.work)} of one process, {found.source}"
    time = "time: no worker that could take it is running"
    if found.wall is not None and found.ahead is not None:
        processes = f"{found.processes} process{'' if found.processes == 1 else 'es'}"
        start = "at once" if found.ahead < 1.0 else f"in about {duration(found.ahead)}"
        time = f"time: {_range(found.wall)} with {processes}; starts {start}"
    memory = f"memory: about {found.memory_mb:,} MB for the largest run"
    stored = f"stored: about {found.points:,} points, {found.stored_mb:,.1f} MB"
    return [line for line in (found.problem, work, time, memory, stored) if line]


def _range(span: Span) -> str:
    return f"{duration(span.seconds)} ({duration(span.low)} to {duration(span.high)})"


def _read(name: str) -> dict[str, Any]:
    try:
        text = sys.stdin.read() if name == "-" else Path(name).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise CommandError(f"cannot read {name}: {error}") from error
    try:
        return dict(json.loads(text) if name.endswith(".json") else tomllib.loads(text))
    except (ValueError, TypeError) as error:
        raise CommandError(f"{name} is not valid: {error}") from error


def _user(name: str | None) -> AbstractBaseUser | None:
    if name is None:
        return None
    user = get_user_model().objects.filter(username=name).first()
    if user is None:
        raise CommandError(f"there is no user {name!r}; nothing was submitted")
    return user
