"""Tests of nnlab.engine."""

from __future__ import annotations
