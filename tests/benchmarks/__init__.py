"""Timed comparisons, never part of the test run."""

from __future__ import annotations
