"""The JSON API: what the pages do, for scripts. Its document is at /api/docs."""

from __future__ import annotations
