"""A Celery application whose workers let messages come again while their runs still train."""

from __future__ import annotations

from nnlab.celery import app

IMPATIENT = {"visibility_timeout": 4, "unacked_restore_interval": 2, "unacked_restore_throttle": 1}  # seconds

app.conf.broker_transport_options = {**app.conf.broker_transport_options, **IMPATIENT}
app.conf.visibility_timeout = IMPATIENT["visibility_timeout"]
