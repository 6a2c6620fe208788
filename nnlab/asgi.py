"""The ASGI entry point that uvicorn serves."""

from __future__ import annotations

import gc
import os

import django

from nnlab import home
from nnlab.handler import Handler

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "nnlab.settings")
# Before the counters are imported: each process of the web server answers for all of them.
os.environ.setdefault("PROMETHEUS_MULTIPROC_DIR", str(home.shared_counts(home.data_folder())))

django.setup(set_prefix=False)
application = Handler()

# All that is loaded by now stays: the collector need not look through it again, whenever a request has made
# some thousand objects.
gc.freeze()
