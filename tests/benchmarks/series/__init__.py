"""The metric store against its peers: the same values, each writer and reader in a process of its own."""

from __future__ import annotations
