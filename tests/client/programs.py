"""A program of somebody else's, in a process of its own."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from tests.client.server import Server

CHECKOUT = Path(__file__).parents[2]

PROGRAM = """
import sys, threading, nnlab.client
run = nnlab.client.start(project="p", name="n", url=sys.argv[1])
for step in range(100):
    run.log(step, {"loss": float(step)})
"""


def program(text: str, server: Server) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", text, server.url], cwd=CHECKOUT, stderr=subprocess.PIPE)


def await_that(reached: Callable[[], bool]) -> None:
    """Wait until something has happened."""
    deadline = time.monotonic() + 30
    while not reached():
        assert time.monotonic() < deadline
        time.sleep(0.01)
