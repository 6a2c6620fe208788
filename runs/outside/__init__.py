"""Runs that a program outside trains: begun, written and ended by requests, never queued."""

from __future__ import annotations
