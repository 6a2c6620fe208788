"""Reading: windows of series, tables and summaries for charts, pages and the API. It changes nothing."""

from __future__ import annotations
