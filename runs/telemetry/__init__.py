"""Metrics for Prometheus, asked of database and broker at each scrape: every process tells the same."""

from __future__ import annotations
