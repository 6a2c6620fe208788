"""``nnlab sync`` among the other commands, so that the help lists it; the console script does without."""

from __future__ import annotations

import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from nnlab.client import syncing


class Command(BaseCommand):
    """Sends what training programs have left on this machine."""

    help = syncing.HELP

    def add_arguments(self, parser: CommandParser) -> None:
        """Take what the console script takes."""
        syncing.add_arguments(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        """Send; end with 1 where something is left."""
        if left := syncing.sync(options["folder"], options["url"]):
            sys.exit(left)
