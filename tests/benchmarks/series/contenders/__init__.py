"""One module a tool; each runs in the environment of its tool."""

from __future__ import annotations
