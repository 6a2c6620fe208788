"""``nnlab token USER NAME``: a secret with which a script acts as a user."""

from __future__ import annotations

from typing import Any

from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand, CommandError, CommandParser

from runs.models import ApiToken


class Command(BaseCommand):
    """Issues an API token."""

    help = "Issue an API token for a user; it is printed once. Revoke it in the admin."

    def add_arguments(self, parser: CommandParser) -> None:
        """Take the user and what the token is for."""
        parser.add_argument("user")
        parser.add_argument("name", help="what it is for, such as 'nightly sweeps'")

    def handle(self, *args: Any, **options: Any) -> None:
        """Issue and print."""
        user = get_user_model().objects.filter(username=options["user"]).first()
        if user is None:
            raise CommandError(f"there is no user {options['user']!r}")
        self.stdout.write(ApiToken.issue(user.pk, options["name"]))
