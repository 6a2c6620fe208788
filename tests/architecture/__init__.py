"""What must hold across the whole tree: imports and budgets."""

from __future__ import annotations
