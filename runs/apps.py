"""The app's configuration."""

from __future__ import annotations

from django.apps import AppConfig


class RunsConfig(AppConfig):
    """nnlab's one Django app."""

    name = "runs"
    verbose_name = "nnlab"
