"""Management commands: what ``nnlab COMMAND`` runs."""

from __future__ import annotations
