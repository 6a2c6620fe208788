"""``nnlab scheduler``: mends what broker and workers lost, every few seconds."""

from __future__ import annotations

import logging
import signal
import threading
from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.db import OperationalError, close_old_connections

from nnlab import healthcheck
from runs import queue

logger = logging.getLogger(__name__)


class Command(BaseCommand):
    """Runs the reconciler until it is told to stop. More than one at a time does no harm."""

    help = "Re-queue the runs of silent workers and publish what the broker lost, every few seconds."

    def add_arguments(self, parser: CommandParser) -> None:
        """Take the pause between two looks."""
        parser.add_argument("--every", type=float, default=5.0, help="seconds between two looks (default 5)")

    def handle(self, *args: Any, **options: Any) -> None:
        """Look, pause, look again."""
        stopping = threading.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: stopping.set())
        while True:
            healthcheck.show_life("scheduler")
            try:
                queue.reconcile()
            except OperationalError as error:
                logger.warning("the database does not answer: %s", error)
                close_old_connections()
            if stopping.wait(options["every"]):
                return
