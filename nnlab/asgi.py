"""The ASGI entry point that uvicorn serves."""

from __future__ import annotations

import gc
import os

import django

from nnlab.handler import Handler

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "nnlab.settings")

django.setup(set_prefix=False)
application = Handler()

# All that is loaded by now stays: the collector need not look through it again, whenever a request has made
# some thousand objects.
gc.freeze()
