"""``nnlab prepare``: what a deployment runs once before its services start."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from runs import serving


class Command(BaseCommand):
    """Brings the installation up to date."""

    help = "Migrate the database, collect static files, make groups and the first administrator."

    def add_arguments(self, parser: CommandParser) -> None:
        """Take whether static files are collected."""
        parser.add_argument(
            "--no-static", action="store_true", help="leave the static files, as in the image"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Prepare, and print a new administrator's password once."""
        account = serving.prepare(static=not options["no_static"])
        if account is not None:
            password = account.password or "as in NNLAB_ADMIN_PASSWORD"
            self.stdout.write(f"Administrator made. User: {account.username}  Password: {password}")
        self.stdout.write("nnlab is prepared.")
