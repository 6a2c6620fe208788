"""What the command line shows to people: addresses, passwords, progress, tables."""

from __future__ import annotations

import os
from argparse import ArgumentTypeError

from django.core.management.base import CommandError, CommandParser
from django.db import connection
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from nnlab import versions
from nnlab.engine.errors import EngineError
from runs.serving import MAX_PORT, Account

DEFAULT_PORT = 8000
MAX_WORKERS = 256

console = Console(highlight=False, soft_wrap=True)


def add_serving_arguments(parser: CommandParser) -> None:
    """Take the options that every serving command has."""
    parser.add_argument(
        "--port", type=_port, default=DEFAULT_PORT, help=f"first port to try (default {DEFAULT_PORT})"
    )
    parser.add_argument(
        "--workers",
        type=_worker_count,
        default=os.cpu_count() or 1,
        help="runs trained at the same time (default: cores)",
    )


def announce_account(account: Account | None) -> None:
    """Print a new administrator's password, unless somebody chose it; it is never shown again."""
    if account is None:
        return
    user = f"Administrator made:  user [bold]{escape(account.username)}[/]"
    if account.password:
        shown = f"password [bold]{escape(account.password)}[/]"
        shown += "  (shown once; change it with: nnlab changepassword)"
    else:
        shown = "with the password of NNLAB_ADMIN_PASSWORD"
    console.print(f"{user}  {shown}")


def announce_engine() -> None:
    """Print which tier trains on this machine.

    Raises:
        CommandError: where the environment asks for one that is not here.
    """
    try:
        print_line(f"Engine: {versions.engine()}")
    except EngineError as error:
        raise CommandError(str(error)) from error


def _port(text: str) -> int:
    return _number(text, 1, MAX_PORT)


def _worker_count(text: str) -> int:
    return _number(text, 1, MAX_WORKERS)


def _number(text: str, low: int, high: int) -> int:
    if not text.isascii() or not text.isdigit() or not low <= int(text) <= high:
        raise ArgumentTypeError(f"expected a whole number from {low} to {high:,}, got {text!r}")
    return int(text)


def announce_address(address: str) -> None:
    """Print where the dashboard is."""
    console.print(f"Dashboard: [bold]{address}[/]   Admin: {address}admin/   Stop with Ctrl-C.")


def require_installation() -> None:
    """Refuse a command on a database that is still empty.

    Raises:
        CommandError: and says how to prepare it.
    """
    if not connection.introspection.table_names():
        raise CommandError("this installation was never prepared; start it once with: nnlab up")


def print_line(text: str) -> None:
    """Print a line of plain text."""
    console.print(text, markup=False)


def print_table(title: str, columns: list[str], rows: list[list[str]]) -> None:
    """Print a table; all columns but the first are aligned to the right."""
    table = Table(title=title, title_justify="left")
    for number, column in enumerate(columns):
        table.add_column(column, justify="left" if number == 0 else "right", no_wrap=True)
    for row in rows:
        table.add_row(*row)
    console.print(table)
