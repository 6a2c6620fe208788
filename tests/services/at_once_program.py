"""What ``test_at_once.py`` runs on each database: requests and senders that come at the same moment, as JSON.

Run with DATABASE_URL set.
"""

from __future__ import annotations

import json
import sys
import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import django

django.setup()  # before models are imported

from django.conf import settings  # noqa: E402
from django.contrib.messages import get_messages  # noqa: E402
from django.db import connection  # noqa: E402
from django.test import Client  # noqa: E402
from django.urls import reverse  # noqa: E402
from django.utils import timezone  # noqa: E402

from runs import submission  # noqa: E402
from runs.models import Channel, Fix, Notice, Run, Sweep  # noqa: E402
from runs.notices import sending  # noqa: E402
from tests.runs import builders  # noqa: E402
from tests.runs.receiver import receiver  # noqa: E402

SENDERS = 3


def main(rounds: int, notices: int) -> dict[str, Any]:
    """Fill the database; what came of the two races."""
    settings.ALLOWED_HOSTS.append("testserver")
    return {"sweeps of a double click": double_clicks(rounds), "deliveries": deliveries(notices)}


def at_once(number: int, act: Callable[[], object]) -> None:
    """Do something in several threads, each with a database connection of its own, from one moment on."""
    start = threading.Barrier(number)

    def one() -> None:
        try:
            connection.ensure_connection()
            start.wait()
            act()
        finally:
            connection.close()

    with ThreadPoolExecutor(number) as pool:
        for done in [pool.submit(one) for _ in range(number)]:
            done.result()


def double_clicks(rounds: int) -> list[tuple[int, int, list[str]]]:
    """Press the same button twice at once, again and again; the sweeps, the fixes and the words each time."""
    user = builders.build_user("submit_sweep", "change_alert")
    found = []
    for number in range(rounds):
        training = {"activation": "sigmoid", "steps": 20 + number}
        run = builders.build_finished_run(training=training)
        Run.objects.filter(pk=run.pk).update(group=submission.parse(submission.as_mapping(run)).runs[0].group)
        alert = builders.build_alert(run)
        before = Sweep.objects.count()
        said: list[str] = []

        def click(address: str = reverse("alert-fix", args=[alert.pk]), said: list[str] = said) -> None:
            client = Client()
            client.force_login(user)
            answer = client.post(address, {"only": "A1"})
            said.extend(str(message) for message in get_messages(answer.wsgi_request))

        at_once(2, click)
        found.append((Sweep.objects.count() - before, Fix.objects.filter(run=run).count(), sorted(said)))
    return found


def deliveries(notices: int) -> dict[str, int]:
    """Send the same outbox from several senders at once; how often each notice arrived, and what is noted."""
    settings.ALLOW_PRIVATE_WEBHOOKS = True
    run = builders.build_running_run()
    builders.build_alert(run)
    with receiver(200) as here:
        channel = Channel.objects.create(project=run.project, kind="webhook", address=here.url)
        for _ in range(notices):
            notice = Notice.objects.create(channel=channel, run=run, due_at=timezone.now())
            notice.lines.create(check_id="vanishing", severity="warning", step=40)
        at_once(SENDERS, sending.send_due)
        keys = Counter(headers["Idempotency-Key"] for _, headers, _ in here.requests)
    return {
        "arrived": len(keys),
        "twice": sum(number > 1 for number in keys.values()),
        "sent": Notice.objects.filter(state="sent", tries=1).count(),
    }


if __name__ == "__main__":
    sys.stdout.write(json.dumps(main(int(sys.argv[1]), int(sys.argv[2]))))
