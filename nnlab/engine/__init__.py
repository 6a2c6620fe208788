"""Networks and their training: NumPy only, no knowledge of runs or pages."""

from __future__ import annotations
