"""What runs will cost, and when they will start: learned from past runs, else from a short probe."""

from __future__ import annotations
