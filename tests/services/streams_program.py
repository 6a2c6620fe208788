"""A web server that does as it is told and says how many streams it holds; see ``streams.py``.

Started with a port and a number of people. It says what they watch, as JSON, and then reads a line a command:
``step`` stores a step of the run and says when; ``streams`` says how many there are.
"""

from __future__ import annotations

import json
import os
import sys
from threading import Thread
from time import monotonic
from typing import Any

from nnlab.asgi import application

# isort: split
import uvicorn
from django.conf import settings
from django.core.management import call_command
from django.test import Client

from runs.models import Run, Series
from runs.pages.live.lookout import lookout
from tests.runs import builders


def main() -> None:
    """Serve until told to stop."""
    port, people = int(sys.argv[1]), int(sys.argv[2])
    call_command("migrate", verbosity=0, interactive=False)
    thread = Thread(target=obey, args=(people,), daemon=True)
    thread.start()
    uvicorn.run(
        application,
        host="127.0.0.1",
        port=port,
        lifespan="off",
        access_log=False,
        timeout_graceful_shutdown=20,
        log_level="info",
        backlog=2048,
    )


def obey(people: int) -> None:
    """Make what is looked at, then do what the lines of the input say."""
    run = builders.build_running_run()
    series = [builders.build_series(run, "train_loss", [3.0, 2.0])]
    series += [builders.build_series(run, "gradient_rms", [0.5, 0.4], layer=layer) for layer in range(3)]
    say(cookies=[signed_in() for _ in range(people)], run=run.pk, slug=run.project.slug, pid=os.getpid())
    for line in sys.stdin:
        if line.strip() == "step":
            step(run, series)
        else:
            say(streams=len(lookout))


def step(run: Run, series: list[Series]) -> None:
    """Store a step of every series, as a worker does once a second."""
    for each in series:
        builders.extend_series(each, [1.0])
    Run.objects.filter(pk=run.pk).update(steps_run=series[0].last_step)
    say(step=series[0].last_step, at=monotonic())


def signed_in() -> str:
    """Make a person; the key of a session."""
    client = Client()
    client.force_login(builders.build_user())
    return client.cookies[settings.SESSION_COOKIE_NAME].value


def say(**words: Any) -> None:
    """Write a line for whoever started this."""
    print(json.dumps(words), flush=True)


if __name__ == "__main__":
    main()
