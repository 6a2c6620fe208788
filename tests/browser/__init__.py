"""The pages in a real Chromium, served by a real installation that trains real runs."""

from __future__ import annotations
