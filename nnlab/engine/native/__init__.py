"""The compiled core of the engine, and what finds, loads and calls it."""

from __future__ import annotations
