"""``nnlab queue``: what trains and what waits; pause, resume, stop, retry, order."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from runs import console
from runs.api.queue import MAX_RUNS, queue_answer
from runs.estimating.starts import Expected, expected_starts
from runs.models import Queue, Run, Status, Sweep
from runs.models.runs import RunQuerySet
from runs.pages.formats import MISSING, ago, duration, percent
from runs.reading.queue import Standing, Training, standing
from runs.reading.waiting import Choice, Line
from runs.retention import counted
from runs.steering import ACTIONS, MANY, move, prioritise

_WORDS = {
    "pause": "hold runs; those that train let go once their worker has saved how far they are",
    "resume": "let paused runs go on, from their old places in the queue",
    "stop": "end runs that wait, train or are paused",
    "retry": "put failed and stopped runs back into the queue, at its end",
}


class Command(BaseCommand):
    """Shows and steers the queue."""

    help = "Show the queue, or pause, resume, stop, retry, move and prioritise runs."

    def add_arguments(self, parser: CommandParser) -> None:
        """Take a word, the runs, and what they are chosen by."""
        words = parser.add_subparsers(dest="word", metavar="WORD")
        shown = words.add_parser("list", help="show what trains, what waits and what is paused (the default)")
        shown.add_argument("--project", default="", metavar="SLUG", help="only runs of this project")
        shown.add_argument("--user", default="", help="only runs that this user submitted")
        shown.add_argument("--queue", default="", choices=["", *Queue.values], help="only of these workers")
        shown.add_argument("--json", action="store_true", help="print JSON")
        for word, told in _WORDS.items():
            _add_choice(words.add_parser(word, help=told))
        priority = words.add_parser("prioritise", help="set the priority of runs; the highest is taken first")
        priority.add_argument("priority", help="-100 to 100; a negative one after --, such as: -- -5 12")
        _add_choice(priority)
        place = words.add_parser("move", help="put waiting runs elsewhere in their queue")
        place.add_argument("place", help="first, last, or the number of the run to put them before")
        _add_choice(place)

    def handle(self, *args: Any, **options: Any) -> None:
        """Show, or do what the word says."""
        console.require_installation()
        if (options["word"] or "list") == "list":
            _show(options)
            return
        runs = _chosen(options)
        if options["word"] == "stop" and not options["yes"]:
            _ask(runs)
        changed, told = _done(options, runs)
        if options["json"]:
            console.print_line(json.dumps({"changed": changed}))
        elif changed:
            console.print_line(told)
        if not changed:
            raise CommandError(told)


def _add_choice(parser: ArgumentParser) -> None:
    parser.add_argument("runs", nargs="*", type=int, metavar="RUN", help="a run's number")
    parser.add_argument("--sweep", type=int, metavar="NUMBER", help="all runs of this sweep")
    parser.add_argument("--project", default="", metavar="SLUG", help="all runs of this project")
    parser.add_argument("--user", default="", help="all runs that this user submitted")
    parser.add_argument("--yes", action="store_true", help=f"stop more than {MANY} runs without a question")
    parser.add_argument("--json", action="store_true", help="print JSON")


def _chosen(options: dict[str, Any]) -> RunQuerySet:
    """Return the runs that a command line names or describes.

    Raises:
        CommandError: if it does neither, or what it names does not exist.
    """
    numbers, sweep = options["runs"], options["sweep"]
    choice = Choice(project=options["project"], user=options["user"])
    if not (numbers or sweep or choice.is_narrow):
        raise CommandError("expected the numbers of runs, --sweep, --project or --user, got none of them")
    runs = choice.of(Run.objects.kept())
    if sweep:
        if not Sweep.objects.filter(pk=sweep).exists():
            raise CommandError(f"there is no sweep {sweep}; nothing was changed")
        runs = runs.filter(sweep=sweep)
    if numbers:
        missing = sorted(set(numbers) - set(runs.filter(pk__in=numbers).values_list("pk", flat=True)))
        if missing:
            raise CommandError(f"there is no run {', '.join(map(str, missing))}; nothing was changed")
        runs = runs.filter(pk__in=numbers)
    return runs


def _ask(runs: RunQuerySet) -> None:
    number = runs.not_over().count()
    if number > MANY:
        raise CommandError(f"this would stop {counted(number)}; add --yes if that is what you want")


def _done(options: dict[str, Any], runs: RunQuerySet) -> tuple[int, str]:
    """Do what the word says. Returns to how many runs, and what to tell."""
    word = options["word"]
    try:
        if word == "move":
            moved = move(runs, options["place"])
            return moved, f"{counted(moved)} moved." if moved else "nothing was moved: no such run waits"
        if word == "prioritise":
            changed = prioritise(runs, options["priority"])
            told = f"{counted(changed)} of priority {options['priority']} now."
            return changed, told if changed else "nothing was changed: these runs are over"
    except ValueError as error:
        raise CommandError(f"{error}; nothing was changed") from error
    changed = ACTIONS[word].act(runs)
    return changed, ACTIONS[word].told(changed)


def _show(options: dict[str, Any]) -> None:
    choice = Choice(options.get("project", ""), options.get("user", ""), options.get("queue", ""))
    if options.get("json"):
        told = queue_answer(choice, MAX_RUNS)
        console.print_line(json.dumps(told, default=lambda moment: moment.isoformat(), ensure_ascii=False))
        return
    found = standing(choice)
    if found.is_empty:
        console.print_line("Nothing trains and nothing waits.")
        return
    _print(found, expected_starts([line.run.pk for line in found.waiting.lines]))


def _print(found: Standing, expected: dict[int, Expected]) -> None:
    console.print_table(
        f"Training: {counted(found.running_count)}",
        ["runs", "progress", "ends in", "worker", "project"],
        [
            [
                _name(group),
                percent(group.progress),
                duration(group.left),
                group.run.worker,
                group.run.project.slug,
            ]
            for group in found.training
        ],
    )
    for title, lines in (("Waiting", found.waiting), ("Paused", found.paused)):
        if not lines.count:
            continue
        shown = sum(line.count for line in lines.lines)
        rest = "" if shown == lines.count else f", the first {shown:,} are shown"
        console.print_table(
            f"{title}: {counted(lines.count)}{rest}",
            ["runs", "position", "starts in", "priority", "queue", "since", "project", "by"],
            [_row(line, expected) for line in lines.lines],
        )
    for reason in dict.fromkeys(one.reason for one in expected.values() if one.reason):
        console.print_line(reason)


def _name(line: Line | Training) -> str:
    if line.count > 1:
        return f"sweep {line.run.sweep_id}: {line.run.sweep.name}, {counted(line.count)}"
    return f"{line.run.pk}: {line.run.name}"


def _row(line: Line, expected: dict[int, Expected]) -> list[str]:
    run, start = line.run, expected.get(line.run.pk)
    span = f"{line.position}-{line.last_position}" if line.is_together else str(line.position)
    return [
        _name(line),
        span if run.status == Status.QUEUED else MISSING,
        duration(start.starts_in if start else None),
        str(run.priority),
        run.queue,
        ago(run.queued_at, timezone.now()),
        run.project.slug,
        str(run.sweep.created_by or MISSING),
    ]
