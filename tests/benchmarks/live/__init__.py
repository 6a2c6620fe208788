"""Live pages: streams of events against polling."""

from __future__ import annotations
