"""The demonstration: real sweeps on real data, and what their results have to look like."""

from __future__ import annotations
