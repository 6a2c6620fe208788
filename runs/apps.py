"""The app's configuration."""

from __future__ import annotations

from django.apps import AppConfig

from nnlab.data import uploads


class RunsConfig(AppConfig):
    """nnlab's one Django app."""

    name = "runs"
    verbose_name = "nnlab"

    def ready(self) -> None:
        """Bound what a client that has fallen silent can hold up, and say where uploaded datasets are."""
        from runs.store import datasets, sessions  # noqa: PLC0415 - models are there only now

        sessions.install()
        uploads.connect(datasets.StoredUploads())
