"""``nnlab prepare``: what a deployment runs once before its services start."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from runs import serving


class Command(BaseCommand):
    """Brings the installation up to date."""

    help = "Migrate the database, collect static files, make groups and the first administrator."

    def handle(self, *args: Any, **options: Any) -> None:
        """Prepare, and print a new administrator's password once."""
        account = serving.prepare()
        if account is not None:
            self.stdout.write(f"Administrator made. User: {account.username}  Password: {account.password}")
        self.stdout.write("nnlab is prepared.")
