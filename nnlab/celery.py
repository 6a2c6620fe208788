"""The Celery application. Tasks write ``from nnlab.celery import app``."""

from __future__ import annotations

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "nnlab.settings")

app = Celery("nnlab")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks(["runs"])
