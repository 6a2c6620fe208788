"""What a test asks of an installation's database, in the installation's own environment.

``python -m tests.services.chaos watch`` lets the database note who writes points from now on.
``python -m tests.services.chaos requeue RUN ...`` puts failed runs back into the queue.
``python -m tests.services.chaos dump FILE SWEEP ...`` writes all that is stored of sweeps' runs.
"""

from __future__ import annotations

import os
import pickle
import sys
from pathlib import Path

import django

os.environ["DJANGO_SETTINGS_MODULE"] = "nnlab.settings"
django.setup()

from runs import lifecycle  # noqa: E402 - Django is set up first
from tests.services.chaos import records  # noqa: E402

match sys.argv[1:]:
    case ["watch"]:
        records.watch()
    case ["requeue", *run_ids]:
        for run_id in run_ids:
            lifecycle.requeue(int(run_id))
    case ["dump", file, *sweep_ids]:
        Path(file).write_bytes(pickle.dumps(records.records_of([int(sweep_id) for sweep_id in sweep_ids])))
