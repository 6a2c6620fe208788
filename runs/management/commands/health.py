"""``nnlab health backtest``: what other thresholds would have raised on past runs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from nnlab.health.thresholds import THRESHOLDS, Thresholds
from nnlab.health.tuning import ThresholdError, tuned
from runs import console
from runs.backtest.comparing import (
    USUAL_RUNS,
    Compared,
    Raised,
    Report,
    Row,
    Tally,
    backtest,
    candidates,
)
from runs.backtest.outcomes import RULE
from runs.models import Project
from runs.models.runs import RunQuerySet

MISSING = "–"
MAX_RUNS = 100_000


class Command(BaseCommand):
    """Looks back at the health of runs."""

    help = (
        "Replay the health checks over past runs with other thresholds, and compare with how the runs ended."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Take what to do, the runs and the thresholds."""
        parser.add_argument("action", choices=["backtest"])
        parser.add_argument("--project", metavar="SLUG", help="only runs of this project (default: all)")
        parser.add_argument(
            "--thresholds",
            type=Path,
            metavar="FILE",
            help="JSON of what differs from the shipped thresholds (default: the shipped ones)",
        )
        parser.add_argument(
            "--runs",
            type=int,
            default=USUAL_RUNS,
            metavar="N",
            help=f"at most so many, the newest first (default {USUAL_RUNS})",
        )
        parser.add_argument("--json", action="store_true", help="print JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        """Replay and print."""
        console.require_installation()
        runs = _chosen(options["project"], options["runs"])
        report = _replayed(runs, _thresholds(options["thresholds"]))
        if options["json"]:
            console.print_line(json.dumps(_as_json(report), indent=1, ensure_ascii=False))
        else:
            _print(report)


def _chosen(slug: str | None, number: int) -> RunQuerySet:
    if slug is not None and not Project.objects.filter(slug=slug).exists():
        raise CommandError(f"there is no project {slug!r}")
    if not 1 <= number <= MAX_RUNS:
        raise CommandError(f"expected 1 to {MAX_RUNS:,} runs, got --runs {number}")
    return candidates(slug)[:number]


def _thresholds(path: Path | None) -> Thresholds:
    if path is None:
        return THRESHOLDS
    try:
        return tuned(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, ThresholdError) as error:
        raise CommandError(f"cannot use {path}: {error}") from error


def _replayed(runs: RunQuerySet, thresholds: Thresholds) -> Report:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    quiet = not console.console.is_terminal
    with Progress(*columns, console=console.console, transient=True, disable=quiet) as progress:
        task = progress.add_task("runs", total=runs.count())
        return backtest(runs, thresholds, on_run=lambda: progress.advance(task))


def _print(report: Report) -> None:
    if not report.runs:
        console.print_line("No run of nnlab's own engine that is over can be replayed.")
    else:
        rows = [_cells(row) for row in (*report.rows, report.total)]
        title = f"Alerts of warning and above: as stored → under {report.thresholds_hash}"
        console.print_table(title, ["check", "runs", "failed", "precision", "opened at", "not judged"], rows)
        said = f"{len(report.runs)} runs, of which {report.failed} failed"
        console.print_line(f"{said}; of {report.undecided} nobody can say. {RULE}")
    for one in report.different:
        console.print_line(
            f"{one.run.get_absolute_url()}  {one.run.name} ({one.outcome.reason}): {_said(one)}"
        )
    for run, reason in report.skipped:
        console.print_line(f"{run.get_absolute_url()}  {run.name} was not replayed: {reason}")


def _cells(row: Row) -> list[str]:
    sides = (row.stored, row.replayed)
    return [
        row.check.replace("_", " ") or "any",
        " → ".join(str(side.runs) for side in sides),
        " → ".join(str(side.failed) for side in sides),
        " → ".join(_percent(side.precision) for side in sides),
        " → ".join(_percent(side.share) for side in sides),
        str(row.unjudged) if row.unjudged else "",
    ]


def _percent(share: float | None) -> str:
    return MISSING if share is None else f"{100 * share:.3g}%"


def _said(one: Compared) -> str:
    parts = [f"new {check} at step {one.replayed[check].step:,}" for check in one.new]
    parts += [f"no {check}" for check in one.gone]
    for check in one.moved:
        before, after = one.stored[check], one.replayed[check]
        parts.append(f"{check} {after.severity} at step {after.step:,} ({before.severity}, {before.step:,})")
    return ", ".join(parts)


def _as_json(report: Report) -> dict[str, Any]:
    return {
        "thresholds_hash": report.thresholds_hash,
        "rule": RULE,
        "runs": len(report.runs),
        "failed": report.failed,
        "undecided": report.undecided,
        "checks": {
            row.check or "any": {
                "stored": _tally_json(row.stored),
                "replayed": _tally_json(row.replayed),
                "unjudged": row.unjudged,
            }
            for row in (*report.rows, report.total)
        },
        "different": [_compared_json(one) for one in report.different],
        "skipped": [{"run": run.pk, "reason": reason} for run, reason in report.skipped],
    }


def _tally_json(tally: Tally) -> dict[str, Any]:
    return {
        "runs": tally.runs,
        "failed": tally.failed,
        "precision": tally.precision,
        "opened_at": tally.share,
    }


def _compared_json(one: Compared) -> dict[str, Any]:
    return {
        "run": one.run.pk,
        "url": one.run.get_absolute_url(),
        "outcome": one.outcome.reason,
        "new": _raised_json(one.replayed, one.new),
        "gone": _raised_json(one.stored, one.gone),
        "moved": _raised_json(one.replayed, one.moved),
    }


def _raised_json(alarms: Any, checks: Sequence[str]) -> dict[str, dict[str, Any]]:
    found: dict[str, Raised] = {check: alarms[check] for check in checks}
    return {check: {"severity": one.severity, "step": one.step} for check, one in found.items()}
