"""Template filters."""

from __future__ import annotations
