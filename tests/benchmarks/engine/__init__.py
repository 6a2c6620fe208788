"""The engine against its peers: the same work, checked first, then timed in turn."""

from __future__ import annotations
