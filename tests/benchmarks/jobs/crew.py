"""A crew of workers that do all but train: each takes runs, flushes points, beats, asks and finishes.

Run with DATABASE_URL set: ``python -m tests.benchmarks.jobs.crew WORKERS SECONDS``. Every worker is a thread
with a connection of its own and does, once a second, what a worker's process does to the database once a
second; the answer is a line of JSON with the seconds that each kind of work took.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from random import Random

import django
import numpy as np

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "nnlab.settings")
    django.setup()

from django.db import connection, transaction

from nnlab.series.batch import Key, Points
from runs import lifecycle
from runs.models import Run
from runs.training.delivery import Delivery

SERIES = 28
POINTS = 100  # of each series, a second
RUN_SECONDS = 20  # before a worker finishes its run and takes the next
BEAT_EVERY = int(lifecycle.HEARTBEAT.total_seconds())


class Hand:
    """One worker of the crew."""

    def __init__(self, number: int, until: float) -> None:
        self._name = f"crew-{number // 2}:{number}"
        self._until = until
        self._random = Random(number)
        self.took: dict[str, list[float]] = defaultdict(list)
        self.errors: list[str] = []

    def work(self) -> None:
        """Take one run after the other until the time is over."""
        try:
            time.sleep(self._random.random())
            while time.monotonic() < self._until and self._train():
                pass
        except Exception as error:  # noqa: BLE001 - a thread has nobody to raise to: it is told
            self.errors.append(repr(error))
        finally:
            connection.close()

    def _train(self) -> bool:
        with self._timed("claim"), transaction.atomic():
            claims = lifecycle.claim_first(Run.objects.awaiting_worker().filter(queue="cpu"), 1, self._name)
        if not claims:
            self.errors.append("no run waits")
            return False
        ((run_id, token),) = claims.items()
        delivery = Delivery(run_id, token)
        for second in range(RUN_SECONDS):
            begun = time.monotonic()
            if begun >= self._until:
                break
            self._second(second, run_id, delivery, claims)
            time.sleep(max(0.0, begun + 1.0 - time.monotonic()))
        with self._timed("finish"):
            lifecycle.finish(run_id, token)
        return True

    def _second(self, second: int, run_id: int, delivery: Delivery, claims: lifecycle.Claims) -> None:
        with self._timed("flush"):
            written = delivery.deliver(_points(second), _guard(run_id, second), lambda: None)
        if not written:
            self.errors.append("the database was away")
        with self._timed("look"):
            lifecycle.wishes(claims)
        if second % BEAT_EVERY == 0:
            with self._timed("heartbeat"):
                lifecycle.beat(claims)

    @contextmanager
    def _timed(self, what: str) -> Iterator[None]:
        begun = time.perf_counter()
        yield
        self.took[what].append(time.perf_counter() - begun)


def _points(second: int) -> dict[Key, Points]:
    steps = np.arange(second * POINTS + 1, (second + 1) * POINTS + 1)
    values = np.sqrt(1.0 / steps)
    return {("loss", layer or None): (steps, values + layer) for layer in range(SERIES)}


def _guard(run_id: int, second: int) -> Callable[[], None]:
    def guard() -> None:
        Run.objects.filter(pk=run_id).update(steps_run=second * POINTS)

    return guard


def main(workers: int, seconds: float) -> None:
    """Let them all work, and print what each kind of work took."""
    hands = [Hand(number, time.monotonic() + seconds) for number in range(workers)]
    threads = [threading.Thread(target=hand.work) for hand in hands]
    cpu = time.process_time()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    took: dict[str, list[float]] = defaultdict(list)
    for hand in hands:
        for what, times in hand.took.items():
            took[what] += times
    errors = sorted({error for hand in hands for error in hand.errors})
    print(json.dumps({"took": took, "errors": errors, "cpu": time.process_time() - cpu}))


if __name__ == "__main__":
    main(int(sys.argv[1]), float(sys.argv[2]))
