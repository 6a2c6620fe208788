"""Data: shipped, generated and CSV datasets become arrays, by recipes fitted on the training rows only."""

from __future__ import annotations
