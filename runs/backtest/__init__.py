"""Backtest: what other thresholds would have raised on past runs."""

from __future__ import annotations
