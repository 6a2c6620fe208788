"""The Django app: stores, queues, shows and guards runs."""

from __future__ import annotations
