"""The app's configuration."""

from __future__ import annotations

from django.apps import AppConfig


class RunsConfig(AppConfig):
    """nnlab's one Django app."""

    name = "runs"
    verbose_name = "nnlab"

    def ready(self) -> None:
        """Bound what a client that has fallen silent can hold up."""
        from runs.store import sessions  # noqa: PLC0415 - it may import models, which are there only now

        sessions.install()
