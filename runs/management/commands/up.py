"""``nnlab up``: serve everything on this machine until Ctrl-C."""

from __future__ import annotations

import time
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from runs import console, serving


class Command(BaseCommand):
    """Starts the whole installation."""

    help = "Start web server, workers, scheduler and broker on this machine; serve until Ctrl-C."

    def add_arguments(self, parser: CommandParser) -> None:
        """Take port, workers and reload."""
        console.add_serving_arguments(parser)
        parser.add_argument("--reload", action="store_true", help="restart the web server when code changes")

    def handle(self, *args: Any, **options: Any) -> None:
        """Serve until told to stop."""
        console.announce_engine()
        with serving.folder_held():
            console.announce_account(serving.prepare())
            port = serving.free_port(options["port"])
            with serving.serve(port=port, workers=options["workers"], reload=options["reload"]) as site:
                console.announce_address(site.address)
                while not site.supervisor.stopping:
                    site.supervisor.watch()
                    time.sleep(0.5)
        console.print_line("Stopped; nothing of nnlab is left running.")
