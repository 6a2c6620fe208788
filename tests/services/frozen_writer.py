"""A program that is frozen in the middle of a transaction, and then wants to go on.

Run with DATABASE_URL set: it holds the row of a run, says so, and waits for a line; then it goes on.
"""

from __future__ import annotations

import os
import sys

import django

if __name__ == "__main__":
    os.environ["DJANGO_SETTINGS_MODULE"] = "nnlab.settings"
    django.setup()

from django.db import transaction

from runs.models import Run
from runs.store.outage import AWAY


def main(run_id: int) -> None:
    try:
        with transaction.atomic():
            Run.objects.filter(pk=run_id).update(name="held")
            sys.stdout.write("holds\n")
            sys.stdout.flush()
            sys.stdin.readline()
            Run.objects.filter(pk=run_id).update(name="written too late")
    except AWAY as error:
        sys.stdout.write(f"the database is away: {error}\n")
    sys.stdout.write(f"{Run.objects.get(pk=run_id).name}\n")


if __name__ == "__main__":
    main(int(sys.argv[1]))
